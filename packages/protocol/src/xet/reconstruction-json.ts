/**
 * The two JSON forms of a reconstruction (xet.md §6.1). Both give every range its own URL: the JS client knows its
 * work items by URL, and S3 serves one range a request.
 */
import type { XetHash } from './hash.ts'
import type { FetchRange, Reconstruction } from './reconstruction.ts'

/** Where a client fetches these bytes of a xorb, without further credentials; distinct for distinct ranges. */
export type FetchUrl = (xorb: XetHash, bytes: { start: number; end: number }) => string

/** End exclusive for chunks, inclusive for bytes. */
interface JsonRange {
  start: number
  end: number
}

interface ReconstructionHead {
  offset_into_first_range: number
  terms: { hash: XetHash; unpacked_length: number; range: JsonRange }[]
}

export interface ReconstructionV1 extends ReconstructionHead {
  fetch_info: Record<string, { range: JsonRange; url: string; url_range: JsonRange }[]>
}

export interface ReconstructionV2 extends ReconstructionHead {
  xorbs: Record<string, { url: string; ranges: { chunks: JsonRange; bytes: JsonRange }[] }[]>
}

export function formatReconstructionV1(plan: Reconstruction, url: FetchUrl): ReconstructionV1 {
  return {
    ...head(plan),
    fetch_info: eachRange(plan, (xorb, chunks, bytes) => ({
      range: chunks,
      url: url(xorb, bytes),
      url_range: bytes,
    })),
  }
}

export function formatReconstructionV2(plan: Reconstruction, url: FetchUrl): ReconstructionV2 {
  return {
    ...head(plan),
    xorbs: eachRange(plan, (xorb, chunks, bytes) => ({ url: url(xorb, bytes), ranges: [{ chunks, bytes }] })),
  }
}

function head(plan: Reconstruction): ReconstructionHead {
  return {
    offset_into_first_range: plan.offsetIntoFirstRange,
    terms: plan.terms.map((term) => ({
      hash: term.xorb,
      unpacked_length: term.rawBytes,
      range: { start: term.chunkStart, end: term.chunkEnd },
    })),
  }
}

function eachRange<T>(
  plan: Reconstruction,
  entry: (xorb: XetHash, chunks: JsonRange, bytes: JsonRange) => T,
): Record<string, T[]> {
  const format = (xorb: XetHash, range: FetchRange): T =>
    entry(
      xorb,
      { start: range.chunkStart, end: range.chunkEnd },
      { start: range.byteStart, end: range.byteEnd },
    )
  return Object.fromEntries(
    [...plan.fetch].map(([xorb, ranges]) => [xorb, ranges.map((range) => format(xorb, range))]),
  )
}
