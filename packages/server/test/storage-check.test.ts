/** Rot and losses on disk are found, named with the files that need them, and mended as far as that goes. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { formatXetHash } from '@cairn/protocol/xet/hash'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { Scrub } from '../src/ops/scrub.ts'
import type { Finding, WorkStep } from '../src/ops/work-step.ts'
import type { BlobKey } from '../src/store/blobs/blob-store.ts'
import { lfsKey, xorbKey } from '../src/store/keys.ts'
import { commit, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { post } from './refusal.ts'
import { casAccess, makeXetFile, uploadXet, xetLine, type XetFile } from './xet-client.ts'

let hub: TestHub
let now = 1_700_000_000_000
beforeEach(async () => {
  hub = await startHub({ clock: () => now })
})
afterEach(() => hub[Symbol.asyncDispose]())

async function work(verb: string, args: object = {}): Promise<Finding[]> {
  const findings: Finding[] = []
  let cursor: string | null = null
  do {
    const request = post({ resource: 'hub', verb, args: { ...args, cursor } })
    const step: WorkStep = await getJson<WorkStep>(hub, 'root', '/api/admin', request)
    findings.push(...step.findings)
    cursor = step.cursor
  } while (cursor !== null)
  return findings
}

const problems = (found: Finding[]): Finding[] => found.filter(({ state }) => state === 'problem')
const pathOf = (key: BlobKey): string => join(hub.dataDir, 'blobs/blobs', key)

async function flip(key: BlobKey): Promise<Buffer> {
  const sound = await readFile(pathOf(key))
  const rotten = Buffer.from(sound)
  rotten[rotten.length >> 1]! ^= 1
  await writeFile(pathOf(key), rotten)
  return sound
}

const CONTENT = 'weights of one'

/** A repository with a small, an LFS and a Xet file. */
async function makeRepo(): Promise<{ id: string; xet: XetFile; lfs: BlobKey; xorb: BlobKey }> {
  const id = await createRepo(hub, 'alice', 'alice/one')
  const xet = makeXetFile(7)
  await uploadLfs(hub, 'alice', id, CONTENT)
  await uploadXet(await casAccess(hub, 'alice', id, 'write'), xet)
  await commit(hub, 'alice', id, [
    file('a.txt', 'text'),
    lfsFile('big.bin', CONTENT),
    xetLine('xet.bin', xet),
  ])
  const { domainId } = (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'one'))!
  return { id, xet, lfs: lfsKey(domainId, sha256(CONTENT)), xorb: xorbKey(domainId, xet.xorb.hash) }
}

const status = async (path: string): Promise<number> => {
  const answer = await hub.fetch('alice', path)
  await answer.arrayBuffer().catch(() => undefined)
  return answer.status
}

test('a sound hub has no problem, and a missing or short blob is one, with the paths that need it', async () => {
  const { lfs, xorb } = await makeRepo()
  expect(await work('fsck', { full: true })).toEqual([])
  expect(await work('verify')).toEqual([])
  await rm(pathOf(lfs))
  await writeFile(pathOf(xorb), (await readFile(pathOf(xorb))).subarray(1))
  const found = problems(await work('fsck'))
  const about = (key: string) => found.find(({ subject }) => subject === key)?.message
  expect(about(lfs)).toMatch(/missing.*needed by model alice\/one: big\.bin/)
  expect(about(xorb)).toMatch(/bytes instead of.*needed by model alice\/one: xet\.bin/)
})

test('what is on disk without a row is a note, and repair makes the row when the bytes are sound', async () => {
  const { lfs } = await makeRepo()
  const domainId = lfs.split('/')[1]!
  const orphan = lfsKey(domainId, sha256('orphan'))
  const stray = makeXetFile(8)
  const xorb = xorbKey(domainId, stray.xorb.hash)
  const rotten = lfsKey(domainId, sha256('something else'))
  for (const [key, bytes] of [
    [orphan, 'orphan'],
    [xorb, stray.xorb.bytes],
    [rotten, 'not that'],
  ] as const) {
    await mkdir(dirname(pathOf(key)), { recursive: true })
    await writeFile(pathOf(key), bytes)
  }
  const folder = join(hub.dataDir, 'repos/zz/nobodyzz.git')
  await mkdir(folder, { recursive: true })
  const states = (found: Finding[]) => found.map(({ subject, state }) => `${state} ${subject}`).toSorted()
  expect(states(await work('fsck'))).toEqual(
    [orphan, xorb, rotten, 'repository nobodyzz'].map((subject) => `note ${subject}`).toSorted(),
  )
  const repaired = states(await work('fsck', { repair: true }))
  expect(repaired).toContain(`repaired ${orphan}`)
  expect(repaired).toContain(`repaired ${xorb}`)
  expect(repaired).toContain(`note ${rotten}`)
  expect(states(await work('fsck'))).toEqual([`note ${rotten}`, 'note repository nobodyzz'])
  // Nothing was removed.
  expect(await readFile(pathOf(rotten), 'utf8')).toBe('not that')
})

test('rot is found by reading, remembered, no longer offered, and forgotten when the bytes are back', async () => {
  const { id, xet, lfs, xorb } = await makeRepo()
  const chunk = `/v1/chunks/default-merkledb/${formatXetHash(xet.shard.xorbs[0]!.chunks.subarray(0, 32))}`
  const soundLfs = await flip(lfs)
  const soundXorb = await flip(xorb)
  expect(problems(await work('fsck'))).toEqual([])
  const found = await work('verify', { bytesPerSecond: 10_000_000 })
  expect(found.map(({ subject }) => subject).toSorted()).toEqual([lfs, xorb].toSorted())
  expect(found.every(({ message }) => /needed by model alice\/one: (big|xet)\.bin/.test(message))).toBe(true)
  expect(problems(await work('fsck'))).toHaveLength(2)
  const { rows } = hub.hub.ops.catalog
  expect(await rows.damage.count()).toBe(2)
  const cas = await casAccess(hub, 'alice', id, 'write')
  expect((await cas.fetch(chunk)).status).toBe(404)
  await writeFile(pathOf(lfs), soundLfs)
  await writeFile(pathOf(xorb), soundXorb)
  expect(await work('fsck')).toEqual([])
  expect(await rows.damage.count()).toBe(0)
})

test('what is given up is uploaded again by the clients that have it', async () => {
  const { id, xet, lfs, xorb } = await makeRepo()
  await flip(lfs)
  await rm(pathOf(xorb))
  await work('verify')
  const found = await work('fsck', { repair: true, dropDamaged: true })
  expect(
    found.filter(({ subject }) => [lfs, xorb].includes(subject as BlobKey)).map(({ state }) => state),
  ).toEqual(['repaired', 'repaired'])
  expect(await status(`/${id}/resolve/main/big.bin`)).not.toBe(200)
  await uploadLfs(hub, 'alice', id, CONTENT)
  await uploadXet(await casAccess(hub, 'alice', id, 'write'), xet)
  expect(await work('fsck', { full: true })).toEqual([])
  expect(await status(`/${id}/resolve/main/big.bin`)).toBe(200)
  expect(await status(`/${id}/resolve/main/xet.bin`)).toBe(200)
})

test('the slow pass reads each blob once, goes on after a restart, and tells what it finds', async () => {
  const { lfs } = await makeRepo()
  await flip(lfs)
  const DAY = 24 * 3600_000
  const { ops } = hub.hub
  const first = new Scrub(ops, DAY)
  const pause = await first.next()
  expect(await ops.catalog.rows.damage.list(null, 10)).toMatchObject([{ key: lfs }])
  expect(pause).toBeGreaterThan(0)
  now += 60_000
  const second = new Scrub(ops, DAY)
  await second.next()
  now += 60_000
  await second.next()
  expect((await ops.catalog.rows.damage.scrub())?.after).not.toBe(lfs)
  // All is read: it rests until the day is over.
  expect(await second.next()).toBe(3600_000)
  now += DAY
  expect(await second.next()).toBe(0)
  await second.next()
  expect(await ops.catalog.rows.damage.scrub()).toMatchObject({ startedAt: now })
})

test('only administrators may ask', async () => {
  for (const verb of ['verify', 'rebuild-index', 'fsck'])
    expect((await hub.fetch('alice', '/api/admin', post({ resource: 'hub', verb, args: {} }))).status).toBe(
      403,
    )
})
