/** The check that an operator runs after a fright: it says what is missing, and mends what can be mended. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { lfsKey } from '../src/store/keys.ts'
import { commit, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectRefusal, post } from './refusal.ts'

interface Check {
  id: string
  storageId: string
  left: number
  problems: { subject: string; message: string; repaired: boolean }[]
}

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const check = (args: object): Promise<Check | null> =>
  getJson<Check | null>(hub, 'root', '/api/admin', post({ resource: 'repo', verb: 'check', args }))

/** A repository with one small and one large file. */
async function make(name: string): Promise<{ id: string; repo: Check; blobPath: string; gitDir: string }> {
  const id = await createRepo(hub, 'alice', `alice/${name}`)
  const content = `weights of ${name}`
  await uploadLfs(hub, 'alice', id, content)
  await commit(hub, 'alice', id, [file('a.txt', name), lfsFile('big.bin', content)])
  const repo = await checkOf(id)
  const { domainId } = (await hub.hub.ops.catalog.rows.repos.get(repo.storageId))!
  return {
    id,
    repo,
    blobPath: join(hub.dataDir, 'blobs', 'blobs', lfsKey(domainId, sha256(content))),
    gitDir: join(hub.dataDir, 'repos', repo.storageId.slice(-2), `${repo.storageId}.git`),
  }
}

async function checkOf(id: string, options: object = {}): Promise<Check> {
  const [namespace, name] = id.split('/')
  return (await check({ repo: { namespace, name }, ...options }))!
}

test('a whole repository has no problems, and each is visited once', async () => {
  await make('one')
  await make('two')
  const seen: string[] = []
  let after: string | null = null
  for (let next = await check({ after }); next !== null; next = await check({ after })) {
    expect(next.problems).toEqual([])
    seen.push(next.id)
    after = next.storageId
    if (next.left === 0) expect(await check({ after })).toBeNull()
  }
  expect(seen.toSorted()).toEqual(['alice/one', 'alice/two'])
})

test('refs that differ from the catalog are named, and repaired when asked', async () => {
  const { id, gitDir } = await make('refs')
  const main = join(gitDir, 'refs/heads/main')
  const right = await readFile(main, 'utf8')
  const first = (await getJson<{ id: string }[]>(hub, 'alice', `/api/models/${id}/commits/main`)).at(-1)!.id
  await writeFile(main, `${first}\n`)
  await writeFile(join(gitDir, 'refs/heads/stray'), right)

  const found = await checkOf(id)
  expect(found.problems.map(({ subject, repaired }) => [subject, repaired])).toEqual([
    ['refs/heads/main', false],
    ['refs/heads/stray', false],
  ])
  expect(await readFile(main, 'utf8')).toBe(`${first}\n`)
  expect((await checkOf(id, { repair: true })).problems.every(({ repaired }) => repaired)).toBe(true)
  expect((await checkOf(id)).problems).toEqual([])
  expect(await readFile(main, 'utf8')).toBe(right)
})

test('a content that is gone or short is named with its path', async () => {
  const { id, blobPath } = await make('lost')
  const bytes = await readFile(blobPath)
  await writeFile(`${blobPath}.new`, bytes.subarray(1))
  await rm(blobPath)
  expect((await checkOf(id)).problems).toMatchObject([
    { subject: 'big.bin', message: expect.stringContaining('missing') },
  ])
  await writeFile(blobPath, bytes.subarray(1))
  expect((await checkOf(id)).problems).toMatchObject([
    { subject: 'big.bin', message: expect.stringContaining(`${bytes.length - 1} bytes`) },
  ])
})

test('a flipped bit is found when every content is read', async () => {
  const { id, blobPath } = await make('rotten')
  const bytes = await readFile(blobPath)
  bytes[0]! ^= 1
  await rm(blobPath)
  await writeFile(blobPath, bytes)
  expect((await checkOf(id)).problems).toEqual([])
  expect((await checkOf(id, { full: true })).problems).toMatchObject([
    { subject: 'big.bin', message: expect.stringContaining('sha256') },
  ])
})

test('a missing git object is found, and then no ref is touched', async () => {
  const { id, repo, gitDir } = await make('hole')
  const { oid } = (await hub.hub.ops.catalog.rows.refs.get(repo.storageId, 'refs/heads/main'))!
  await rm(join(gitDir, 'objects', oid.slice(0, 2), oid.slice(2)))
  const { problems } = await checkOf(id, { repair: true })
  expect(problems).toContainEqual({
    subject: 'refs/heads/main',
    message: `the object ${oid} is missing`,
    repaired: false,
  })
  expect((await readFile(join(gitDir, 'refs/heads/main'), 'utf8')).trim()).toBe(oid)
})

test('only an administrator may ask', async () => {
  const request = post({ resource: 'repo', verb: 'check', args: {} })
  await expectRefusal(await hub.fetch('alice', '/api/admin', request), 'Forbidden')
})
