/**
 * Shards: file recipes and chunk lists of xorbs, as clients upload them (xet.md §5). Every record has 48 bytes, all
 * numbers are little-endian.
 *
 *   header   tag[32], u64 version 2, u64 footer bytes (0 or 200)
 *   file     hash[32], u32 flags, u32 terms, 8 unused; then its terms (terms.ts); then, flag 31, as many
 *            records verification hash[32], 16 unused; then, flag 30, sha256[32] in string-form order, 16 unused
 *   bookend  32 × ff, 16 × 00
 *   xorb     hash[32], u32 flags, u32 chunks, u32 raw bytes, u32 stored bytes (0 from hf_xet); then for each
 *            chunk: hash[32], u32 raw offset, u32 raw bytes, u32 flags, u32 unused
 *   bookend
 *
 * Look-up tables and a footer may follow; nothing in them is needed, so they are not read. Sections stay views of
 * the upload, because a shard of 64 MiB has more than a million records.
 */
import { FormatError } from '../errors.ts'
import { XET_CHUNK_MAX_BYTES, XET_SHARD_MAX_BYTES, XET_XORB_CHUNKS_MAX } from '../limits.ts'
import { formatXetHash, rawXetHash, type XetHash } from './hash.ts'
import { decodeTerm, TERM_BYTES } from './terms.ts'

export const SHARD_RECORD_BYTES = 48
export const SHARD_FOOTER_BYTES = 200
/** Of a chunk's flags: other uploads may be told about this chunk. */
const DEDUP_CANDIDATE = 0x8000_0000

const TAG = Uint8Array.of(
  ...new TextEncoder().encode('HFRepoMetaData'),
  0,
  85,
  105,
  103,
  69,
  106,
  123,
  129,
  87,
  131,
  165,
  189,
  217,
  92,
  205,
  209,
  74,
  169,
)
const VERSION = 2n
const HAS_VERIFICATION = 0x8000_0000
const HAS_SHA256 = 0x4000_0000

export interface ShardFile {
  hash: XetHash
  /** 48-byte records of terms.ts, each checked. */
  terms: Uint8Array
  /** Raw verification hashes, one a term, 32 bytes each. Null when the shard has none. */
  verification: Uint8Array | null
  /** Ordinary hex; what the uploader claims. */
  sha256: string | null
}

export interface ShardXorb {
  hash: XetHash
  /** 48-byte records, each checked; read them with `decodeShardChunk`. */
  chunks: Uint8Array
  /** 0 from clients that do not know it. */
  storedBytes: number
}

export interface ShardChunk {
  /** 32 raw bytes. */
  hash: Uint8Array
  rawBytes: number
  isDedupCandidate: boolean
}

export interface Shard {
  files: ShardFile[]
  xorbs: ShardXorb[]
}

export function parseShard(bytes: Uint8Array): Shard {
  if (bytes.length > XET_SHARD_MAX_BYTES)
    throw new FormatError(`A shard has at most ${XET_SHARD_MAX_BYTES} bytes`, XET_SHARD_MAX_BYTES)
  const cursor = createCursor(bytes)
  const header = cursor.take(1)
  if (!TAG.every((byte, index) => bytes[index] === byte)) throw new FormatError('Not a shard', 0)
  if (cursor.view.getBigUint64(header + 32, true) !== VERSION)
    throw new FormatError('Unknown version of a shard', 32)
  const footerBytes = cursor.view.getBigUint64(header + 40, true)
  if (footerBytes !== 0n && footerBytes !== BigInt(SHARD_FOOTER_BYTES))
    throw new FormatError('A shard has no footer or one of 200 bytes', 40)

  const files: ShardFile[] = []
  while (!cursor.takeBookend()) files.push(parseFile(cursor))
  const xorbs: ShardXorb[] = []
  while (!cursor.takeBookend()) xorbs.push(parseXorb(cursor))
  if (files.some((file) => file.verification !== null) && files.some((file) => file.verification === null))
    throw new FormatError('Some files of the shard have verification hashes and some have none', header)
  return { files, xorbs }
}

interface Cursor {
  bytes: Uint8Array
  view: DataView
  /** Steps over `records` and returns where they begin; throws when they are not all there. */
  take(this: void, records: number): number
  takeBookend(this: void): boolean
}

function createCursor(bytes: Uint8Array): Cursor {
  let at = 0
  function take(records: number): number {
    const from = at
    if (records * SHARD_RECORD_BYTES > bytes.length - at)
      throw new FormatError('Shard is cut short', bytes.length)
    at += records * SHARD_RECORD_BYTES
    return from
  }
  return {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.length),
    take,
    takeBookend() {
      const from = take(1)
      for (let i = 0; i < 32; i++)
        if (bytes[from + i] !== 0xff) {
          at = from
          return false
        }
      return true
    },
  }
}

function parseFile({ bytes, view, take }: Cursor): ShardFile {
  const header = take(1)
  const flags = view.getUint32(header + 32, true)
  const termCount = view.getUint32(header + 36, true)
  const termsAt = take(termCount)
  for (let term = 0; term < termCount; term++) decodeTerm(bytes, termsAt + term * TERM_BYTES)
  let verification: Uint8Array | null = null
  if ((flags & HAS_VERIFICATION) !== 0) {
    const from = take(termCount)
    verification = new Uint8Array(termCount * 32)
    for (let term = 0; term < termCount; term++) {
      const at = from + term * SHARD_RECORD_BYTES
      verification.set(bytes.subarray(at, at + 32), term * 32)
    }
  }
  return {
    hash: formatXetHash(bytes, header),
    terms: bytes.subarray(termsAt, termsAt + termCount * TERM_BYTES),
    verification,
    // The digest is stored like a Xet hash, so that its string form is the ordinary hex.
    sha256: (flags & HAS_SHA256) === 0 ? null : formatXetHash(bytes, take(1)),
  }
}

function parseXorb({ bytes, view, take }: Cursor): ShardXorb {
  const header = take(1)
  const chunkCount = view.getUint32(header + 36, true)
  if (chunkCount < 1 || chunkCount > XET_XORB_CHUNKS_MAX)
    throw new FormatError(`A xorb has 1 to ${XET_XORB_CHUNKS_MAX} chunks`, header + 36)
  const from = take(chunkCount)
  let rawEnd = 0
  for (let at = from; at < from + chunkCount * SHARD_RECORD_BYTES; at += SHARD_RECORD_BYTES) {
    const rawBytes = view.getUint32(at + 36, true)
    if (view.getUint32(at + 32, true) !== rawEnd)
      throw new FormatError('Chunk does not begin where the one before it ends', at + 32)
    if (rawBytes < 1 || rawBytes > XET_CHUNK_MAX_BYTES)
      throw new FormatError(`A chunk has 1 to ${XET_CHUNK_MAX_BYTES} bytes`, at + 36)
    rawEnd += rawBytes
  }
  if (view.getUint32(header + 40, true) !== rawEnd)
    throw new FormatError('Chunks of a xorb do not have the length that it declares', header + 40)
  return {
    hash: formatXetHash(bytes, header),
    chunks: bytes.subarray(from, from + chunkCount * SHARD_RECORD_BYTES),
    storedBytes: view.getUint32(header + 44, true),
  }
}

/** Chunk `index` of a xorb's records. */
export function decodeShardChunk(records: Uint8Array, index: number): ShardChunk {
  const at = index * SHARD_RECORD_BYTES
  const view = new DataView(records.buffer, records.byteOffset + at, SHARD_RECORD_BYTES)
  return {
    hash: records.subarray(at, at + 32),
    rawBytes: view.getUint32(36, true),
    isDedupCandidate: (view.getUint32(40, true) & DEDUP_CANDIDATE) !== 0,
  }
}

export function encodeShardChunks(chunks: readonly ShardChunk[]): Uint8Array {
  const records = new Uint8Array(chunks.length * SHARD_RECORD_BYTES)
  const view = new DataView(records.buffer)
  let rawEnd = 0
  chunks.forEach((chunk, index) => {
    const at = index * SHARD_RECORD_BYTES
    records.set(chunk.hash, at)
    view.setUint32(at + 32, rawEnd, true)
    view.setUint32(at + 36, chunk.rawBytes, true)
    view.setUint32(at + 40, chunk.isDedupCandidate ? DEDUP_CANDIDATE : 0, true)
    rawEnd += chunk.rawBytes
  })
  return records
}

/** A shard without footer, as hf_xet uploads it. `footerBytes` announces a footer that the caller appends. */
export function formatShard(shard: Shard, footerBytes: 0 | typeof SHARD_FOOTER_BYTES = 0): Uint8Array {
  const records =
    3 +
    shard.files.reduce((sum, file) => sum + fileRecords(file), 0) +
    shard.xorbs.reduce((sum, xorb) => sum + 1 + xorb.chunks.length / SHARD_RECORD_BYTES, 0)
  const bytes = new Uint8Array(records * SHARD_RECORD_BYTES)
  const view = new DataView(bytes.buffer)
  let at = 0
  function put(hash: Uint8Array, ...words: number[]): void {
    bytes.set(hash, at)
    words.forEach((word, index) => view.setUint32(at + 32 + 4 * index, word, true))
    at += SHARD_RECORD_BYTES
  }

  put(TAG, Number(VERSION), 0, footerBytes, 0)
  for (const file of shard.files) {
    const termCount = file.terms.length / TERM_BYTES
    const flags =
      (file.verification === null ? 0 : HAS_VERIFICATION) + (file.sha256 === null ? 0 : HAS_SHA256)
    put(rawXetHash(file.hash), flags, termCount)
    bytes.set(file.terms, at)
    at += file.terms.length
    if (file.verification !== null)
      for (let term = 0; term < termCount; term++) put(file.verification.subarray(term * 32, (term + 1) * 32))
    if (file.sha256 !== null) put(rawXetHash(file.sha256 as XetHash))
  }
  put(BOOKEND)
  for (const xorb of shard.xorbs) {
    const chunkCount = xorb.chunks.length / SHARD_RECORD_BYTES
    put(rawXetHash(xorb.hash), 0, chunkCount, rawBytesOf(xorb.chunks), xorb.storedBytes)
    bytes.set(xorb.chunks, at)
    at += xorb.chunks.length
  }
  put(BOOKEND)
  return bytes
}

const BOOKEND = new Uint8Array(32).fill(0xff)

function fileRecords(file: ShardFile): number {
  const termCount = file.terms.length / TERM_BYTES
  return 1 + termCount + (file.verification === null ? 0 : termCount) + (file.sha256 === null ? 0 : 1)
}

function rawBytesOf(chunks: Uint8Array): number {
  const last = new DataView(chunks.buffer, chunks.byteOffset + chunks.length - SHARD_RECORD_BYTES)
  return last.getUint32(32, true) + last.getUint32(36, true)
}
