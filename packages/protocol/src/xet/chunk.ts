/**
 * One serialized chunk: an 8-byte header and a payload (xet.md §4.1).
 *
 *   offset  bytes  meaning
 *        0      1  version, 0
 *        1      3  payload bytes, LE
 *        4      1  scheme: 0 as is, 1 LZ4 frame, 2 byte grouping and then LZ4 frame
 *        5      3  uncompressed bytes, LE
 */
import { FormatError } from '../errors.ts'
import { XET_CHUNK_COMPRESSED_MAX_BYTES, XET_CHUNK_MAX_BYTES } from '../limits.ts'
import type { Primitives } from '../primitives.ts'
import { groupBytes, ungroupBytes } from './byte-grouping.ts'
import { decodeLz4Frame } from './lz4-frame.ts'

export const CHUNK_HEADER_BYTES = 8

const SCHEMES = ['none', 'lz4', 'bg4-lz4'] as const
export type ChunkScheme = (typeof SCHEMES)[number]

export interface ChunkHeader {
  scheme: ChunkScheme
  payloadBytes: number
  rawBytes: number
}

/** Reads the header at `offset` of `bytes`. Errors count from `position`, where the header stands in its xorb. */
export function decodeChunkHeader(bytes: Uint8Array, offset: number, position: number = offset): ChunkHeader {
  if (offset + CHUNK_HEADER_BYTES > bytes.length) throw new FormatError('Chunk header is cut short', position)
  const u24 = (at: number): number => bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
  if (bytes[offset] !== 0) throw new FormatError('Unknown version of a chunk', position)
  const scheme = SCHEMES[bytes[offset + 4]!]
  if (scheme === undefined) throw new FormatError('Unknown compression scheme of a chunk', position + 4)
  const payloadBytes = u24(offset + 1)
  const rawBytes = u24(offset + 5)
  if (rawBytes < 1 || rawBytes > XET_CHUNK_MAX_BYTES)
    throw new FormatError(`A chunk has 1 to ${XET_CHUNK_MAX_BYTES} bytes`, position + 5)
  if (payloadBytes > XET_CHUNK_COMPRESSED_MAX_BYTES)
    throw new FormatError(
      `A chunk's payload has at most ${XET_CHUNK_COMPRESSED_MAX_BYTES} bytes`,
      position + 1,
    )
  // Clients store a chunk as is when compressing does not pay, so a longer payload is an attack on our memory.
  if (scheme === 'none' ? payloadBytes !== rawBytes : payloadBytes >= rawBytes)
    throw new FormatError('Payload and content of a chunk do not fit each other', position + 1)
  return { scheme, payloadBytes, rawBytes }
}

export interface SerializedChunk {
  header: ChunkHeader
  payload: Uint8Array
  /** Where the header stands in the run. */
  at: number
}

/** The chunks of which a run consists. `position` is where the run stands in its xorb, for errors. */
export function* splitChunks(run: Uint8Array, position: number): Generator<SerializedChunk> {
  for (let at = 0; at < run.length;) {
    const header = decodeChunkHeader(run, at, position + at)
    const payloadAt = at + CHUNK_HEADER_BYTES
    const end = payloadAt + header.payloadBytes
    if (end > run.length) throw new FormatError('Payload of a chunk is cut short', position + run.length)
    yield { header, payload: run.subarray(payloadAt, end), at }
    at = end
  }
}

/** Where grouped bytes lie on their way. */
const grouped = new Uint8Array(XET_CHUNK_MAX_BYTES)

/**
 * The uncompressed bytes: those of scheme `none` are the payload itself, others are written to the beginning of `room`,
 * which holds at least `rawBytes`. Errors count from `position`, where the run stands.
 */
export function decodeChunk(
  { header, payload, at }: SerializedChunk,
  room: Uint8Array,
  position: number,
): Uint8Array {
  const { scheme, rawBytes } = header
  if (scheme === 'none') return payload
  const raw = room.subarray(0, rawBytes)
  const payloadAt = position + at + CHUNK_HEADER_BYTES
  if (scheme === 'lz4') decodeLz4Frame(payload, raw, payloadAt)
  else {
    const group = grouped.subarray(0, rawBytes)
    decodeLz4Frame(payload, group, payloadAt)
    ungroupBytes(group, raw)
  }
  return raw
}

/** A serialized chunk with the scheme asked for, or as is when that would not make it shorter. */
export function encodeChunk(primitives: Primitives, raw: Uint8Array, scheme: ChunkScheme): Uint8Array {
  if (raw.length < 1 || raw.length > XET_CHUNK_MAX_BYTES)
    throw new RangeError(`A chunk has 1 to ${XET_CHUNK_MAX_BYTES} bytes`)
  const compressed =
    scheme === 'none' ? raw : primitives.lz4FrameEncode(scheme === 'bg4-lz4' ? groupBytes(raw) : raw)
  const used: ChunkScheme = compressed.length < raw.length ? scheme : 'none'
  const payload = used === 'none' ? raw : compressed
  const bytes = new Uint8Array(CHUNK_HEADER_BYTES + payload.length)
  const view = new DataView(bytes.buffer)
  // Its fourth byte is zero and gives way to the scheme.
  view.setUint32(1, payload.length, true)
  bytes[4] = SCHEMES.indexOf(used)
  bytes[5] = raw.length & 0xff
  bytes[6] = (raw.length >> 8) & 0xff
  bytes[7] = raw.length >> 16
  bytes.set(payload, CHUNK_HEADER_BYTES)
  return bytes
}
