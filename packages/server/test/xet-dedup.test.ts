/** What an uploading client is told of chunks that its domain has: xet.md §8. */
import { parseXetHash, protectHash, rawXetHash } from '@cairn/protocol/xet/hash'
import { formatShard, parseShard, SHARD_FOOTER_BYTES, type Shard } from '@cairn/protocol/xet/shard'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { nativePrimitives } from '../src/primitives.ts'
import { commit, createRepo } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { expectRefusal } from './refusal.ts'
import {
  casAccess,
  CHUNK_BYTES,
  fileOver,
  firstChunk,
  makeXetFile,
  postBytes,
  uploadXet,
  xetLine,
  type XetFile,
} from './xet-client.ts'

const ID = 'alice/versions'
const WEEK_MS = 7 * 24 * 3600_000

let now = Date.UTC(2026, 0, 1)
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock: () => now })
  await createRepo(hub, 'alice', ID)
})
afterAll(() => hub[Symbol.asyncDispose]())

async function land(path: string, made: XetFile): Promise<void> {
  now += 1000
  await uploadXet(await casAccess(hub, 'alice', ID, 'write'), made)
  await commit(hub, 'alice', ID, [xetLine(path, made)])
  // Paths are noted by a job.
  await expect.poll(() => hub.hub.ops.catalog.rows.outbox.count(), { timeout: 25_000 }).toBe(0)
}

async function ask(made: XetFile): Promise<{ key: Buffer; shard: Shard; xorbs: string[] }> {
  const cas = await casAccess(hub, 'alice', ID, 'write')
  const answer = await cas.fetch(`/v1/chunks/default-merkledb/${firstChunk(made)}`)
  expect(answer.status).toBe(200)
  const bytes = Buffer.from(await answer.arrayBuffer())
  const key = bytes.subarray(bytes.length - SHARD_FOOTER_BYTES + 72).subarray(0, 32)
  const shard = parseShard(bytes)
  return { key, shard, xorbs: shard.xorbs.map(({ hash }) => hash) }
}

/** Who holds an old reply finds a chunk of theirs in it by the reply's own key. */
function knows({ key, shard }: { key: Uint8Array; shard: Shard }, made: XetFile): boolean {
  const wanted = protectHash(nativePrimitives, key, rawXetHash(parseXetHash(firstChunk(made))))
  return shard.xorbs.some(({ chunks }) => Buffer.from(chunks).includes(Buffer.from(wanted)))
}

test('an old version leads to what came later to its path, and to nothing of other paths', async () => {
  const [first, second, third, other] = [51, 52, 53, 54].map((seed) => makeXetFile(seed)) as [
    XetFile,
    XetFile,
    XetFile,
    XetFile,
  ]
  await land('model.bin', first)
  await land('other.bin', other)
  await land('model.bin', second)
  await land('model.bin', third)
  expect((await ask(first)).xorbs).toEqual([first.xorb.hash, third.xorb.hash, second.xorb.hash])
  expect((await ask(second)).xorbs).toEqual([second.xorb.hash, third.xorb.hash])
  expect((await ask(third)).xorbs).toEqual([third.xorb.hash])
  expect((await ask(other)).xorbs).toEqual([other.xorb.hash])
})

test('a reply of an earlier epoch does no harm', async () => {
  const made = makeXetFile(55)
  await land('epoch.bin', made)
  const old = await ask(made)
  now += WEEK_MS
  const fresh = await ask(made)
  expect(fresh.key.equals(old.key)).toBe(false)
  expect([knows(old, made), knows(fresh, made)]).toEqual([true, true])
  expect(knows({ ...old, key: fresh.key }, made)).toBe(false)

  // By the old one a client builds upon the xorb without sending it.
  const cas = await casAccess(hub, 'alice', ID, 'write')
  const edited = (chunkEnd: number): Shard => {
    const content = made.content.subarray(0, chunkEnd * CHUNK_BYTES)
    return { files: [fileOver(content, [{ xorb: made.xorb, chunkStart: 0, chunkEnd }])], xorbs: [] }
  }
  const accepted = await cas.fetch('/v1/shards', postBytes(formatShard(edited(2))))
  expect(await accepted.json()).toEqual({ result: 1 })

  // And when the xorb is one that the hub does not have any more, it is told which.
  const gone = makeXetFile(56)
  const stale: Shard = {
    files: [
      fileOver(Buffer.concat([made.content, gone.content]), [
        { xorb: made.xorb, chunkStart: 0, chunkEnd: 3 },
        { xorb: gone.xorb, chunkStart: 0, chunkEnd: 3 },
      ]),
    ],
    xorbs: [],
  }
  await expectUnchanged(hub, async () => {
    const refused = await cas.fetch('/v1/shards', postBytes(formatShard(stale)))
    const text = await refused.clone().text()
    await expectRefusal(refused, 'BadRequest')
    expect(text).toContain(gone.xorb.hash)
  })
})
