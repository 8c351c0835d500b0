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
  readonly actual: { sizeBytes: number; sha256: string | null }

  constructor(actual: { sizeBytes: number; sha256: string | null }) {
    super(`Staged ${actual.sizeBytes} bytes with sha256 ${actual.sha256 ?? 'unknown'}, expected others`)
    this.name = 'BlobMismatchError'
    this.actual = actual
  }
}

/** A part is longer than it may be. It has not been stored. */
export class PartTooLargeError extends Error {
  readonly sizeBytesMax: number

  constructor(sizeBytesMax: number) {
    super(`The part has more than ${sizeBytesMax} bytes`)
    this.name = 'PartTooLargeError'
    this.sizeBytesMax = sizeBytesMax
  }
}

/**
 * A part that was to be joined is `absent`, has another ETag than the caller says (`etag`), or its bytes are no
 * longer those of its ETag (`bytes`: the store has lost data). Nothing has been staged.
 */
export class PartMismatchError extends Error {
  readonly partNumber: number
  readonly reason: 'absent' | 'etag' | 'bytes'

  constructor(partNumber: number, reason: PartMismatchError['reason'], options?: ErrorOptions) {
    super(`Part ${partNumber} cannot be joined: ${reason}`, options)
    this.name = 'PartMismatchError'
    this.partNumber = partNumber
    this.reason = reason
  }
}

/**
 * A write in progress. Invisible until `commit`; `abort`, disposal or a crash leaves nothing behind. Takes one call
 * at a time, except that `abort` may come at any moment: it waits for what is under way, and an append then fails.
 */
export interface Staged extends AsyncDisposable {
  /**
   * Adds bytes at the end. The store may keep a reference until the promise settles, not longer. sha256 is
   * computed on the way, where it was asked for. A failed write is told by this call or a later one, at the latest by `commit`.
   */
  append(bytes: Uint8Array): Promise<void>
  readonly sizeBytes: number
  /** Hex sha256 of what was appended so far. Throws when the write was begun without. */
  sha256(): string
  /**
   * Makes the bytes durable and then visible under the key. An existing blob of that key is kept and the staged
   * bytes are dropped (keys name content, so both are the same). Throws `BlobMismatchError` when `expect` is not met.
   * Success or not, this ends the write: size and sha256 can still be asked, nothing else.
   */
  commit(key: BlobKey, expect?: { sizeBytes?: number; sha256?: string }): Promise<void>
  /** Idempotent. */
  abort(): Promise<void>
}

/** Parts of one large object that arrive in any order, each perhaps twice, over several requests and restarts. */
export interface PartStore {
  /**
   * Stores one part durably, replacing an earlier one of that number in one step; returns its ETag (hex sha256).
   * Throws `PartTooLargeError`. When it throws, also because `bytes` did, the earlier part is as it was.
   */
  put(
    uploadId: string,
    partNumber: number,
    bytes: AsyncIterable<Uint8Array>,
    sizeBytesMax: number,
  ): Promise<{ etag: string; sizeBytes: number }>
  /** The parts present, by number. Empty when the upload is unknown. */
  list(uploadId: string): Promise<{ partNumber: number; etag: string; sizeBytes: number }[]>
  /**
   * Joins parts 1…n into a staged write, verifying each part's bytes against its ETag. The parts stay until `drop`.
   * Throws `PartMismatchError`, and RangeError when the list is not 1…n.
   */
  assemble(uploadId: string, parts: { partNumber: number; etag: string }[]): Promise<Staged>
  /** Idempotent. */
  drop(uploadId: string): Promise<void>
  /** Uploads not touched since `before` (ms since the epoch), for the sweeper. */
  listStale(before: number): AsyncIterable<string>
}

export interface PresignOptions {
  expiresInSeconds: number
  range?: ByteRange
}

/** A blob that is read here and there. */
export interface OpenBlob extends AsyncDisposable {
  /** Fills memory of the caller's, piece after piece, with the bytes from `start` on. RangeError: there are not so many. */
  readInto(start: number, pieces: readonly Uint8Array[]): Promise<void>
}

export interface BlobStore extends AsyncDisposable {
  stat(key: BlobKey): Promise<BlobStat | null>
  /** Throws `BlobNotFoundError`. The caller disposes of it once no read is under way. */
  open(key: BlobKey): Promise<OpenBlob>
  /**
   * Streams a blob or an inclusive range of it. Throws `BlobNotFoundError` before the first chunk.
   * Buffers are reused: a chunk stays valid until the second `next()` after the one that returned it, so a
   * consumer may have exactly one write in flight while it asks for the following chunk. The last chunk stays valid.
   * Iterated once. Who does not iterate calls `return` on the iterator, or a file or connection stays open.
   * Throws RangeError for a range that does not lie within the blob. A blob that turns out shorter than its size
   * makes the iteration throw: a stream that ends without an error is complete.
   */
  read(key: BlobKey, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>
  /** `unhashed`: for a content with another name than its sha256, which costs more than all else that a write does. */
  stage(kind?: 'hashed' | 'unhashed'): Promise<Staged>
  readonly parts: PartStore
  /** Idempotent. */
  delete(key: BlobKey): Promise<void>
  /** In key order, strictly after `after`. */
  list(prefix: string, after?: BlobKey): AsyncIterable<BlobStat>
  /** Room for more; null: the store does not say. */
  space(): Promise<{ freeBytes: number; totalBytes: number } | null>
  /** null: this store cannot, stream the bytes through the hub. */
  presign(
    key: BlobKey,
    use: 'get' | 'put',
    options: PresignOptions,
  ): Promise<{ url: string; expiresAt: number } | null>
}
