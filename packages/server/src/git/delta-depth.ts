/**
 * How long the longest chain of deltas in a pack is. Read from the beginnings of its entries alone; git itself could
 * tell only by putting every object together, which for a long chain takes time by the square of its length.
 *
 *   entry   1 type(3) size(4), 7 bits of size a byte …     then, of type 6, how far back its base lies
 *                                                          (7 bits a byte, highest first, plus 1 for each further
 *                                                          byte), of type 7, the oid of its base
 *   index   header(8) fanout(256×4) oids(n×20) crc32(n×4) offsets(n×4) far offsets(m×8)
 */
import { type FileHandle, open, readFile } from 'node:fs/promises'

import { FormatError } from '@cairn/protocol/errors'

const WINDOW_BYTES = 64 * 1024
/** Type and size need ten bytes at most, a base twenty. */
const ENTRY_START_MAX_BYTES = 32
const FANOUT_AT = 8
const OIDS_AT = FANOUT_AT + 256 * 4
const OID_BYTES = 20
const FAR = 0x8000_0000
const NONE = -1

/** Length of the longest chain; one more than `limit` as soon as one is longer. */
export async function deepestDelta(packPath: string, limit: number): Promise<number> {
  const index = new PackIndex(await readFile(packPath.replace(/\.pack$/, '.idx')))
  await using pack = await open(packPath)
  return longestChain(await readBases(pack, index), limit)
}

class PackIndex {
  /** Of all entries, in the order in which they lie in the pack. */
  readonly offsets: Float64Array
  readonly #bytes: Buffer
  readonly #count: number

  constructor(bytes: Buffer) {
    this.#bytes = bytes
    this.#count = bytes.readUInt32BE(OIDS_AT - 4)
    this.offsets = new Float64Array(this.#count)
    for (let at = 0; at < this.#count; at += 1) this.offsets[at] = this.#offset(at)
    this.offsets.sort()
  }

  /** The place of the entry that begins there. */
  at(offset: number): number {
    let low = 0
    for (let high = this.#count; low < high;) {
      const middle = (low + high) >>> 1
      if (this.offsets[middle]! < offset) low = middle + 1
      else high = middle
    }
    if (this.offsets[low] !== offset) throw new FormatError('A delta has no base', offset)
    return low
  }

  of(oid: Buffer): number {
    const fanout = (byte: number) => (byte < 0 ? 0 : this.#bytes.readUInt32BE(FANOUT_AT + 4 * byte))
    let low = fanout(oid[0]! - 1)
    for (let high = fanout(oid[0]!); low < high;) {
      const middle = (low + high) >>> 1
      const from = OIDS_AT + middle * OID_BYTES
      const order = this.#bytes.compare(oid, 0, OID_BYTES, from, from + OID_BYTES)
      if (order === 0) return this.at(this.#offset(middle))
      if (order < 0) low = middle + 1
      else high = middle
    }
    throw new FormatError('A delta has no base', 0)
  }

  #offset(at: number): number {
    const near = this.#bytes.readUInt32BE(OIDS_AT + this.#count * (OID_BYTES + 4) + 4 * at)
    if (near < FAR) return near
    return Number(this.#bytes.readBigUInt64BE(OIDS_AT + this.#count * (OID_BYTES + 8) + 8 * (near - FAR)))
  }
}

/** For each entry the place of its base, or `NONE`. */
async function readBases(pack: FileHandle, index: PackIndex): Promise<Int32Array> {
  const { offsets } = index
  const bases = new Int32Array(offsets.length).fill(NONE)
  const window = Buffer.alloc(WINDOW_BYTES)
  for (let place = 0; place < offsets.length;) {
    const start = offsets[place]!
    await pack.read(window, 0, WINDOW_BYTES, start)
    for (; place < offsets.length; place += 1) {
      const at = offsets[place]! - start
      if (at + ENTRY_START_MAX_BYTES > WINDOW_BYTES) break
      bases[place] = baseOf(window, at, offsets[place]!, index)
    }
  }
  return bases
}

function baseOf(bytes: Buffer, from: number, offset: number, index: PackIndex): number {
  const type = (bytes[from]! >> 4) & 7
  let at = from
  while ((bytes[at]! & 0x80) !== 0) at += 1
  at += 1
  if (type === 7) return index.of(bytes.subarray(at, at + OID_BYTES))
  if (type !== 6) return NONE
  let distance = bytes[at]! & 0x7f
  while ((bytes[at]! & 0x80) !== 0) {
    at += 1
    distance = (distance + 1) * 128 + (bytes[at]! & 0x7f)
  }
  return index.at(offset - distance)
}

function longestChain(bases: Int32Array, limit: number): number {
  const depths = new Int32Array(bases.length).fill(NONE)
  let longest = 0
  for (let start = 0; start < bases.length; start += 1) {
    let steps = 0
    let place = start
    for (; depths[place] === NONE && bases[place] !== NONE; place = bases[place]!)
      if (++steps > limit) return limit + 1
    let depth = Math.max(depths[place]!, 0) + steps
    if (depth > limit) return limit + 1
    longest = Math.max(longest, depth)
    for (place = start; depths[place] === NONE; place = bases[place]!) {
      depths[place] = depth
      depth -= 1
      if (bases[place] === NONE) break
    }
  }
  return longest
}
