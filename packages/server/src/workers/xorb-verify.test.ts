import { FormatError } from '@cairn/protocol/errors'
import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import type { XetHash } from '@cairn/protocol/xet/hash'
import { encodeXorb } from '@cairn/protocol/xet/xorb'
import { type ContentRecipe, generateContent } from '@cairn/testkit/xet-content'
import { expect, it } from 'vitest'

import { nativePrimitives } from '../primitives.ts'
import { XorbPool } from './xorb-pool.ts'
import { decodeChunks, verifyXorb } from './xorb-verify.ts'
import type { XorbJob } from './xorb-worker.ts'

const RECIPES: ContentRecipe['recipe'][] = ['random', 'floats', 'csv', 'constant']
const RAW = Array.from({ length: 64 }, (_, i) =>
  generateContent({ recipe: RECIPES[i >> 4]!, seed: i + 1, sizeBytes: 60_000 + i }),
)
const XORB = encodeXorb(nativePrimitives, RAW)

async function* pieces(bytes: Uint8Array, pieceBytes = 65_536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

async function verify(pool: XorbPool, bytes: Uint8Array, hash: XetHash = XORB.hash) {
  const stored: Buffer[] = []
  const verified = await verifyXorb(pool, pieces(bytes), hash, async (part) => {
    stored.push(Buffer.from(part))
  })
  return { verified, stored: Buffer.concat(stored) }
}

it('stores an upload without its footer and knows its chunks', async () => {
  await using pool = new XorbPool(2)
  const { verified, stored } = await verify(
    pool,
    Buffer.concat([XORB.bytes, Buffer.from('XETBLOB\u0001footer')]),
  )
  expect(stored.equals(XORB.bytes)).toBe(true)
  expect(Buffer.from(verified.chunks).equals(XORB.chunks)).toBe(true)
  expect(verified).toMatchObject({ chunkCount: 64, storedBytes: XORB.bytes.length })
})

it('refuses another hash, rotten bytes and a cut upload', async () => {
  await using pool = new XorbPool(2)
  const rotten = Uint8Array.from(XORB.bytes)
  rotten[rotten.length >> 1]! ^= 0x40
  await expect(verify(pool, XORB.bytes, 'f'.repeat(64) as XetHash)).rejects.toThrow(FormatError)
  await expect(verify(pool, rotten)).rejects.toThrow(FormatError)
  await expect(verify(pool, XORB.bytes.subarray(0, -1))).rejects.toThrow(FormatError)
})

it('reads no further ahead than its batches while the store is slow', async () => {
  await using pool = new XorbPool(1)
  let given = 0
  let stored = 0
  let aheadMax = 0
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces(XORB.bytes)) {
      given += piece.length
      aheadMax = Math.max(aheadMax, given - stored)
      yield piece
    }
  }
  await verifyXorb(pool, source(), XORB.hash, async (part) => {
    const { length } = part
    await new Promise((resolve) => setTimeout(resolve, 5))
    stored += length
  })
  expect(aheadMax).toBeLessThan(4 * 640 * 1024)
})

it.each([
  [0, 1],
  [0, 64],
])('decodes chunks %i to %i and notices rot in them', async (start, end) => {
  await using pool = new XorbPool(1)
  const table = decodeChunkTable(XORB.chunks)
  const serialized = XORB.bytes.slice(table.physicalStart(start), table.physicalStart(end))
  const hashes = table.hashes(start, end)
  const raw = await decodeChunks(pool, serialized.slice(), hashes)
  expect(Buffer.concat(RAW.slice(start, end)).equals(raw)).toBe(true)
  await expect(decodeChunks(pool, serialized.slice(), hashes.subarray(32))).rejects.toThrow(FormatError)
  serialized[100]! ^= 1
  await expect(decodeChunks(pool, serialized, hashes)).rejects.toThrow(FormatError)
})

it('fails the job of a worker that dies and replaces the worker', async () => {
  await using pool = new XorbPool(1)
  const broken = { kind: 'decode', serialized: new Uint8Array(0), position: 0 } as unknown as XorbJob
  await expect(pool.run(broken)).rejects.toThrow(/ended in the middle/)
  expect((await verify(pool, XORB.bytes)).stored.equals(XORB.bytes)).toBe(true)
})

it('rejects what waits when it is closed', async () => {
  const pool = new XorbPool(1)
  const job = (): XorbJob => ({ kind: 'hash', serialized: Uint8Array.from(XORB.bytes), position: 0 })
  const jobs = Promise.allSettled([pool.run(job()), pool.run(job())])
  await pool[Symbol.asyncDispose]()
  expect((await jobs).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
})
