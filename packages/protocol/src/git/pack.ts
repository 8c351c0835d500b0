/**
 * Packs without deltas (gitformat-pack). Who writes the file compresses, hashes and counts; here are the bytes.
 *
 *   pack   "PACK" version(4)=2 count(4) { entry header, zlib stream }* sha1(20)
 *   entry  1 type(3) size(4) then 7 bits of size a byte, lowest first, while the top bit is set
 *   index  ff 74 4f 63 version(4)=2 fanout(256×4) oids(n×20) crc32(n×4) offset(n×4) far offset(m×8)
 *          sha1 of the pack(20) sha1 of the index(20)
 *
 * A blob of 20 bytes has the entry header b4 01. An offset of 2 GiB or more is 0x80000000 + its place in `far`.
 */
import type { Primitives } from '../primitives.ts'
import { type GitObjectType, oidFromBytes, writeOid } from './objects.ts'

const TYPE_CODES = { commit: 1, tree: 2, blob: 3, tag: 4 } as const satisfies Record<GitObjectType, number>
const FAR_OFFSET = 0x8000_0000
const OID_BYTES = 20

export interface PackedEntry {
  oid: string
  /** Of the entry header and the zlib stream. */
  crc32: number
  offset: number
}

export function encodePackHeader(objectCount: number): Uint8Array {
  const bytes = new Uint8Array(12)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x5041434b)
  view.setUint32(4, 2)
  view.setUint32(8, objectCount)
  return bytes
}

export function encodeEntryHeader(type: GitObjectType, sizeBytes: number): Uint8Array {
  const bytes: number[] = []
  let byte = (TYPE_CODES[type] << 4) | (sizeBytes & 0x0f)
  // Division, not a shift: sizes may exceed 32 bits.
  for (let rest = Math.floor(sizeBytes / 16); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.push(byte | 0x80)
    byte = rest % 128
  }
  bytes.push(byte)
  return Uint8Array.from(bytes)
}

/** `packSha1` is the trailer of the pack. The oids must differ. */
export function encodePackIndex(
  primitives: Pick<Primitives, 'sha1'>,
  entries: readonly PackedEntry[],
  packSha1: Uint8Array,
): Uint8Array {
  const sorted = entries.toSorted((a, b) => (a.oid < b.oid ? -1 : 1))
  const count = sorted.length
  const farCount = sorted.filter((entry) => entry.offset >= FAR_OFFSET).length
  const oidsAt = 8 + 256 * 4
  const crcsAt = oidsAt + count * OID_BYTES
  const offsetsAt = crcsAt + count * 4
  const farAt = offsetsAt + count * 4
  const packSha1At = farAt + farCount * 8
  const bytes = new Uint8Array(packSha1At + 2 * OID_BYTES)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0xff744f63)
  view.setUint32(4, 2)
  const fanout = new Uint32Array(256)
  let far = 0
  for (const [index, entry] of sorted.entries()) {
    writeOid(entry.oid, bytes, oidsAt + index * OID_BYTES)
    fanout[bytes[oidsAt + index * OID_BYTES]!]! += 1
    view.setUint32(crcsAt + index * 4, entry.crc32)
    if (entry.offset < FAR_OFFSET) {
      view.setUint32(offsetsAt + index * 4, entry.offset)
    } else {
      view.setUint32(offsetsAt + index * 4, FAR_OFFSET + far)
      view.setBigUint64(farAt + far * 8, BigInt(entry.offset))
      far += 1
    }
  }
  let total = 0
  for (const [byte, n] of fanout.entries()) view.setUint32(8 + byte * 4, (total += n))
  bytes.set(packSha1, packSha1At)
  bytes.set(primitives.sha1(bytes.subarray(0, packSha1At + OID_BYTES)), packSha1At + OID_BYTES)
  return bytes
}

/** The name under which git looks for a pack: `pack-<hex>.pack` beside `pack-<hex>.idx`. */
export function packName(packSha1: Uint8Array): string {
  return `pack-${oidFromBytes(packSha1, 0)}`
}
