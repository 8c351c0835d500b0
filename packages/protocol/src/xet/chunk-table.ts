/**
 * What the hub remembers of a stored xorb: for every chunk 40 bytes, as in the catalog's `XorbRow.chunks`.
 *
 *   offset  bytes  meaning
 *        0     32  raw chunk hash
 *       32      4  physical end: where the serialized chunk ends in the stored xorb, u32 LE
 *       36      4  raw end: uncompressed bytes up to and with this chunk, u32 LE
 */
import { FormatError } from '../errors.ts'
import { XET_CHUNK_MAX_BYTES, XET_XORB_CHUNKS_MAX, XET_XORB_MAX_BYTES } from '../limits.ts'
import { XET_HASH_BYTES } from './hash.ts'

const ENTRY_BYTES = 40

export interface ChunkTable {
  count: number
  /** Raw hash of chunk `index`, a view. */
  hash(index: number): Uint8Array
  /** Raw hashes of the chunks from `start` to before `end`, one after the other, a copy. */
  hashes(start: number, end: number): Uint8Array
  /** Where chunk `index` begins in the stored xorb; `count` gives the end of the last one. */
  physicalStart(index: number): number
  /** Uncompressed bytes before chunk `index`; `count` gives all. */
  rawStart(index: number): number
}

export interface ChunkTableEntry {
  /** 32 raw bytes. */
  hash: Uint8Array
  physicalEnd: number
  rawEnd: number
}

export function encodeChunkTable(entries: readonly ChunkTableEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * ENTRY_BYTES)
  const view = new DataView(bytes.buffer)
  entries.forEach((entry, index) => {
    bytes.set(entry.hash, index * ENTRY_BYTES)
    view.setUint32(index * ENTRY_BYTES + 32, entry.physicalEnd, true)
    view.setUint32(index * ENTRY_BYTES + 36, entry.rawEnd, true)
  })
  return bytes
}

/** Checks that both ends rise as chunks can make them rise, so that every range taken from the table lies inside. */
export function decodeChunkTable(bytes: Uint8Array): ChunkTable {
  const count = bytes.length / ENTRY_BYTES
  if (!Number.isInteger(count)) throw new FormatError('A chunk table has 40 bytes a chunk', bytes.length)
  if (count < 1 || count > XET_XORB_CHUNKS_MAX)
    throw new FormatError(`A xorb has 1 to ${XET_XORB_CHUNKS_MAX} chunks`, 0)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const end = (index: number, field: 32 | 36): number =>
    index === 0 ? 0 : view.getUint32((index - 1) * ENTRY_BYTES + field, true)
  for (let index = 0; index < count; index++) {
    const rawBytes = end(index + 1, 36) - end(index, 36)
    if (end(index + 1, 32) <= end(index, 32) || rawBytes < 1 || rawBytes > XET_CHUNK_MAX_BYTES)
      throw new FormatError(`Chunk ${index} does not follow the one before it`, index * ENTRY_BYTES + 32)
  }
  if (end(count, 32) > XET_XORB_MAX_BYTES)
    throw new FormatError(`A xorb has at most ${XET_XORB_MAX_BYTES} bytes`, (count - 1) * ENTRY_BYTES + 32)

  const hash = (index: number): Uint8Array =>
    bytes.subarray(index * ENTRY_BYTES, index * ENTRY_BYTES + XET_HASH_BYTES)
  return {
    count,
    hash,
    hashes(start, stop) {
      const hashes = new Uint8Array((stop - start) * XET_HASH_BYTES)
      for (let index = start; index < stop; index++) hashes.set(hash(index), (index - start) * XET_HASH_BYTES)
      return hashes
    },
    physicalStart: (index) => end(index, 32),
    rawStart: (index) => end(index, 36),
  }
}
