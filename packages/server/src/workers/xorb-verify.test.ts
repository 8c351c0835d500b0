import { FormatError } from '@cairn/protocol/errors'
import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import type { XetHash } from '@cairn/protocol/xet/hash'
import { encodeXorb } from '@cairn/protocol/xet/xorb'
import { type ContentRecipe, generateContent } from '@cairn/testkit/xet-content'
import { expect, it } from 'vitest'

import { XORB_BATCH_BYTES } from '../limits.ts'
import { nativePrimitives } from '../primitives.ts'
import { XorbPool } from './xorb-pool.ts'
import { checkChunks, decodeChunks, verifyXorb } from './xorb-verify.ts'
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

it.each([13, 5_000_000])(
  'stores an upload without its footer of %i bytes, and knows its chunks',
  async (n) => {
    await using pool = new XorbPool(2)
    const footer = Buffer.alloc(n, 'XETBLOB\u0001')
    const { verified, stored } = await verify(pool, Buffer.concat([XORB.bytes, footer]))
    expect(stored.equals(XORB.bytes)).toBe(true)
    expect(Buffer.from(verified.chunks).equals(XORB.chunks)).toBe(true)
    expect(verified).toMatchObject({ chunkCount: 64, storedBytes: XORB.bytes.length })
  },
)

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
  const chunk = generateContent({ recipe: 'random', seed: 9, sizeBytes: 100_000 })
  const long = encodeXorb(
    nativePrimitives,
    Array.from({ length: 100 }, () => chunk),
  )
  let given = 0
  let stored = 0
  let aheadMax = 0
  async function* source(): AsyncGenerator<Uint8Array> {
    for await (const piece of pieces(long.bytes)) {
      given += piece.length
      aheadMax = Math.max(aheadMax, given - stored)
      yield piece
    }
  }
  await verifyXorb(pool, source(), long.hash, async (part) => {
    const { length } = part
    await new Promise((resolve) => setTimeout(resolve, 5))
    stored += length
  })
  expect(given).toBeGreaterThan(8 * XORB_BATCH_BYTES)
  expect(aheadMax).toBeLessThan(5 * XORB_BATCH_BYTES)
})

it.each([
  [0, 1],
  [8, 24],
  [40, 56],
])('decodes chunks %i to %i and notices rot in them', async (start, end) => {
  await using pool = new XorbPool(1)
  const table = decodeChunkTable(XORB.chunks)
  const serialized = XORB.bytes.slice(table.physicalStart(start), table.physicalStart(end))
  const run = {
    chunkHashes: table.hashes(start, end),
    rawBytes: table.rawStart(end) - table.rawStart(start),
  }
  const decode = (expected: typeof run) => {
    const buffer = pool.memory(serialized.length)
    buffer.set(serialized)
    return decodeChunks(pool, buffer, expected)
  }
  expect(Buffer.concat(RAW.slice(start, end)).equals(await decode(run))).toBe(true)
  await expect(decode({ ...run, chunkHashes: run.chunkHashes.subarray(32) })).rejects.toThrow(FormatError)
  await expect(decode({ ...run, rawBytes: run.rawBytes - 1 })).rejects.toThrow(FormatError)
  await expect(decode({ ...run, rawBytes: run.rawBytes + 1 })).rejects.toThrow(FormatError)
  serialized[100]! ^= 1
  await expect(decode(run)).rejects.toThrow(FormatError)
})

it.each([[3], [40]])('checks %i chunks that lie there decoded, and notices rot in them', async (count) => {
  await using pool = new XorbPool(1)
  const chunks = RAW.slice(0, count)
  const expected = {
    chunkHashes: decodeChunkTable(XORB.chunks).hashes(0, count),
    chunkLengths: chunks.map(({ length }) => length),
  }
  const raw = Buffer.concat(chunks)
  expect(raw.equals(await checkChunks(pool, Uint8Array.from(raw), expected))).toBe(true)
  raw[raw.length - 1]! ^= 1
  await expect(checkChunks(pool, Uint8Array.from(raw), expected)).rejects.toThrow(FormatError)
})

it('fails the job of a worker that dies and replaces the worker', async () => {
  await using pool = new XorbPool(1)
  const [serialized, into] = [new Uint8Array(0), new Uint8Array(0)]
  const broken = { kind: 'decode', serialized, into, position: 0 } as unknown as XorbJob
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
