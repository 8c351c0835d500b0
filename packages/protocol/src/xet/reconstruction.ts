/**
 * From a file's terms to what a client must fetch (xet.md §6.1), and to the walk by which the hub itself streams
 * the decoded bytes. Only the terms of the range asked for are resolved, one xorb at a time, so that a large file
 * does not need all its chunk tables at once.
 */
import type { ChunkTable } from './chunk-table.ts'
import type { XetHash } from './hash.ts'
import { decodeTerm, TERM_BYTES, termsSizeBytes, type Term } from './terms.ts'

/** Both ends inclusive. Clients ask for up to 2^64 − 2, hence the bigint. */
export interface RawRange {
  start: number | bigint
  end: number | bigint
}

/** The chunk table of a xorb that the terms name; it must be there. */
export type XorbTable = (xorb: XetHash) => Promise<ChunkTable> | ChunkTable

/** Chunks `chunkStart` to before `chunkEnd` of a stored xorb, which lie in these bytes of it, both ends inclusive. */
export interface FetchRange {
  chunkStart: number
  chunkEnd: number
  byteStart: number
  byteEnd: number
}

export interface Reconstruction {
  /** Decoded bytes of the first term that lie before the range. */
  offsetIntoFirstRange: number
  terms: Term[]
  /** By xorb, in ascending order; ranges that overlap or touch are one. Each term lies wholly inside one of them. */
  fetch: Map<XetHash, FetchRange[]>
}

/**
 * Plans the fetch of a file, or of a range of it. A range that begins behind the end is 'unsatisfiable'. `pause` is
 * awaited now and then, so that a long recipe does not hold up everybody else.
 */
export async function planReconstruction(
  records: Uint8Array,
  range: RawRange | null,
  xorbTable: XorbTable,
  pause: () => Promise<void> | void,
): Promise<Reconstruction | 'unsatisfiable'> {
  const window = windowOf(records, range)
  if (window === 'unsatisfiable') return window
  const terms: Term[] = []
  const used = new Map<XetHash, UsedXorb>()
  let offsetIntoFirstRange = 0
  for (const selected of selectTerms(records, window)) {
    const { skipBytes, ...term } = await trimTerm(selected, xorbTable)
    if (terms.length === 0) offsetIntoFirstRange = skipBytes
    const { xorb, chunkEnds } = used.get(term.xorb) ?? {
      xorb: term.xorb,
      chunkEnds: new Map<number, number>(),
    }
    used.set(xorb, { xorb, chunkEnds })
    const { chunkStart, chunkEnd } = term
    chunkEnds.set(chunkStart, Math.max(chunkEnd, chunkEnds.get(chunkStart) ?? 0))
    // One string for all terms of a xorb.
    terms.push({ ...term, xorb })
    if (terms.length % TERMS_BETWEEN_PAUSES === 0) await pause()
  }
  return { offsetIntoFirstRange, terms, fetch: await planFetch(used, xorbTable, pause) }
}

const TERMS_BETWEEN_PAUSES = 1000
const XORBS_BETWEEN_PAUSES = 50

/** What the terms use of a xorb: the furthest end of those that begin at a chunk. */
interface UsedXorb {
  xorb: XetHash
  chunkEnds: Map<number, number>
}

/** One step of the walk: read these bytes of the xorb, decode its chunks, drop `skipBytes`, hand on `takeBytes`. */
export interface WalkStep extends FetchRange {
  xorb: XetHash
  /** Raw hashes that the decoded chunks must have, one after the other, and their bytes together. */
  chunkHashes: Uint8Array
  rawBytes: number
  /** Length of each chunk when decoded. */
  chunkLengths: number[]
  skipBytes: number
  takeBytes: number
}

/**
 * The steps that give the bytes of a file, or of a range of it, in order. No step decodes to more than
 * `stepRawMaxBytes`, except that it always has one chunk.
 */
export async function* walkReconstruction(
  records: Uint8Array,
  range: RawRange | null,
  xorbTable: XorbTable,
  stepRawMaxBytes: number,
): AsyncGenerator<WalkStep> {
  const window = windowOf(records, range)
  if (window === 'unsatisfiable') return
  for (const selected of selectTerms(records, window)) {
    const term = await trimTerm(selected, xorbTable)
    const table = await xorbTable(term.xorb)
    let skipBytes = term.skipBytes
    let leftBytes = selected.wantedEnd - selected.wantedStart
    for (let chunkStart = term.chunkStart; chunkStart < term.chunkEnd;) {
      let chunkEnd = chunkStart + 1
      while (
        chunkEnd < term.chunkEnd &&
        table.rawStart(chunkEnd + 1) - table.rawStart(chunkStart) <= stepRawMaxBytes
      )
        chunkEnd++
      const rawBytes = table.rawStart(chunkEnd) - table.rawStart(chunkStart)
      const takeBytes = Math.min(rawBytes - skipBytes, leftBytes)
      yield {
        xorb: term.xorb,
        ...physicalRange(table, chunkStart, chunkEnd),
        chunkHashes: table.hashes(chunkStart, chunkEnd),
        rawBytes,
        chunkLengths: lengthsOf(table, chunkStart, chunkEnd),
        skipBytes,
        takeBytes,
      }
      leftBytes -= takeBytes
      skipBytes = 0
      chunkStart = chunkEnd
    }
  }
}

function lengthsOf(table: ChunkTable, start: number, end: number): number[] {
  return Array.from(
    { length: end - start },
    (_, index) => table.rawStart(start + index + 1) - table.rawStart(start + index),
  )
}

/** A term and which of its decoded bytes are wanted, from `wantedStart` to before `wantedEnd`. */
interface SelectedTerm {
  term: Term
  wantedStart: number
  wantedEnd: number
}

/** The decoded bytes asked for, from `start` to before `stop`. */
function windowOf(
  records: Uint8Array,
  range: RawRange | null,
): { start: number; stop: number } | 'unsatisfiable' {
  const sizeBytes = termsSizeBytes(records)
  if (range !== null) {
    // An empty file has no byte 0, but asking for it must not look like the end of a file to hf_xet.
    const startsBehind = range.start >= sizeBytes && !(sizeBytes === 0 && Number(range.start) === 0)
    if (startsBehind || range.end < range.start) return 'unsatisfiable'
  }
  return {
    start: range === null ? 0 : Number(range.start),
    stop: range === null || range.end >= sizeBytes ? sizeBytes : Number(range.end) + 1,
  }
}

/** Terms outside the window are passed over by their length alone. */
function* selectTerms(
  records: Uint8Array,
  { start, stop }: { start: number; stop: number },
): Generator<SelectedTerm> {
  let termStart = 0
  for (let offset = 0; offset < records.length && termStart < stop; offset += TERM_BYTES) {
    const termEnd = termStart + termsSizeBytes(records.subarray(offset, offset + TERM_BYTES))
    if (termEnd > start) {
      const term = decodeTerm(records, offset)
      yield {
        term,
        wantedStart: Math.max(start - termStart, 0),
        wantedEnd: Math.min(stop - termStart, term.rawBytes),
      }
    }
    termStart = termEnd
  }
}

/** Drops the chunks before and behind what is wanted. `skipBytes` is what remains before it in the first chunk. */
async function trimTerm(selected: SelectedTerm, xorbTable: XorbTable): Promise<Term & { skipBytes: number }> {
  const { term, wantedStart, wantedEnd } = selected
  if (wantedStart === 0 && wantedEnd === term.rawBytes) return { ...term, skipBytes: 0 }
  const table = await xorbTable(term.xorb)
  const base = table.rawStart(term.chunkStart)
  let { chunkStart, chunkEnd } = term
  while (table.rawStart(chunkStart + 1) - base <= wantedStart) chunkStart++
  while (table.rawStart(chunkEnd - 1) - base >= wantedEnd) chunkEnd--
  return {
    xorb: term.xorb,
    chunkStart,
    chunkEnd,
    rawBytes: table.rawStart(chunkEnd) - table.rawStart(chunkStart),
    skipBytes: wantedStart - (table.rawStart(chunkStart) - base),
  }
}

async function planFetch(
  used: ReadonlyMap<XetHash, UsedXorb>,
  xorbTable: XorbTable,
  pause: () => Promise<void> | void,
): Promise<Map<XetHash, FetchRange[]>> {
  const fetch = new Map<XetHash, FetchRange[]>()
  for (const [xorb, { chunkEnds }] of used) {
    const table = await xorbTable(xorb)
    const merged: { chunkStart: number; chunkEnd: number }[] = []
    for (const [chunkStart, chunkEnd] of [...chunkEnds].toSorted(([a], [b]) => a - b)) {
      const last = merged.at(-1)
      if (last !== undefined && chunkStart <= last.chunkEnd) last.chunkEnd = Math.max(last.chunkEnd, chunkEnd)
      else merged.push({ chunkStart, chunkEnd })
    }
    fetch.set(
      xorb,
      merged.map(({ chunkStart, chunkEnd }) => physicalRange(table, chunkStart, chunkEnd)),
    )
    if (fetch.size % XORBS_BETWEEN_PAUSES === 0) await pause()
  }
  return fetch
}

function physicalRange(table: ChunkTable, chunkStart: number, chunkEnd: number): FetchRange {
  return {
    chunkStart,
    chunkEnd,
    byteStart: table.physicalStart(chunkStart),
    byteEnd: table.physicalStart(chunkEnd) - 1,
  }
}
