/**
 * The hash and compression functions that protocol code needs but does not own. Node passes native ones;
 * a browser passes WASM. All are synchronous and take at most a few MiB at a time.
 */
export interface Primitives {
  /** BLAKE3 keyed with 32 bytes; 32 bytes out. */
  blake3Keyed(key: Uint8Array, data: Uint8Array): Uint8Array
  sha1(data: Uint8Array): Uint8Array
  sha256(data: Uint8Array): Uint8Array
  /** One LZ4 frame (not a raw block). */
  lz4FrameEncode(data: Uint8Array): Uint8Array
  /** zlib stream (RFC 1950), as in git objects. */
  deflate(data: Uint8Array): Uint8Array
}
