/** What nothing needs any more goes, late and only then: seen by a clock that is moved and by what is on the disk. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'

import { formatXetHash } from '@cairn/protocol/xet/hash'
import { formatShard } from '@cairn/protocol/xet/shard'
import { CountedCalls, faultyStore } from '@cairn/testkit/faults'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { collectStep } from '../../src/ops/collection/collect.ts'
import type { OpsContext } from '../../src/ops/context.ts'
import { purgeDue } from '../../src/ops/deleted-repos.ts'
import { removeOriginal, replaceObject } from '../../src/ops/xet/migrate.ts'
import { lfsKey } from '../../src/store/keys.ts'
import { batch, commit, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from '../client.ts'
import { expectRefusal, post } from '../refusal.ts'
import { casAccess, makeXetFile, postBytes, uploadXet, xetLine, type XetFile } from '../xet-client.ts'
import { DAY_MS, HOUR_MS, once, startGcHub, type GcHub, type Step } from './gc-hub.ts'

let t: GcHub
beforeEach(async () => {
  t = await startGcHub()
})
afterEach(() => t[Symbol.asyncDispose]())

const deleteBranch = async (id: string, branch: string): Promise<void> => {
  const response = await t.hub.fetch('alice', `/api/models/${id}/branch/${branch}`, { method: 'DELETE' })
  expect(response.status).toBe(200)
}
const createBranch = (id: string, branch: string, startingPoint?: string): Promise<Response> =>
  t.hub.fetch('alice', `/api/models/${id}/branch/${branch}`, post({ startingPoint }))

describe('what is needed stays for good', () => {
  test('whatever names it: branches, tags, old commits, a deleted repository that can be restored', async () => {
    const id = await createRepo(t.hub, 'alice', 'alice/kept')
    for (const content of ['early', 'late', 'side', 'tagged']) await uploadLfs(t.hub, 'alice', id, content)
    const made = await t.withXet(id, 'xet.bin', 1)
    const early = await commit(t.hub, 'alice', id, [lfsFile('m.bin', 'early')])
    await commit(t.hub, 'alice', id, [lfsFile('m.bin', 'late')])
    expect((await createBranch(id, 'side')).status).toBe(200)
    await commit(t.hub, 'alice', id, [lfsFile('side.bin', 'side')], {}, 'side')
    await createBranch(id, 'gone')
    await commit(t.hub, 'alice', id, [lfsFile('t.bin', 'tagged')], {}, 'gone')
    await getJson(t.hub, 'alice', `/api/models/${id}/tag/gone`, post({ tag: 'v1' }))
    await deleteBranch(id, 'gone')

    expect(await t.gcDaily(60)).toEqual({})

    await t.expectContent(id, 'm.bin', 'late')
    await t.expectContent(id, 'm.bin', 'early', early)
    await t.expectContent(id, 'side.bin', 'side', 'side')
    await t.expectContent(id, 't.bin', 'tagged', 'v1')
    await t.expectContent(id, 'xet.bin', made.content)
    await t.expectWhole()

    await t.hub.hub.admin({ resource: 'repo', verb: 'delete', args: { namespace: 'alice', name: 'kept' } })
    t.now += 71 * HOUR_MS
    await t.gc({ graceHours: 0 })
    await t.hub.hub.admin({ resource: 'repo', verb: 'restore', args: { namespace: 'alice', name: 'kept' } })
    await t.expectContent(id, 'xet.bin', made.content)
    await t.expectWhole()
  })

  test('an upload has two days to commit, however short the grace', async () => {
    const id = await createRepo(t.hub, 'alice', 'alice/slow')
    const cas = await casAccess(t.hub, 'alice', id, 'write')
    const made = makeXetFile(2)
    await cas.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
    await uploadLfs(t.hub, 'alice', id, 'slow')
    t.now += 47 * HOUR_MS
    expect(await t.gc({ graceHours: 0 })).toEqual({})
    const again = await casAccess(t.hub, 'alice', id, 'write')
    expect((await again.fetch('/v1/shards', postBytes(formatShard(made.shard)))).status).toBe(200)
    t.now += 47 * HOUR_MS
    // Told that it is there already, a client counts on it.
    const { objects } = await batch(t.hub, 'alice', id, 'upload', [{ oid: sha256('slow'), size: 4 }])
    expect(objects[0]?.actions).toBeUndefined()
    expect(await t.gc({ graceHours: 0 })).toEqual({})
    await commit(t.hub, 'alice', id, [lfsFile('slow.bin', 'slow'), xetLine('x.bin', made)])
    t.now += 47 * HOUR_MS
    expect(await t.gc({ graceHours: 0 })).toEqual({})
    await t.expectContent(id, 'x.bin', made.content)
  })
})

describe('what nothing needs gives its bytes back', () => {
  test('of a deleted branch, as late as git forgets its commits and the grace ends', async () => {
    const id = await createRepo(t.hub, 'alice', 'alice/branches')
    const empty = await t.storedBytes()
    await createBranch(id, 'side')
    await uploadLfs(t.hub, 'alice', id, 'side')
    const head = await commit(t.hub, 'alice', id, [lfsFile('side.bin', 'side')], {}, 'side')
    await deleteBranch(id, 'side')
    await t.gcDaily(15)
    // Who deleted it by mistake brings it back with all its files.
    expect((await createBranch(id, 'side', head)).status).toBe(200)
    await t.gcDaily(3)
    await t.expectContent(id, 'side.bin', 'side', 'side')
    await deleteBranch(id, 'side')

    const before = await t.storedBytes()
    const counts = await t.gcDaily(15)
    expect(counts).toMatchObject({ 'links freed': 1, 'links freed bytes': 4 })
    expect(counts['lfs freed']).toBeUndefined()
    expect(await t.storedBytes()).toBe(before)
    expect(await t.gcDaily(28)).toMatchObject({ 'lfs freed': 1, 'lfs freed bytes': 4 })
    expect(await t.storedBytes()).toBe(empty)
    // Now it is too late, and that is said.
    await expectRefusal(await createBranch(id, 'side', head), 'BadRequest')
  })

  test('of a purge, and of a deleted repository after its own grace', async () => {
    const id = await createRepo(t.hub, 'alice', 'alice/purged')
    const empty = await t.storedBytes()
    await uploadLfs(t.hub, 'alice', id, 'secret')
    await commit(t.hub, 'alice', id, [lfsFile('secret.bin', 'secret')])
    const made = await t.withXet(id, 'x.bin', 3)
    const full = await t.storedBytes()
    const deletions = { sha: [sha256('secret')], rewriteHistory: true }
    await t.hub.fetch('alice', `/api/models/${id}/lfs-files/batch`, post({ deletions }))
    await t.gcDaily(31)
    expect(await t.storedBytes()).toBe(full - 'secret'.length)
    await t.expectContent(id, 'x.bin', made.content)

    await t.hub.fetch('alice', '/api/repos/delete', {
      ...post({ name: 'purged', organization: 'alice' }),
      method: 'DELETE',
    })
    t.now += 4 * DAY_MS
    await purgeDue(t.hub.hub.ops, 10)
    const counts = await t.gcDaily(37)
    expect(counts).toMatchObject({
      'files freed': 1,
      'xorbs freed': 1,
      'xorbs freed bytes': made.xorb.bytes.length,
      'shards freed': 1,
    })
    expect(await t.storedBytes()).toBe(empty)
    expect(await t.kinds()).toEqual([])
  })

  test('a dry run tells and changes nothing; a short grace is for who has no time', async () => {
    const id = await createRepo(t.hub, 'alice', 'alice/hurry')
    await uploadLfs(t.hub, 'alice', id, 'never committed')
    const made = makeXetFile(4)
    await uploadXet(await casAccess(t.hub, 'alice', id, 'write'), made)
    t.now += 3 * DAY_MS
    const dry = await t.gc({ dryRun: true })
    expect(dry).toMatchObject({ 'links waiting': 2, 'links waiting bytes': 15 + made.content.length })
    expect(await t.gc({ dryRun: true, graceHours: 0 })).toMatchObject({ 'links freed': 2 })
    expect(await t.gc({ dryRun: true })).toEqual(dry)
    expect(await t.gc({ graceHours: 0 })).toMatchObject({
      'links freed': 2,
      'files freed': 1,
      'lfs freed': 1,
      'xorbs freed': 1,
    })
    // A shard says nothing when its xorbs are gone.
    expect(await t.gc({ graceHours: 0 })).toMatchObject({ 'shards freed': 1 })
    expect(await t.kinds()).toEqual([])
  })

  test('of uploads in parts that were given up, and of what a crash left without a row', async () => {
    const { blobs } = t.hub.hub.ops
    await blobs.parts.put('given-up-1', 1, once('part'), 100)
    const stray = join(t.hub.dataDir, 'blobs', 'blobs', lfsKey('d0', 'ab'.repeat(32)))
    await mkdir(join(stray, '..'), { recursive: true })
    await writeFile(stray, 'left by a crash')
    t.now += DAY_MS
    expect(await t.gc()).toEqual({ 'lfs waiting': 1, 'lfs waiting bytes': 15 })
    t.now += 2 * DAY_MS
    expect(await t.gc()).toMatchObject({ 'parts freed': 1, 'parts freed bytes': 4 })
    expect(await t.gcDaily(28)).toMatchObject({ 'lfs freed': 1, 'lfs freed bytes': 15 })
    expect(await t.storedBytes()).toBe(0)
  })
})

describe('a doomed blob', () => {
  /** A new repository, and a xorb and an object in its domain that nothing needs. */
  async function doom(): Promise<{ id: string; made: XetFile }> {
    const id = await createRepo(t.hub, 'alice', 'alice/doomed')
    const made = makeXetFile(5)
    await uploadXet(await casAccess(t.hub, 'alice', id, 'write'), made)
    await uploadLfs(t.hub, 'alice', id, 'doomed')
    const deletions = { sha: [made.sha256, sha256('doomed')], rewriteHistory: false }
    await t.hub.fetch('alice', `/api/models/${id}/lfs-files/batch`, post({ deletions }))
    t.now += 3 * DAY_MS
    expect(await t.gc()).toMatchObject({ 'xorbs waiting': 1, 'lfs waiting': 1 })
    return { id: await createRepo(t.hub, 'alice', 'alice/other'), made }
  }

  test('is advertised to nobody', async () => {
    const id = await createRepo(t.hub, 'alice', 'alice/advertised')
    const made = makeXetFile(6)
    const cas = await casAccess(t.hub, 'alice', id, 'write')
    await uploadXet(cas, made)
    const first = Buffer.from(made.shard.xorbs[0]!.chunks.subarray(0, 32))
    const ask = async (): Promise<number> =>
      (
        await (
          await casAccess(t.hub, 'alice', id, 'write')
        ).fetch(`/v1/chunks/default/${formatXetHash(first)}`)
      ).status
    expect(await ask()).toBe(200)
    t.now += 3 * DAY_MS
    await t.gc()
    t.now += 15 * DAY_MS
    await t.gc()
    expect(await t.gc()).toMatchObject({ 'xorbs waiting': 1 })
    expect(await ask()).toBe(404)
    // Sent again it is there as if nothing had been.
    const again = await casAccess(t.hub, 'alice', id, 'write')
    const answer = await again.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
    expect(await answer.json()).toEqual({ was_inserted: false })
    expect(await ask()).toBe(200)
  })

  test('is pardoned by an upload that would have brought it, until the very end', async () => {
    const { id, made } = await doom()
    t.now += 27 * DAY_MS
    await uploadLfs(t.hub, 'alice', id, 'doomed')
    const cas = await casAccess(t.hub, 'alice', id, 'write')
    const xorb = await cas.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
    expect(await xorb.json()).toEqual({ was_inserted: false })
    t.now += DAY_MS
    expect(await t.gc({ graceHours: 0 })).toEqual({})
    const shard = await (
      await casAccess(t.hub, 'alice', id, 'write')
    ).fetch('/v1/shards', postBytes(formatShard(made.shard)))
    expect(shard.status).toBe(200)
    await commit(t.hub, 'alice', id, [lfsFile('d.bin', 'doomed'), xetLine('x.bin', made)])
    await t.gcDaily(40)
    await t.expectContent(id, 'd.bin', 'doomed')
    await t.expectContent(id, 'x.bin', made.content)
    await t.expectWhole()
  })

  test('that is sent again while it is removed is there in the end', async () => {
    const { id, made } = await doom()
    const { ops } = t.hub.hub
    const uploads: Promise<unknown>[] = []
    // Rows are gone and bytes not yet: the worst moment.
    const slow: OpsContext['blobs'] = {
      ...faultyStore(ops.blobs, new CountedCalls({ failing: Infinity, timing: 'before' })),
      async delete(key) {
        if (uploads.length === 0) {
          uploads.push(uploadLfs(t.hub, 'alice', id, 'doomed'))
          const cas = await casAccess(t.hub, 'alice', id, 'write')
          uploads.push(cas.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes)))
          await setTimeout(200)
        }
        await ops.blobs.delete(key)
      },
    }
    let cursor: string | null = null
    do cursor = (await collectStep({ ...ops, blobs: slow }, { dryRun: false, graceMs: 0 }, cursor)).cursor
    while (cursor !== null)
    expect(await Promise.all(uploads)).toHaveLength(2)
    const cas = await casAccess(t.hub, 'alice', id, 'write')
    expect((await cas.fetch('/v1/shards', postBytes(formatShard(made.shard)))).status).toBe(200)
    await commit(t.hub, 'alice', id, [lfsFile('d.bin', 'doomed'), xetLine('x.bin', made)])
    await t.expectContent(id, 'd.bin', 'doomed')
    await t.expectContent(id, 'x.bin', made.content)
    await t.expectWhole()
  })

  test('that is gone is uploaded as for the first time, and a shard that counts on it is told', async () => {
    const { id, made } = await doom()
    await t.gcDaily(40)
    expect(await t.kinds()).toEqual([])
    const cas = await casAccess(t.hub, 'alice', id, 'write')
    const early = await cas.fetch('/v1/shards', postBytes(formatShard(made.shard)))
    expect((await expectRefusal(early, 'BadRequest'))['error']).toContain(made.xorb.hash)
    await uploadXet(cas, made)
    await commit(t.hub, 'alice', id, [xetLine('x.bin', made)])
    await t.expectContent(id, 'x.bin', made.content)
  })
})

test('a branch that comes back while its repository is looked at keeps its files', async () => {
  const id = await createRepo(t.hub, 'alice', 'alice/back')
  await createBranch(id, 'side')
  await uploadLfs(t.hub, 'alice', id, 'side')
  const head = await commit(t.hub, 'alice', id, [lfsFile('side.bin', 'side')], {}, 'side')
  await deleteBranch(id, 'side')
  await t.gcDaily(3)
  const { ops } = t.hub.hub
  ops.caches.historyPointers.clear()
  let isBack = false
  const smallBlobs: typeof ops.git.smallBlobs = async (...args) => {
    const found = await ops.git.smallBlobs(...args)
    if (!isBack) expect((await createBranch(id, 'side', head)).status).toBe(200)
    isBack = true
    return found
  }
  const git = new Proxy(ops.git, {
    get: (store, name) => (name === 'smallBlobs' ? smallBlobs : Reflect.get(store, name)),
  })
  t.now += 20 * DAY_MS
  const step = await collectStep({ ...ops, git }, { dryRun: false, graceMs: 0 }, null)
  expect({ isBack, counts: step.counts }).toEqual({ isBack: true, counts: {} })
  await t.expectContent(id, 'side.bin', 'side', 'side')
})

test('an object that a Xet file replaced stays until that was read back, or nobody needs either', async () => {
  const { ops } = t.hub.hub
  const id = await createRepo(t.hub, 'alice', 'alice/migrated')
  const { domainId } = (await ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'migrated'))!
  for (const text of ['needed', 'not needed'].map((word) => word.repeat(200_000))) {
    await uploadLfs(t.hub, 'alice', id, text)
    expect(await replaceObject(ops, { domainId, oid: sha256(text) }, async () => {})).toBe('replaced')
  }
  const needed = 'needed'.repeat(200_000)
  await commit(t.hub, 'alice', id, [lfsFile('big.bin', needed)])
  t.now += 3 * DAY_MS
  expect(await t.gc({ graceHours: 0 })).toMatchObject({ 'links freed': 1, 'files freed': 1, 'lfs freed': 1 })
  await t.expectContent(id, 'big.bin', needed)
  const object = { domainId, oid: sha256(needed) }
  expect(await ops.catalog.rows.blobs.getLfs(domainId, object.oid)).not.toBeNull()
  expect(await removeOriginal(ops, object)).toBe('removed')
  expect((await t.kinds()).filter((kind) => kind === 'lfs')).toEqual([])
  await t.gc({ graceHours: 0 })
  await t.expectContent(id, 'big.bin', needed)
})

test('what a backup copies is not removed under its hands', async () => {
  const id = await createRepo(t.hub, 'alice', 'alice/copied')
  await uploadLfs(t.hub, 'alice', id, 'going')
  t.now += 3 * DAY_MS
  await t.hub.hub.ops.removals.close('backup', t.now + DAY_MS)
  expect(await t.gc({ graceHours: 0 })).toMatchObject({ 'lfs waiting': 1 })
  expect(await t.kinds()).toEqual(['lfs'])
  t.hub.hub.ops.removals.open('backup')
  expect(await t.gc({ graceHours: 0 })).toMatchObject({ 'lfs freed': 1 })
  expect(await t.kinds()).toEqual([])
})

test('a repository whose history cannot be read keeps everything, and that is said', async () => {
  const id = await createRepo(t.hub, 'alice', 'alice/broken')
  await uploadLfs(t.hub, 'alice', id, 'kept')
  await commit(t.hub, 'alice', id, [file('a.txt', 'a')])
  const row = await t.hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'broken')
  await t.hub.hub.ops.git.remove(row!.id)
  t.hub.hub.ops.caches.commits.clear()
  t.now += 60 * DAY_MS
  const step = (await t.hub.hub.admin({ resource: 'hub', verb: 'gc', args: { graceHours: 0 } })) as Step
  expect(step.findings[0]).toMatchObject({ state: 'problem', subject: 'model alice/broken' })
  const content = await t.hub.hub.ops.catalog.rows.blobs.contentOf(row!.id, [sha256('kept')])
  expect(content.size).toBe(1)
})
