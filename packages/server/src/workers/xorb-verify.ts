/**
 * A xorb on its way in, and chunks on their way out. Whatever an upload holds, three batches of it are in memory at
 * most; the source is read no faster than the bytes are verified and stored.
 */
import { FormatError } from '@cairn/protocol/errors'
import { type ChunkTableEntry, encodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import { XET_HASH_BYTES, type XetHash } from '@cairn/protocol/xet/hash'
import { createXorbHash } from '@cairn/protocol/xet/tree-hash'
import { createXorbParser, type XorbChunk } from '@cairn/protocol/xet/xorb'

import { free } from '../free.ts'
import {
  XORB_BATCH_BYTES,
  XORB_BATCH_RAW_BYTES,
  XORB_BATCHES_IN_FLIGHT_MAX,
  XORB_INLINE_CHUNKS_MAX,
} from '../limits.ts'
import { nativePrimitives } from '../primitives.ts'
import { decodeChunks as decodeInline } from './xorb-batch.ts'
import type { XorbPool, XorbResult } from './xorb-pool.ts'

export interface VerifiedXorb {
  chunkCount: number
  rawBytes: number
  /** Without a footer. */
  storedBytes: number
  /** 40 bytes a chunk, as in the catalog's `XorbRow.chunks`. */
  chunks: Uint8Array
}

interface ChunkEnd {
  rawBytes: number
  physicalEnd: number
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
  const inFlight: { ends: ChunkEnd[]; result: Promise<XorbResult> }[] = []
  let batch: XorbChunk[] = []
  let batchBytes = 0
  let batchRawBytes = 0
  let position = 0
  let rawBytes = 0

  function send(): void {
    const serialized = new Uint8Array(batchBytes)
    let at = 0
    for (const chunk of batch) {
      serialized.set(chunk.serialized, at)
      at += chunk.serialized.length
    }
    const result = pool.run({ kind: 'hash', serialized, position })
    // A failure is met when its turn comes; until then it must not count as unhandled.
    result.catch(() => {})
    const ends = batch.map(({ header, physicalEnd }) => ({ rawBytes: header.rawBytes, physicalEnd }))
    inFlight.push({ ends, result })
    position += batchBytes
    batch = []
    batchBytes = 0
    batchRawBytes = 0
  }

  async function settleOldest(): Promise<void> {
    const oldest = inFlight.shift()!
    const { bytes: hashes, serialized } = await oldest.result
    oldest.ends.forEach((chunk, index) => {
      const raw = hashes.subarray(index * XET_HASH_BYTES, (index + 1) * XET_HASH_BYTES)
      hash.add(raw, chunk.rawBytes)
      rawBytes += chunk.rawBytes
      entries.push({ hash: raw, physicalEnd: chunk.physicalEnd, rawEnd: rawBytes })
    })
    await store(serialized)
    free(serialized)
  }

  for await (const piece of source) {
    for (const chunk of parser.push(piece)) {
      batch.push(chunk)
      batchBytes += chunk.serialized.length
      batchRawBytes += chunk.header.rawBytes
      if (batchBytes < XORB_BATCH_BYTES && batchRawBytes < XORB_BATCH_RAW_BYTES) continue
      if (inFlight.length === XORB_BATCHES_IN_FLIGHT_MAX) await settleOldest()
      send()
    }
  }
  const { chunkCount, storedBytes } = parser.finish()
  if (batch.length > 0) send()
  while (inFlight.length > 0) await settleOldest()
  const actual = hash.finish()
  if (actual !== expectedHash) throw new FormatError(`The xorb has the hash ${actual}`, 0)
  return { chunkCount, rawBytes, storedBytes, chunks: encodeChunkTable(entries) }
}

/**
 * The content of a run of stored chunks, verified against their raw hashes: FormatError means that the store has
 * rotted. `serialized`, memory of its own, is used up.
 */
export async function decodeChunks(
  pool: XorbPool,
  serialized: Uint8Array<ArrayBuffer>,
  expectedHashes: Uint8Array,
): Promise<Uint8Array> {
  if (expectedHashes.length <= XORB_INLINE_CHUNKS_MAX * XET_HASH_BYTES)
    return decodeInline(serialized, expectedHashes, 0)
  const { bytes, serialized: back } = await pool.run({
    kind: 'decode',
    serialized,
    position: 0,
    expectedHashes,
  })
  free(back)
  return bytes
}
