/** What a worker does with a run of serialized chunks; also called in place when the run is too short for a hop. */
import { FormatError } from '@cairn/protocol/errors'
import { CHUNK_HEADER_BYTES, decodeChunk, decodeChunkHeader } from '@cairn/protocol/xet/chunk'
import { chunkHash, XET_HASH_BYTES } from '@cairn/protocol/xet/hash'

import { nativePrimitives } from '../primitives.ts'

/** Raw hashes of the chunks' contents, one after the other. `position` is where the run lies in its xorb, for errors. */
export function hashChunks(serialized: Uint8Array, position: number): Uint8Array {
  const hashes: Uint8Array[] = []
  for (const chunk of eachChunk(serialized, position)) hashes.push(chunkHash(nativePrimitives, chunk.raw))
  return concat(hashes, hashes.length * XET_HASH_BYTES)
}

/** The decoded run. Throws unless it has exactly the chunks with these raw hashes. */
export function decodeChunks(
  serialized: Uint8Array,
  expectedHashes: Uint8Array,
  position: number,
): Uint8Array {
  const parts: Uint8Array[] = []
  let rawBytes = 0
  for (const { raw, at } of eachChunk(serialized, position)) {
    const from = parts.length * XET_HASH_BYTES
    const expected = expectedHashes.subarray(from, from + XET_HASH_BYTES)
    if (Buffer.compare(chunkHash(nativePrimitives, raw), expected) !== 0)
      throw new FormatError('Chunk has another hash than it should have', position + at)
    parts.push(raw)
    rawBytes += raw.length
  }
  if (parts.length * XET_HASH_BYTES !== expectedHashes.length)
    throw new FormatError('Chunks are missing', position + serialized.length)
  return concat(parts, rawBytes)
}

function* eachChunk(serialized: Uint8Array, position: number): Generator<{ raw: Uint8Array; at: number }> {
  for (let at = 0; at < serialized.length;) {
    const header = decodeChunkHeader(serialized, at, position + at)
    const payloadAt = at + CHUNK_HEADER_BYTES
    const end = payloadAt + header.payloadBytes
    const raw = decodeChunk(
      nativePrimitives,
      header,
      serialized.subarray(payloadAt, end),
      position + payloadAt,
    )
    yield { raw, at }
    at = end
  }
}

/** Into memory of its own, which unlike that of native modules can move between threads. */
function concat(parts: readonly Uint8Array[], sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}
