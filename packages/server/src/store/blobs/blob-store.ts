/**
 * Content by key: the seam between the hub and the place where large bytes lie. Disk is the default; an
 * S3-compatible store fits behind the same interface. A capability that a store lacks returns null.
 */

/** A slash-separated key made by store/keys.ts; never built from client input anywhere else. */
export type BlobKey = string & { readonly __brand: 'BlobKey' }

export interface BlobStat {
  key: BlobKey
  sizeBytes: number
}

/** Both ends inclusive, as in HTTP. */
export interface ByteRange {
  start: number
  end: number
}

export class BlobNotFoundError extends Error {
  constructor(key: BlobKey, options?: ErrorOptions) {
    super(`No blob ${key}`, options)
    this.name = 'BlobNotFoundError'
  }
}

/** What was staged is not what was promised. Nothing has become visible. */
export class BlobMismatchError extends Error {
  readonly actual: { sizeBytes: number; sha256: string }

  constructor(actual: { sizeBytes: number; sha256: string }) {
    super(`Staged ${actual.sizeBytes} bytes with sha256 ${actual.sha256}, expected others`)
    this.name = 'BlobMismatchError'
    this.actual = actual
  }
}

/** A write in progress. Invisible until `commit`; `abort`, disposal or a crash leaves nothing behind. */
export interface Staged extends AsyncDisposable {
  /**
   * Adds bytes at the end. The store may keep a reference until the promise settles, not longer. sha256 is
   * computed on the way.
   */
  append(bytes: Uint8Array): Promise<void>
  readonly sizeBytes: number
  /** Hex sha256 of what was appended so far. */
  sha256(): string
  /**
   * Makes the bytes durable and then visible under the key. An existing blob of that key is kept and the staged
   * bytes are dropped (keys name content, so both are the same). Throws `BlobMismatchError` when `expect` is not met.
   */
  commit(key: BlobKey, expect?: { sizeBytes?: number; sha256?: string }): Promise<void>
  /** Idempotent. */
  abort(): Promise<void>
}

/** Parts of one large object that arrive in any order, each perhaps twice, over several requests and restarts. */
export interface PartStore {
  /** Stores one part durably, replacing an earlier one of that number; returns its ETag (hex sha256). */
  put(uploadId: string, partNumber: number, bytes: AsyncIterable<Uint8Array>, sizeBytesMax: number): Promise<{ etag: string; sizeBytes: number }>
  /** The parts present, by number. Empty when the upload is unknown. */
  list(uploadId: string): Promise<{ partNumber: number; etag: string; sizeBytes: number }[]>
  /** Joins parts 1…n into a staged write, verifying each part's bytes against its ETag. The parts stay until `drop`. */
  assemble(uploadId: string, parts: { partNumber: number; etag: string }[]): Promise<Staged>
  drop(uploadId: string): Promise<void>
  /** Uploads not touched since `before` (ms since the epoch), for the sweeper. */
  listStale(before: number): AsyncIterable<string>
}

export interface PresignOptions {
  expiresInSeconds: number
  range?: ByteRange
}

export interface BlobStore extends AsyncDisposable {
  stat(key: BlobKey): Promise<BlobStat | null>
  /**
   * Streams a blob or an inclusive range of it. Throws `BlobNotFoundError` before the first chunk.
   * Buffers are reused: a chunk stays valid until the second `next()` after the one that returned it, so a
   * consumer may have exactly one write in flight while it asks for the following chunk.
   */
  read(key: BlobKey, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>
  stage(): Promise<Staged>
  readonly parts: PartStore
  /** Idempotent. */
  delete(key: BlobKey): Promise<void>
  /** In key order, strictly after `after`. */
  list(prefix: string, after?: BlobKey): AsyncIterable<BlobStat>
  /** null: this store cannot, stream the bytes through the hub. */
  presign(key: BlobKey, use: 'get' | 'put', options: PresignOptions): Promise<{ url: string; expiresAt: number } | null>
}
