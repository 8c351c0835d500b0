/** What nothing needs any more goes, late and only then: seen by a clock that is moved and by what is on the disk. */
import { readdir, stat, writeFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { formatShard } from '@cairn/protocol/xet/shard'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { lfsKey } from '../src/store/keys.ts'
import { batch, commit, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectRefusal, post } from './refusal.ts'
import { casAccess, makeXetFile, postBytes, uploadXet, xetLine, type XetFile } from './xet-client.ts'

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS

let now: number
let hub: TestHub
beforeEach(async () => {
  now = Date.now()
  hub = await startHub({ clock: () => now, env: { CAIRN_GC_INTERVAL_HOURS: '0' } })
})
afterEach(() => hub[Symbol.asyncDispose]())

interface Step {
  cursor: string | null
  findings: { subject: string; message: string; state: string }[]
  counts: Record<string, number>
}

/** One run; the sums of what it counted. */
async function gc(args: { dryRun?: boolean; graceHours?: number } = {}): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  let cursor: string | null = null
  do {
    const request = { resource: 'hub', verb: 'gc', args: { ...args, cursor } }
    const step = (await hub.hub.admin(request)) as Step
    expect(step.findings).toEqual([])
    for (const [name, count] of Object.entries(step.counts)) sums[name] = (sums[name] ?? 0) + count
    cursor = step.cursor
  } while (cursor !== null)
  return sums
}

/** A run on each day. */
async function gcDaily(days: number): Promise<Record<string, number>> {
  const sums: Record<string, number> = {}
  for (let day = 0; day < days; day++) {
    now += DAY_MS
    for (const [name, count] of Object.entries(await gc())) sums[name] = (sums[name] ?? 0) + count
  }
  return sums
}

async function storedBytes(): Promise<number> {
  let sum = 0
  const root = join(hub.dataDir, 'blobs')
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) sum += (await stat(join(entry.parentPath, entry.name))).size
  return sum
}

async function keys(): Promise<string[]> {
  const found: string[] = []
  for await (const { key } of hub.hub.ops.blobs.list('')) found.push(key.split('/')[0]!)
  return found
}

const download = async (id: string, path: string, revision = 'main'): Promise<Response> =>
  hub.fetch('alice', `/${id}/resolve/${revision}/${path}`)

async function expectContent(id: string, path: string, content: string | Uint8Array, revision = 'main') {
  const response = await download(id, path, revision)
  expect(response.status, `${id} ${path} ${revision}`).toBe(200)
  expect(sha256(new Uint8Array(await response.arrayBuffer()))).toBe(sha256(content))
}

async function fsckClean(): Promise<void> {
  const step = (await hub.hub.admin({ resource: 'hub', verb: 'fsck', args: { full: true } })) as Step
  expect(step.findings).toEqual([])
}

async function withXet(id: string, path: string, seed: number): Promise<XetFile> {
  const made = makeXetFile(seed)
  await uploadXet(await casAccess(hub, 'alice', id, 'write'), made)
  await commit(hub, 'alice', id, [xetLine(path, made)])
  return made
}

const deleteBranch = async (id: string, branch: string): Promise<void> => {
  const response = await hub.fetch('alice', `/api/models/${id}/branch/${branch}`, { method: 'DELETE' })
  expect(response.status).toBe(200)
}
const createBranch = (id: string, branch: string, startingPoint?: string): Promise<Response> =>
  hub.fetch('alice', `/api/models/${id}/branch/${branch}`, post({ startingPoint }))

describe('what is needed stays for good', () => {
  test('whatever names it: branches, tags, old commits, a deleted repository that can be restored', async () => {
    const id = await createRepo(hub, 'alice', 'alice/kept')
    for (const content of ['early', 'late', 'side', 'tagged']) await uploadLfs(hub, 'alice', id, content)
    const made = await withXet(id, 'xet.bin', 1)
    const early = await commit(hub, 'alice', id, [lfsFile('m.bin', 'early')])
    await commit(hub, 'alice', id, [lfsFile('m.bin', 'late')])
    expect((await createBranch(id, 'side')).status).toBe(200)
    await commit(hub, 'alice', id, [lfsFile('side.bin', 'side')], {}, 'side')
    await createBranch(id, 'gone')
    await commit(hub, 'alice', id, [lfsFile('t.bin', 'tagged')], {}, 'gone')
    await getJson(hub, 'alice', `/api/models/${id}/tag/gone`, post({ tag: 'v1' }))
    await deleteBranch(id, 'gone')

    expect(await gcDaily(60)).toEqual({})

    await expectContent(id, 'm.bin', 'late')
    await expectContent(id, 'm.bin', 'early', early)
    await expectContent(id, 'side.bin', 'side', 'side')
    await expectContent(id, 't.bin', 'tagged', 'v1')
    await expectContent(id, 'xet.bin', made.content)
    await fsckClean()

    await hub.hub.admin({ resource: 'repo', verb: 'delete', args: { namespace: 'alice', name: 'kept' } })
    now += 71 * HOUR_MS
    await gc({ graceHours: 0 })
    await hub.hub.admin({ resource: 'repo', verb: 'restore', args: { namespace: 'alice', name: 'kept' } })
    await expectContent(id, 'xet.bin', made.content)
    await fsckClean()
  })

  test('an upload has two days to commit, however short the grace', async () => {
    const id = await createRepo(hub, 'alice', 'alice/slow')
    const cas = await casAccess(hub, 'alice', id, 'write')
    const made = makeXetFile(2)
    await cas.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
    await uploadLfs(hub, 'alice', id, 'slow')
    now += 47 * HOUR_MS
    expect(await gc({ graceHours: 0 })).toEqual({})
    const again = await casAccess(hub, 'alice', id, 'write')
    expect((await again.fetch('/v1/shards', postBytes(formatShard(made.shard)))).status).toBe(200)
    now += 47 * HOUR_MS
    // Told that it is there already, a client counts on it.
    const { objects } = await batch(hub, 'alice', id, 'upload', [{ oid: sha256('slow'), size: 4 }])
    expect(objects[0]?.actions).toBeUndefined()
    expect(await gc({ graceHours: 0 })).toEqual({})
    await commit(hub, 'alice', id, [lfsFile('slow.bin', 'slow'), xetLine('x.bin', made)])
    now += 47 * HOUR_MS
    expect(await gc({ graceHours: 0 })).toEqual({})
    await expectContent(id, 'x.bin', made.content)
  })
})

describe('what nothing needs gives its bytes back', () => {
  test('of a deleted branch, as late as git forgets its commits and the grace ends', async () => {
    const id = await createRepo(hub, 'alice', 'alice/branches')
    const empty = await storedBytes()
    await createBranch(id, 'side')
    await uploadLfs(hub, 'alice', id, 'side')
    const head = await commit(hub, 'alice', id, [lfsFile('side.bin', 'side')], {}, 'side')
    await deleteBranch(id, 'side')
    await gcDaily(15)
    // Who deleted it by mistake brings it back with all its files.
    expect((await createBranch(id, 'side', head)).status).toBe(200)
    await gcDaily(3)
    await expectContent(id, 'side.bin', 'side', 'side')
    await deleteBranch(id, 'side')

    const before = await storedBytes()
    const counts = await gcDaily(15)
    expect(counts).toMatchObject({ 'links freed': 1, 'links freed bytes': 4 })
    expect(counts['lfs freed']).toBeUndefined()
    expect(await storedBytes()).toBe(before)
    expect(await gcDaily(28)).toMatchObject({ 'lfs freed': 1, 'lfs freed bytes': 4 })
    expect(await storedBytes()).toBe(empty)
    // Now it is too late, and that is said.
    await expectRefusal(await createBranch(id, 'side', head), 'BadRequest')
  })

  test('of a purge, and of a deleted repository after its own grace', async () => {
    const id = await createRepo(hub, 'alice', 'alice/purged')
    const empty = await storedBytes()
    await uploadLfs(hub, 'alice', id, 'secret')
    await commit(hub, 'alice', id, [lfsFile('secret.bin', 'secret')])
    const made = await withXet(id, 'x.bin', 3)
    const full = await storedBytes()
    const deletions = { sha: [sha256('secret')], rewriteHistory: true }
    await hub.fetch('alice', `/api/models/${id}/lfs-files/batch`, post({ deletions }))
    await gcDaily(31)
    expect(await storedBytes()).toBe(full - 'secret'.length)
    await expectContent(id, 'x.bin', made.content)

    await hub.fetch('alice', '/api/repos/delete', {
      ...post({ name: 'purged', organization: 'alice' }),
      method: 'DELETE',
    })
    now += 4 * DAY_MS
    const { purgeDue } = await import('../src/ops/deleted-repos.ts')
    await purgeDue(hub.hub.ops, 10)
    const counts = await gcDaily(37)
    expect(counts).toMatchObject({
      'files freed': 1,
      'xorbs freed': 1,
      'xorbs freed bytes': made.xorb.bytes.length,
      'shards freed': 1,
    })
    expect(await storedBytes()).toBe(empty)
    expect(await keys()).toEqual([])
  })

  test('a dry run tells and changes nothing; a short grace is for who has no time', async () => {
    const id = await createRepo(hub, 'alice', 'alice/hurry')
    await uploadLfs(hub, 'alice', id, 'never committed')
    const made = makeXetFile(4)
    await uploadXet(await casAccess(hub, 'alice', id, 'write'), made)
    now += 3 * DAY_MS
    const dry = await gc({ dryRun: true })
    expect(dry).toMatchObject({ 'links waiting': 2, 'links waiting bytes': 15 + made.content.length })
    expect(await gc({ dryRun: true, graceHours: 0 })).toMatchObject({ 'links freed': 2 })
    expect(await gc({ dryRun: true })).toEqual(dry)
    expect(await gc({ graceHours: 0 })).toMatchObject({
      'links freed': 2,
      'files freed': 1,
      'lfs freed': 1,
      'xorbs freed': 1,
    })
    // A shard says nothing when its xorbs are gone.
    expect(await gc({ graceHours: 0 })).toMatchObject({ 'shards freed': 1 })
    expect(await keys()).toEqual([])
  })

  test('of uploads in parts that were given up, and of what a crash left without a row', async () => {
    const { blobs } = hub.hub.ops
    const parts = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.from('part')
    }
    await blobs.parts.put('given-up-1', 1, parts(), 100)
    const stray = join(hub.dataDir, 'blobs', 'blobs', lfsKey('d0', 'ab'.repeat(32)))
    await mkdir(join(stray, '..'), { recursive: true })
    await writeFile(stray, 'left by a crash')
    now += DAY_MS
    expect(await gc()).toEqual({ 'lfs waiting': 1, 'lfs waiting bytes': 15 })
    now += 2 * DAY_MS
    expect(await gc()).toMatchObject({ 'parts freed': 1, 'parts freed bytes': 4 })
    expect(await gcDaily(28)).toMatchObject({ 'lfs freed': 1, 'lfs freed bytes': 15 })
    expect(await storedBytes()).toBe(0)
  })
})

describe('a doomed blob', () => {
  /** A repository, and a xorb and an object in its domain that nothing needs. */
  async function doom(): Promise<{ id: string; made: XetFile }> {
    const id = await createRepo(hub, 'alice', 'alice/doomed')
    const made = makeXetFile(5)
    await uploadXet(await casAccess(hub, 'alice', id, 'write'), made)
    await uploadLfs(hub, 'alice', id, 'doomed')
    const other = await createRepo(hub, 'alice', 'alice/other')
    const again = await casAccess(hub, 'alice', other, 'write')
    const { content, sha256: oid } = made
    await hub.fetch(
      'alice',
      `/api/models/${id}/lfs-files/batch`,
      post({ deletions: { sha: [oid, sha256('doomed')], rewriteHistory: false } }),
    )
    expect(content.length).toBeGreaterThan(0)
    expect(again.casUrl).not.toBe('')
    now += 3 * DAY_MS
    expect(await gc()).toMatchObject({ 'xorbs waiting': 1, 'lfs waiting': 1 })
    return { id: other, made }
  }

  test('is advertised to nobody', async () => {
    const id = await createRepo(hub, 'alice', 'alice/advertised')
    const made = makeXetFile(6)
    const cas = await casAccess(hub, 'alice', id, 'write')
    await uploadXet(cas, made)
    const first = Buffer.from(made.shard.xorbs[0]!.chunks.subarray(0, 32))
    const { formatXetHash } = await import('@cairn/protocol/xet/hash')
    const ask = async (): Promise<number> =>
      (await (await casAccess(hub, 'alice', id, 'write')).fetch(`/v1/chunks/default/${formatXetHash(first)}`))
        .status
    expect(await ask()).toBe(200)
    now += 3 * DAY_MS
    await gc()
    now += 15 * DAY_MS
    await gc()
    expect(await gc()).toMatchObject({ 'xorbs waiting': 1 })
    expect(await ask()).toBe(404)
    // Sent again it is there as if nothing had been.
    const again = await casAccess(hub, 'alice', id, 'write')
    const answer = await again.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
    expect(await answer.json()).toEqual({ was_inserted: false })
    expect(await ask()).toBe(200)
  })

  test('is pardoned by an upload that would have brought it, until the very end', async () => {
    const { id, made } = await doom()
    now += 27 * DAY_MS
    await uploadLfs(hub, 'alice', id, 'doomed')
    const cas = await casAccess(hub, 'alice', id, 'write')
    const xorb = await cas.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
    expect(await xorb.json()).toEqual({ was_inserted: false })
    now += DAY_MS
    expect(await gc({ graceHours: 0 })).toEqual({})
    const shard = await (
      await casAccess(hub, 'alice', id, 'write')
    ).fetch('/v1/shards', postBytes(formatShard(made.shard)))
    expect(shard.status).toBe(200)
    await commit(hub, 'alice', id, [lfsFile('d.bin', 'doomed'), xetLine('x.bin', made)])
    await gcDaily(40)
    await expectContent(id, 'd.bin', 'doomed')
    await expectContent(id, 'x.bin', made.content)
    await fsckClean()
  })

  test('that is gone is uploaded as for the first time, and a shard that counts on it is told', async () => {
    const { id, made } = await doom()
    await gcDaily(40)
    expect(await keys()).toEqual([])
    const cas = await casAccess(hub, 'alice', id, 'write')
    const early = await cas.fetch('/v1/shards', postBytes(formatShard(made.shard)))
    expect((await expectRefusal(early, 'BadRequest'))['error']).toContain(made.xorb.hash)
    await uploadXet(cas, made)
    await commit(hub, 'alice', id, [xetLine('x.bin', made)])
    await expectContent(id, 'x.bin', made.content)
  })
})

test('what a backup copies is not removed under its hands', async () => {
  const id = await createRepo(hub, 'alice', 'alice/copied')
  await uploadLfs(hub, 'alice', id, 'going')
  now += 3 * DAY_MS
  await hub.hub.ops.removals.close('backup', now + DAY_MS)
  expect(await gc({ graceHours: 0 })).toMatchObject({ 'lfs waiting': 1 })
  expect(await keys()).toEqual(['lfs'])
  hub.hub.ops.removals.open('backup')
  expect(await gc({ graceHours: 0 })).toMatchObject({ 'lfs freed': 1 })
  expect(await keys()).toEqual([])
})

test('a repository whose history cannot be read keeps everything, and that is said', async () => {
  const id = await createRepo(hub, 'alice', 'alice/broken')
  await uploadLfs(hub, 'alice', id, 'kept')
  await commit(hub, 'alice', id, [file('a.txt', 'a')])
  const row = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'broken')
  await hub.hub.ops.git.remove(row!.id)
  hub.hub.ops.caches.commits.clear()
  now += 60 * DAY_MS
  const step = (await hub.hub.admin({ resource: 'hub', verb: 'gc', args: { graceHours: 0 } })) as Step
  expect(step.findings[0]).toMatchObject({ state: 'problem', subject: 'model alice/broken' })
  const content = await hub.hub.ops.catalog.rows.blobs.contentOf(row!.id, [sha256('kept')])
  expect(content.size).toBe(1)
})
