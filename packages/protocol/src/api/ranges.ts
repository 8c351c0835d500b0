/**
 * One `Range` header against content of a known size (RFC 9110 §14). Bounds go up to 2^64 − 2 (hf_xet asks so), so they
 * are compared as BigInt and come back as safe integers inside the content.
 */
import { RANGE_HEADER_LENGTH_MAX } from '../limits.ts'

/** Both ends inclusive. */
export interface ContentRange {
  start: number
  end: number
}

/**
 * `null` means: answer 200 with the whole content. That is right without a header, for other units, for syntax that
 * RFC 9110 calls invalid (`5-2`), for several ranges (a server may ignore the header), and for empty content: clients
 * probe with `bytes=0-0` and take a 416 for a failure, but accept an empty 200 whose `Content-Range` has a star for the
 * range and 0 for the size (clients.md §0.5). `unsatisfiable` means 416, with the same header and the real size.
 */
export function parseRange(
  header: string | undefined,
  sizeBytes: number,
): ContentRange | 'unsatisfiable' | null {
  if (header === undefined || header.length > RANGE_HEADER_LENGTH_MAX || sizeBytes === 0) return null
  const match = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i.exec(header.trim())
  if (match === null) return null
  const [, first = '', last = ''] = match
  const size = BigInt(sizeBytes)
  if (first === '') {
    if (last === '') return null
    const suffix = BigInt(last)
    if (suffix === 0n) return 'unsatisfiable'
    return { start: suffix >= size ? 0 : Number(size - suffix), end: sizeBytes - 1 }
  }
  const start = BigInt(first)
  if (last !== '' && BigInt(last) < start) return null
  if (start >= size) return 'unsatisfiable'
  const end = last === '' || BigInt(last) >= size ? sizeBytes - 1 : Number(BigInt(last))
  return { start: Number(start), end }
}
