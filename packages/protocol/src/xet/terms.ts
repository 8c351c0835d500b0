/**
 * The recipe of a file: records of 48 bytes, the same in a shard and in the catalog's `XetFileRow.terms`.
 *
 *   offset  bytes  meaning
 *        0     32  raw xorb hash
 *       32      4  flags, 0
 *       36      4  uncompressed bytes
 *       40      4  first chunk
 *       44      4  chunk after the last one
 */
import { FormatError } from '../errors.ts'
import { XET_CHUNK_MAX_BYTES, XET_XORB_CHUNKS_MAX } from '../limits.ts'
import { formatXetHash, rawXetHash, type XetHash } from './hash.ts'

export const TERM_BYTES = 48

/** Chunks `chunkStart` to before `chunkEnd` of a xorb, `rawBytes` long when uncompressed. */
export interface Term {
  xorb: XetHash
  chunkStart: number
  chunkEnd: number
  rawBytes: number
}

/** The term at `offset` of `records`; throws when it cannot be true of any xorb. */
export function decodeTerm(records: Uint8Array, offset: number): Term {
  if (offset + TERM_BYTES > records.length) throw new FormatError('Term is cut short', records.length)
  const view = new DataView(records.buffer, records.byteOffset + offset, TERM_BYTES)
  const rawBytes = view.getUint32(36, true)
  const chunkStart = view.getUint32(40, true)
  const chunkEnd = view.getUint32(44, true)
  if (view.getUint32(32, true) !== 0) throw new FormatError('Unknown flags of a term', offset + 32)
  if (chunkStart >= chunkEnd || chunkEnd > XET_XORB_CHUNKS_MAX)
    throw new FormatError('Chunk range of a term is empty or too far', offset + 40)
  const chunkCount = chunkEnd - chunkStart
  if (rawBytes < chunkCount || rawBytes > chunkCount * XET_CHUNK_MAX_BYTES)
    throw new FormatError('Length of a term does not fit its chunks', offset + 36)
  return { xorb: formatXetHash(records, offset), chunkStart, chunkEnd, rawBytes }
}

export function* decodeTerms(records: Uint8Array): Generator<Term> {
  for (let offset = 0; offset < records.length; offset += TERM_BYTES) yield decodeTerm(records, offset)
}

/** Decoded bytes of all terms, without a look at anything else of them. */
export function termsSizeBytes(records: Uint8Array): number {
  const view = new DataView(records.buffer, records.byteOffset, records.length)
  let sizeBytes = 0
  for (let offset = 0; offset + TERM_BYTES <= records.length; offset += TERM_BYTES)
    sizeBytes += view.getUint32(offset + 36, true)
  return sizeBytes
}

/** Collects the terms of a file; those that follow one another in a xorb become one. */
export class TermMerger {
  readonly #merged: Term[] = []

  get count(): number {
    return this.#merged.length
  }

  add(term: Term): void {
    const last = this.#merged.at(-1)
    // A xorb decodes to at most a gigabyte, so the sum always fits its field.
    if (last?.xorb === term.xorb && last.chunkEnd === term.chunkStart) {
      last.chunkEnd = term.chunkEnd
      last.rawBytes += term.rawBytes
    } else this.#merged.push({ ...term })
  }

  encode(): Uint8Array {
    return encodeTerms(this.#merged)
  }
}

export function encodeTerms(terms: readonly Term[]): Uint8Array {
  const bytes = new Uint8Array(terms.length * TERM_BYTES)
  const view = new DataView(bytes.buffer)
  terms.forEach((term, index) => {
    const offset = index * TERM_BYTES
    bytes.set(rawXetHash(term.xorb), offset)
    view.setUint32(offset + 36, term.rawBytes, true)
    view.setUint32(offset + 40, term.chunkStart, true)
    view.setUint32(offset + 44, term.chunkEnd, true)
  })
  return bytes
}
