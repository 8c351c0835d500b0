/** The check that an operator runs after a fright: it says what is missing, and mends what can be mended. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { lfsKey } from '../src/store/keys.ts'
import { commit, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectRefusal, post } from './refusal.ts'

interface Step {
  cursor: string | null
  walk: string
  at: string
  done: number
  total: number | null
  findings: { subject: string; message: string; state: string }[]
}

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

const fsck = (args: object): Promise<Step> =>
  getJson<Step>(hub, 'root', '/api/admin', post({ resource: 'hub', verb: 'fsck', args }))

/** A repository with one small and one large file. */
async function make(
  name: string,
): Promise<{ id: string; storageId: string; blobPath: string; gitDir: string }> {
  const id = await createRepo(hub, 'alice', `alice/${name}`)
  const content = `weights of ${name}`
  await uploadLfs(hub, 'alice', id, content)
  await commit(hub, 'alice', id, [file('a.txt', name), lfsFile('big.bin', content)])
  const row = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', name)
  const { id: storageId, domainId } = row!
  return {
    id,
    storageId,
    blobPath: join(hub.dataDir, 'blobs', 'blobs', lfsKey(domainId, sha256(content))),
    gitDir: join(hub.dataDir, 'repos', storageId.slice(-2), `${storageId}.git`),
  }
}

async function problemsOf(id: string, options: object = {}): Promise<Step['findings']> {
  const [namespace, name] = id.split('/')
  const { findings, cursor } = await fsck({ repo: { namespace, name }, ...options })
  expect(cursor).toBeNull()
  return findings
}

test('a whole repository has no problems, and each is visited once', async () => {
  await make('one')
  await make('two')
  const seen: string[] = []
  let cursor: string | null = null
  do {
    const step = await fsck({ cursor })
    expect(step.findings).toEqual([])
    if (step.walk === 'repositories' && seen.length === 0) expect(step.total).toBe(2)
    if (step.walk === 'repositories') seen.push(...Array(step.done).fill(step.at))
    cursor = step.cursor
  } while (cursor !== null)
  expect(seen.toSorted()).toEqual(['model alice/one', 'model alice/two'])
})

test('refs that differ from the catalog are named, and repaired when asked', async () => {
  const { id, gitDir } = await make('refs')
  const main = join(gitDir, 'refs/heads/main')
  const right = await readFile(main, 'utf8')
  const first = (await getJson<{ id: string }[]>(hub, 'alice', `/api/models/${id}/commits/main`)).at(-1)!.id
  await writeFile(main, `${first}\n`)
  await writeFile(join(gitDir, 'refs/heads/stray'), right)

  const found = await problemsOf(id)
  expect(found.map(({ subject, state }) => [subject, state])).toEqual([
    [`model ${id}: refs/heads/main`, 'problem'],
    [`model ${id}: refs/heads/stray`, 'problem'],
  ])
  expect(await readFile(main, 'utf8')).toBe(`${first}\n`)
  expect((await problemsOf(id, { repair: true })).every(({ state }) => state === 'repaired')).toBe(true)
  expect(await problemsOf(id)).toEqual([])
  expect(await readFile(main, 'utf8')).toBe(right)
})

test('a content that is gone or short is named with its path', async () => {
  const { id, blobPath } = await make('lost')
  const bytes = await readFile(blobPath)
  await writeFile(`${blobPath}.new`, bytes.subarray(1))
  await rm(blobPath)
  expect(await problemsOf(id)).toMatchObject([
    { subject: `model ${id}: big.bin`, message: expect.stringContaining('missing') },
  ])
  await writeFile(blobPath, bytes.subarray(1))
  expect(await problemsOf(id)).toMatchObject([
    { subject: `model ${id}: big.bin`, message: expect.stringContaining(`${bytes.length - 1} bytes`) },
  ])
})

test('a flipped bit is found when every content is read', async () => {
  const { id, blobPath } = await make('rotten')
  const bytes = await readFile(blobPath)
  bytes[0]! ^= 1
  await rm(blobPath)
  await writeFile(blobPath, bytes)
  expect(await problemsOf(id)).toEqual([])
  expect(await problemsOf(id, { full: true })).toMatchObject([
    { subject: `model ${id}: big.bin`, message: expect.stringContaining('sha256') },
  ])
})

test('a missing git object is found, and then no ref is touched', async () => {
  const { id, storageId, gitDir } = await make('hole')
  const { oid } = (await hub.hub.ops.catalog.rows.refs.get(storageId, 'refs/heads/main'))!
  await rm(join(gitDir, 'objects', oid.slice(0, 2), oid.slice(2)))
  expect(await problemsOf(id, { repair: true })).toContainEqual({
    subject: `model ${id}: refs/heads/main`,
    message: `the object ${oid} is missing`,
    state: 'problem',
  })
  expect((await readFile(join(gitDir, 'refs/heads/main'), 'utf8')).trim()).toBe(oid)
})

test('only an administrator may ask', async () => {
  const request = post({ resource: 'hub', verb: 'fsck', args: {} })
  await expectRefusal(await hub.fetch('alice', '/api/admin', request), 'Forbidden')
})
