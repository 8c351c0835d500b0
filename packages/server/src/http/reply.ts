/** What a route answers, as a value. http/respond.ts is the only place that writes it. */
import type { ByteRange, Content } from '../ops/content.ts'

/** Each name is spelled in one way everywhere, as `Content-Type`: they are put together without looking at case. */
export type Headers = Record<string, string | number>

export interface Reply {
  status?: number
  headers?: Headers
  /** Sent compact: DuckDB looks for the literal `"type":"file"` (clients.md §0.19). */
  json?: unknown
  /** JSON that is made while it is sent. Joined, the slices are one value. */
  jsonSlices?: Iterable<string>
  text?: string
  bytes?: Uint8Array
  content?: { source: Content; range?: ByteRange }
  /** Of a length that is not known before its end. When it fails in the middle the connection is cut. */
  stream?: AsyncIterable<Uint8Array>
}
