/** What a worker does with a run of serialized chunks; also called in place when the run is too short for a hop. */
import { FormatError } from '@cairn/protocol/errors'
import { XET_CHUNK_MAX_BYTES } from '@cairn/protocol/limits'
import { decodeChunk, splitChunks } from '@cairn/protocol/xet/chunk'
import { chunkHash, XET_HASH_BYTES } from '@cairn/protocol/xet/hash'

import { nativePrimitives } from '../primitives.ts'

/** Where chunks are decoded that are only hashed. */
const scratch = new Uint8Array(XET_CHUNK_MAX_BYTES)

/** Raw hashes of the chunks' contents, one after the other. `position` is where the run lies in its xorb, for errors. */
export function hashChunks(serialized: Uint8Array, position: number): Uint8Array<ArrayBuffer> {
  const hashes = Array.from(splitChunks(serialized, position), (chunk) =>
    chunkHash(nativePrimitives, decodeChunk(chunk, scratch, position)),
  )
  // Memory of its own, which unlike that of native modules can move between threads.
  const bytes = new Uint8Array(hashes.length * XET_HASH_BYTES)
  hashes.forEach((hash, index) => bytes.set(hash, index * XET_HASH_BYTES))
  return bytes
}

/** Throws unless these are the contents of chunks with these raw hashes, one after the other. */
export function checkChunks(raw: Uint8Array, lengths: readonly number[], expectedHashes: Uint8Array): void {
  let at = 0
  lengths.forEach((length, index) => {
    const hash = chunkHash(nativePrimitives, raw.subarray(at, at + length))
    const expected = expectedHashes.subarray(index * XET_HASH_BYTES, (index + 1) * XET_HASH_BYTES)
    if (Buffer.compare(hash, expected) !== 0)
      throw new FormatError('Chunk has another hash than it should have', at)
    at += length
  })
}

/** Fills `into` with the decoded run. Throws unless it has exactly the chunks with these raw hashes. */
export function decodeChunks(
  serialized: Uint8Array,
  expectedHashes: Uint8Array,
  into: Uint8Array,
  position: number,
): void {
  let filledBytes = 0
  let hashAt = 0
  for (const chunk of splitChunks(serialized, position)) {
    const room = into.subarray(filledBytes)
    if (chunk.header.rawBytes > room.length)
      throw new FormatError('Chunks hold more than they should', position + chunk.at)
    const raw = decodeChunk(chunk, room, position)
    const expected = expectedHashes.subarray(hashAt, hashAt + XET_HASH_BYTES)
    if (Buffer.compare(chunkHash(nativePrimitives, raw), expected) !== 0)
      throw new FormatError('Chunk has another hash than it should have', position + chunk.at)
    if (chunk.header.scheme === 'none') room.set(raw)
    filledBytes += raw.length
    hashAt += XET_HASH_BYTES
  }
  if (hashAt !== expectedHashes.length || filledBytes !== into.length)
    throw new FormatError('Chunks are missing', position + serialized.length)
}
