/**
 * A xorb on its way in, and chunks on their way out. Whatever an upload holds, four batches of it are in memory at most;
 * the source is read no faster than the bytes are verified and stored.
 */
import { FormatError } from '@cairn/protocol/errors'
import { type ChunkTableEntry, encodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import { XET_HASH_BYTES, type XetHash } from '@cairn/protocol/xet/hash'
import { createXorbHash } from '@cairn/protocol/xet/tree-hash'
import { createXorbParser, type XorbChunk } from '@cairn/protocol/xet/xorb'

import {
  XORB_BATCH_BYTES,
  XORB_BATCH_RAW_BYTES,
  XORB_BATCHES_IN_FLIGHT_MAX,
  XORB_INLINE_CHUNKS_MAX,
} from '../limits.ts'
import { nativePrimitives } from '../primitives.ts'
import { checkChunks as checkInline, decodeChunks as decodeInline } from './xorb-batch.ts'
import type { XorbPool, XorbResult } from './xorb-pool.ts'

export interface VerifiedXorb {
  chunkCount: number
  rawBytes: number
  /** Without a footer. */
  storedBytes: number
  /** 40 bytes a chunk, as in the catalog's `XorbRow.chunks`. */
  chunks: Uint8Array
}

/**
 * Verifies a xorb as it arrives and hands the bytes to keep to `store`, in order and without a footer; a buffer is
 * valid until the promise settles. Stored bytes may be used only after this function has returned: it rejects with
 * FormatError when the whole is not what `expectedHash` names. The source's iterator is closed on refusal.
 */
export async function verifyXorb(
  pool: XorbPool,
  source: AsyncIterable<Uint8Array>,
  expectedHash: XetHash,
  store: (serialized: Uint8Array) => Promise<void>,
): Promise<VerifiedXorb> {
  const parser = createXorbParser()
  const hash = createXorbHash(nativePrimitives)
  const entries: ChunkTableEntry[] = []
  const inFlight: { chunks: XorbChunk[]; result: Promise<XorbResult> }[] = []
  let storing = Promise.resolve()
  let filling = pool.buffers.take()
  let filledBytes = 0
  /** Where `filling` begins in the xorb. */
  let position = 0
  let batch: XorbChunk[] = []
  let batchRawBytes = 0
  let rawBytes = 0

  /** What has come of the chunk after the last whole one goes on in memory of its own. */
  async function send(): Promise<void> {
    if (inFlight.length === XORB_BATCHES_IN_FLIGHT_MAX) await settleOldest()
    const batchBytes = batch.at(-1)!.physicalEnd - position
    const next = pool.buffers.take()
    next.set(filling.subarray(batchBytes, filledBytes))
    const result = pool.run({ kind: 'hash', serialized: filling.subarray(0, batchBytes), position })
    // A failure is met when its turn comes; until then it must not count as unhandled.
    result.catch(() => {})
    inFlight.push({ chunks: batch, result })
    filling = next
    filledBytes -= batchBytes
    position += batchBytes
    batch = []
    batchRawBytes = 0
  }

  async function settleOldest(): Promise<void> {
    const { chunks, result } = inFlight.shift()!
    const { bytes: hashes, serialized } = await result
    chunks.forEach(({ header, physicalEnd }, index) => {
      const raw = hashes.subarray(index * XET_HASH_BYTES, (index + 1) * XET_HASH_BYTES)
      hash.add(raw, header.rawBytes)
      rawBytes += header.rawBytes
      entries.push({ hash: raw, physicalEnd, rawEnd: rawBytes })
    })
    // One write at a time, beside reading and hashing what follows.
    await storing
    storing = store(serialized).then(() => pool.buffers.give(serialized))
    storing.catch(() => {})
  }

  try {
    for await (const piece of source)
      for (let at = 0; at < piece.length;) {
        const taken = parser.isOver
          ? piece.subarray(at)
          : piece.subarray(at, at + filling.length - filledBytes)
        at += taken.length
        if (!parser.isOver) {
          filling.set(taken, filledBytes)
          filledBytes += taken.length
        }
        for (const chunk of parser.push(taken)) {
          batch.push(chunk)
          batchRawBytes += chunk.header.rawBytes
          if (chunk.physicalEnd - position >= XORB_BATCH_BYTES || batchRawBytes >= XORB_BATCH_RAW_BYTES)
            await send()
        }
      }
    const { chunkCount, storedBytes } = parser.finish()
    if (batch.length > 0) await send()
    while (inFlight.length > 0) await settleOldest()
    await storing
    const actual = hash.finish()
    if (actual !== expectedHash) throw new FormatError(`The xorb has the hash ${actual}`, 0)
    return { chunkCount, rawBytes, storedBytes, chunks: encodeChunkTable(entries) }
  } finally {
    pool.buffers.give(filling)
  }
}

/**
 * The content of a run of stored chunks, verified against their raw hashes: FormatError means that the store has
 * rotted. `serialized`, from `pool.memory`, is used up; what comes back is the receiver's to give back.
 */
export async function decodeChunks(
  pool: XorbPool,
  serialized: Uint8Array<ArrayBuffer>,
  { chunkHashes, rawBytes }: { chunkHashes: Uint8Array; rawBytes: number },
): Promise<Uint8Array<ArrayBuffer>> {
  const into = pool.memory(rawBytes)
  if (chunkHashes.length <= XORB_INLINE_CHUNKS_MAX * XET_HASH_BYTES) {
    decodeInline(serialized, chunkHashes, into, 0)
    pool.buffers.give(serialized)
    return into
  }
  const decoded = await pool.run({
    kind: 'decode',
    serialized,
    position: 0,
    expectedHashes: chunkHashes,
    into,
  })
  pool.buffers.give(decoded.serialized)
  return decoded.bytes
}

/** The same for contents that need no decoding: they are checked where they lie. */
export async function checkChunks(
  pool: XorbPool,
  raw: Uint8Array<ArrayBuffer>,
  { chunkHashes, chunkLengths }: { chunkHashes: Uint8Array; chunkLengths: readonly number[] },
): Promise<Uint8Array<ArrayBuffer>> {
  if (chunkLengths.length <= XORB_INLINE_CHUNKS_MAX) {
    checkInline(raw, chunkLengths, chunkHashes)
    return raw
  }
  const job = { kind: 'check', serialized: raw, lengths: chunkLengths, expectedHashes: chunkHashes } as const
  return (await pool.run(job)).serialized
}
