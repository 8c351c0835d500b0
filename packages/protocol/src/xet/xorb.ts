/**
 * A xorb: serialized chunks one after the other, perhaps followed by a footer that begins with ASCII `XETBLOB`
 * where a chunk header would stand. Old clients send the footer; nothing in it is needed, so it is dropped.
 * Chunk headers are chunk.ts's; whether the contents have the promised hashes is for whoever decodes them.
 */
import { FormatError } from '../errors.ts'
import { XET_XORB_CHUNKS_MAX, XET_XORB_MAX_BYTES } from '../limits.ts'
import type { Primitives } from '../primitives.ts'
import { type ChunkTableEntry, encodeChunkTable } from './chunk-table.ts'
import {
  CHUNK_HEADER_BYTES,
  type ChunkHeader,
  type ChunkScheme,
  decodeChunkHeader,
  encodeChunk,
} from './chunk.ts'
import { chunkHash, type XetHash } from './hash.ts'
import { createXorbHash } from './tree-hash.ts'

const FOOTER_MAGIC = new TextEncoder().encode('XETBLOB')

export interface XorbChunk {
  header: ChunkHeader
  /** Where the chunk ends in the xorb; the next one begins there. */
  physicalEnd: number
}

export interface XorbParser {
  /** The footer has begun: nothing that comes now is kept. */
  readonly isOver: boolean
  /** Takes the next bytes and returns the chunks that end in them. Keeps no bytes but those of a cut header. */
  push(bytes: Uint8Array): XorbChunk[]
  /** Throws when the bytes ended within a chunk or there was none. */
  finish(): { chunkCount: number; storedBytes: number }
}

export function createXorbParser(): XorbParser {
  const headerBytes = new Uint8Array(CHUNK_HEADER_BYTES)
  let headerFill = 0
  let header: ChunkHeader | null = null
  let payloadLeft = 0
  let chunkCount = 0
  let storedBytes = 0
  let receivedBytes = 0
  let inFooter = false

  function takeHeader(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, CHUNK_HEADER_BYTES - headerFill)
    headerBytes.set(taken, headerFill)
    headerFill += taken.length
    if (headerFill < CHUNK_HEADER_BYTES) return taken.length
    headerFill = 0
    if (FOOTER_MAGIC.every((byte, index) => headerBytes[index] === byte)) {
      inFooter = true
      return taken.length
    }
    header = decodeChunkHeader(headerBytes, 0, storedBytes)
    if (chunkCount === XET_XORB_CHUNKS_MAX)
      throw new FormatError(`A xorb has at most ${XET_XORB_CHUNKS_MAX} chunks`, storedBytes)
    payloadLeft = header.payloadBytes
    return taken.length
  }

  return {
    get isOver() {
      return inFooter
    },
    push(bytes) {
      receivedBytes += bytes.length
      if (receivedBytes > XET_XORB_MAX_BYTES)
        throw new FormatError(`A xorb has at most ${XET_XORB_MAX_BYTES} bytes`, XET_XORB_MAX_BYTES)
      const chunks: XorbChunk[] = []
      for (let at = 0; at < bytes.length && !inFooter;) {
        if (header === null) {
          at += takeHeader(bytes.subarray(at, at + CHUNK_HEADER_BYTES))
          continue
        }
        const taken = Math.min(payloadLeft, bytes.length - at)
        payloadLeft -= taken
        at += taken
        if (payloadLeft > 0) break
        storedBytes += CHUNK_HEADER_BYTES + header.payloadBytes
        chunkCount++
        chunks.push({ header, physicalEnd: storedBytes })
        header = null
      }
      return chunks
    },
    finish() {
      if (headerFill > 0 || header !== null) throw new FormatError('Xorb ends within a chunk', receivedBytes)
      if (chunkCount === 0) throw new FormatError('A xorb has at least one chunk', 0)
      return { chunkCount, storedBytes }
    },
  }
}

/** Chunks that are tried together: the first one decides how the others are compressed. */
const SCHEME_RUN_CHUNKS = 32
/** Compressing must save this share, or readers would pay for nothing. */
const GAIN_MIN = 0.05

export interface EncodedXorb {
  hash: XetHash
  bytes: Uint8Array
  /** As in chunk-table.ts. */
  chunks: Uint8Array
}

export interface XorbEncoder {
  readonly chunkCount: number
  readonly rawBytes: number
  /** Takes the next chunk with its raw hash and returns what is to be stored of it. */
  add(raw: Uint8Array, hash: Uint8Array): Uint8Array
  finish(): Omit<EncodedXorb, 'bytes'>
}

/** Packs raw chunks as they come; the caller keeps to the limits of a xorb. */
export function createXorbEncoder(primitives: Primitives): XorbEncoder {
  const tree = createXorbHash(primitives)
  const entries: ChunkTableEntry[] = []
  let scheme: ChunkScheme = 'none'
  let physicalEnd = 0
  let rawEnd = 0
  return {
    get chunkCount() {
      return entries.length
    },
    get rawBytes() {
      return rawEnd
    },
    add(raw, hash) {
      if (entries.length % SCHEME_RUN_CHUNKS === 0) scheme = bestScheme(primitives, raw)
      const serialized = encodeChunk(primitives, raw, scheme)
      tree.add(hash, raw.length)
      physicalEnd += serialized.length
      rawEnd += raw.length
      entries.push({ hash, physicalEnd, rawEnd })
      return serialized
    },
    finish: () => ({ hash: tree.finish(), chunks: encodeChunkTable(entries) }),
  }
}

/** Packs raw chunks, which must fit one xorb. */
export function encodeXorb(primitives: Primitives, rawChunks: readonly Uint8Array[]): EncodedXorb {
  if (rawChunks.length < 1 || rawChunks.length > XET_XORB_CHUNKS_MAX)
    throw new RangeError(`A xorb has 1 to ${XET_XORB_CHUNKS_MAX} chunks`)
  const encoder = createXorbEncoder(primitives)
  const parts = rawChunks.map((raw) => encoder.add(raw, chunkHash(primitives, raw)))
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  if (bytes.length > XET_XORB_MAX_BYTES)
    throw new RangeError(`A xorb has at most ${XET_XORB_MAX_BYTES} bytes`)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return { ...encoder.finish(), bytes }
}

function bestScheme(primitives: Primitives, raw: Uint8Array): ChunkScheme {
  const tried = (['lz4', 'bg4-lz4'] as const).map((scheme) => ({
    scheme,
    sizeBytes: encodeChunk(primitives, raw, scheme).length,
  }))
  const best = tried.reduce((a, b) => (b.sizeBytes < a.sizeBytes ? b : a))
  return best.sizeBytes < raw.length * (1 - GAIN_MIN) ? best.scheme : 'none'
}
