/** Many clients at once: commits follow one another, and whoever names a parent is told when it has moved. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { commit, commitBody, createRepo, file, getJson, headOf, uploadLfs } from './client.ts'
import { expectRefusal, post } from './refusal.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const MANY = Array.from({ length: 50 }, (_, index) => index)

async function history(id: string): Promise<{ id: string; title: string }[]> {
  return getJson(hub, null, `/api/models/${id}/commits/main`)
}

test('commits without a parent all become history', async () => {
  const id = await createRepo(hub, 'alice', 'alice/crowd')
  const oids = await Promise.all(
    MANY.map((n) => commit(hub, 'alice', id, [file(`f${n}`, String(n))], { summary: `commit ${n}` })),
  )
  const commits = await history(id)
  expect(commits.map((entry) => entry.id).toSorted()).toEqual([...oids, commits.at(-1)?.id ?? ''].toSorted())
  const tree = await getJson<object[]>(hub, null, `/api/models/${id}/tree/main`)
  expect(tree).toHaveLength(MANY.length + 1)
  const repo = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'crowd')
  expect(await hub.hub.ops.git.listRefs(repo?.id ?? '')).toEqual([
    { name: 'refs/heads/main', oid: await headOf(hub, null, id) },
  ])
  expect(await hub.hub.ops.git.fsck(repo?.id ?? '')).toEqual([])
})

test('of many commits onto the same parent one wins', async () => {
  const id = await createRepo(hub, 'alice', 'alice/race')
  const parentCommit = await headOf(hub, null, id)
  const answers = await Promise.all(
    MANY.map((n) =>
      hub.fetch(
        'alice',
        `/api/models/${id}/commit/main`,
        commitBody([file('x', String(n))], { parentCommit, summary: `commit ${n}` }),
      ),
    ),
  )
  const [won, ...others] = answers.filter(({ status }) => status === 200)
  if (won === undefined) throw new Error('nobody won')
  expect(others).toEqual([])
  for (const answer of answers) if (answer.status !== 200) await expectRefusal(answer, 'StaleParent')
  const { commitOid } = (await won.json()) as { commitOid: string }
  expect((await history(id)).map((entry) => entry.id)).toEqual([commitOid, parentCommit])
})

test('the same commit sent many times at once is one commit', async () => {
  const id = await createRepo(hub, 'alice', 'alice/retries')
  const parentCommit = await headOf(hub, null, id)
  const oids = await Promise.all(MANY.map(() => commit(hub, 'alice', id, [file('x', '1')], { parentCommit })))
  expect(new Set(oids).size).toBe(1)
  expect(await history(id)).toHaveLength(2)
})

test('branches and tags of one name are made once', async () => {
  const id = await createRepo(hub, 'alice', 'alice/names')
  for (const [path, body] of [
    ['branch/dev', {}],
    ['tag/main', { tag: 'v1' }],
  ] as const) {
    const answers = await Promise.all(
      MANY.map(() => hub.fetch('alice', `/api/models/${id}/${path}`, post(body))),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(MANY.length - 1)
  }
})

test('a commit that races the deletion of its repository is refused or was before it', async () => {
  const id = await createRepo(hub, 'alice', 'alice/doomed')
  const [deletion, ...answers] = await Promise.all([
    hub.fetch('alice', '/api/repos/delete', post({ name: 'doomed' }, 'DELETE')),
    ...MANY.map((n) => hub.fetch('alice', `/api/models/${id}/commit/main`, commitBody([file(`f${n}`, '')]))),
  ])
  expect(deletion?.status).toBe(200)
  for (const answer of answers) if (answer.status !== 200) await expectRefusal(answer, 'RepoNotFound')
  await expectRefusal(await hub.fetch('alice', `/api/models/${id}`), 'RepoNotFound')
})

test('the same object uploaded many times at once is one object', async () => {
  const id = await createRepo(hub, 'alice', 'alice/uploads')
  const oids = await Promise.all(MANY.map(() => uploadLfs(hub, 'alice', id, 'many times')))
  expect(new Set(oids).size).toBe(1)
  const keys: string[] = []
  for await (const { key } of hub.hub.ops.blobs.list('')) keys.push(key)
  expect(keys).toHaveLength(1)
})
