/**
 * The hashes of Xet, all BLAKE3 keyed (xet.md §2). A hash is 32 raw bytes; its string form prints them as four
 * little-endian u64 in hex, so that raw 00 01 … 1f reads 0706050403020100 0f0e… 1f1e1d1c1b1a1918.
 */
import { FormatError } from '../errors.ts'
import type { Primitives } from '../primitives.ts'

/** 64 lower-case hex digits in the string form above. */
export type XetHash = string & { readonly __brand: 'XetHash' }

export const XET_HASH_BYTES = 32

const DATA_KEY = Uint8Array.of(
  102,
  151,
  245,
  119,
  91,
  149,
  80,
  222,
  49,
  53,
  203,
  172,
  165,
  151,
  24,
  28,
  157,
  228,
  33,
  16,
  155,
  235,
  43,
  88,
  180,
  208,
  176,
  75,
  147,
  173,
  242,
  41,
)
const VERIFICATION_KEY = Uint8Array.of(
  127,
  24,
  87,
  214,
  206,
  86,
  237,
  102,
  18,
  127,
  249,
  19,
  231,
  165,
  195,
  243,
  164,
  205,
  38,
  213,
  181,
  219,
  73,
  230,
  65,
  36,
  152,
  127,
  40,
  251,
  148,
  195,
)

/** The id of the file without chunks. */
export const ZERO_XET_HASH: XetHash = '0'.repeat(64) as XetHash

const HEX_BYTES = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The string form of the 32 raw bytes at `offset`. */
export function formatXetHash(raw: Uint8Array, offset = 0): XetHash {
  let text = ''
  for (let word = offset; word < offset + XET_HASH_BYTES; word += 8)
    for (let i = word + 7; i >= word; i--) text += HEX_BYTES[raw[i]!]!
  return text as XetHash
}

export function parseXetHash(text: string): XetHash {
  if (!/^[0-9a-f]{64}$/.test(text)) throw new FormatError('A Xet hash has 64 lower-case hex digits', 0)
  return text as XetHash
}

/** The 32 raw bytes of a hash. */
export function rawXetHash(hash: XetHash): Uint8Array {
  const raw = new Uint8Array(XET_HASH_BYTES)
  for (let i = 0; i < XET_HASH_BYTES; i++) raw[i ^ 7] = Number.parseInt(hash.slice(2 * i, 2 * i + 2), 16)
  return raw
}

/** Raw hash of a chunk's uncompressed bytes. */
export function chunkHash(primitives: Primitives, bytes: Uint8Array): Uint8Array {
  return primitives.blake3Keyed(DATA_KEY, bytes)
}

/** Proves that whoever names a range of a xorb knows its chunks; takes their raw hashes one after the other. */
export function verificationHash(primitives: Primitives, chunkHashes: Uint8Array): Uint8Array {
  return primitives.blake3Keyed(VERIFICATION_KEY, chunkHashes)
}

/** A hash under the key of a dedup reply («HMAC» in other texts). The zero key protects nothing: it changes nothing. */
export function protectHash(primitives: Primitives, key: Uint8Array, raw: Uint8Array): Uint8Array {
  return key.every((byte) => byte === 0) ? raw : primitives.blake3Keyed(key, raw)
}

/** Whether a chunk takes part in global deduplication by its hash alone; the first chunk of a file always does. */
export function isDedupEligible(raw: Uint8Array, offset = 0): boolean {
  return raw[offset + 24] === 0 && (raw[offset + 25]! & 3) === 0
}
