/**
 * The two JSON forms of a reconstruction (xet.md §6.1). Both give every range its own URL: the JS client knows its
 * work items by URL, and S3 serves one range a request. The text comes in slices: that of a large file has megabytes,
 * and each of its addresses is signed.
 *
 *   V1  {"offset_into_first_range":n,"terms":[…],"fetch_info":{"<xorb>":[{"range","url","url_range"}]}}
 *   V2  {"offset_into_first_range":n,"terms":[…],"xorbs":{"<xorb>":[{"url","ranges":[{"chunks","bytes"}]}]}}
 */
import type { XetHash } from './hash.ts'
import type { FetchRange, Reconstruction } from './reconstruction.ts'

/** Where a client fetches these bytes of a xorb, without further credentials; distinct for distinct ranges. */
export type FetchUrl = (xorb: XetHash, bytes: { start: number; end: number }) => string

const ENTRIES_PER_SLICE = 500

/** Joined, the slices are one JSON object. Chunk ranges are end exclusive, byte ranges inclusive. */
export function* formatReconstruction(
  plan: Reconstruction,
  version: 1 | 2,
  url: FetchUrl,
): Generator<string> {
  yield `{"offset_into_first_range":${plan.offsetIntoFirstRange},"terms":[`
  yield* slices(termEntries(plan))
  yield `],"${version === 1 ? 'fetch_info' : 'xorbs'}":{`
  yield* slices(fetchEntries(plan, version === 1 ? fetchV1 : fetchV2, url))
  yield '}}'
}

function* termEntries({ terms }: Reconstruction): Generator<string> {
  let comma = ''
  for (const term of terms) {
    const range = { start: term.chunkStart, end: term.chunkEnd }
    yield comma + JSON.stringify({ hash: term.xorb, unpacked_length: term.rawBytes, range })
    comma = ','
  }
}

function* fetchEntries(
  { fetch }: Reconstruction,
  entry: (range: FetchRange, url: string) => object,
  url: FetchUrl,
): Generator<string> {
  let comma = ''
  for (const [xorb, ranges] of fetch) {
    yield `${comma}"${xorb}":[`
    comma = ''
    for (const range of ranges) {
      const bytes = { start: range.byteStart, end: range.byteEnd }
      yield comma + JSON.stringify(entry(range, url(xorb, bytes)))
      comma = ','
    }
    yield ']'
  }
}

function fetchV1(range: FetchRange, url: string): object {
  const { chunkStart, chunkEnd, byteStart, byteEnd } = range
  return {
    range: { start: chunkStart, end: chunkEnd },
    url,
    url_range: { start: byteStart, end: byteEnd },
  }
}

function fetchV2(range: FetchRange, url: string): object {
  const { chunkStart, chunkEnd, byteStart, byteEnd } = range
  const ranges = [{ chunks: { start: chunkStart, end: chunkEnd }, bytes: { start: byteStart, end: byteEnd } }]
  return { url, ranges }
}

function* slices(entries: Iterable<string>): Generator<string> {
  let slice: string[] = []
  for (const entry of entries) {
    slice.push(entry)
    if (slice.length < ENTRIES_PER_SLICE) continue
    yield slice.join('')
    slice = []
  }
  yield slice.join('')
}
