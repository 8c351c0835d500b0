/**
 * Content-defined chunking (xet.md §3): the same boundaries as hf_xet draws, so that equal content gets equal
 * names. A boundary lies after a byte at which the gear hash of the chunk so far has its top 16 bits zero, never
 * before 8 KiB and at the latest at 128 KiB.
 */
import { Hasher } from 'gearhash-jit'

import { XET_CHUNK_MAX_BYTES, XET_CHUNK_MIN_BYTES } from '../limits.ts'

const BOUNDARY_MASK = 0xffff_0000_0000_0000n
/** The hash depends on the last 64 bytes only, so what cannot reach the first possible boundary is not hashed. */
const SKIP_BYTES = XET_CHUNK_MIN_BYTES - 64 - 1

export interface Chunker {
  /** Takes the next bytes and returns the chunks that they complete; each is a copy. */
  push(bytes: Uint8Array): Uint8Array[]
  /** The last, shorter chunk if there is one. */
  finish(): Uint8Array[]
}

export function createChunker(): Chunker {
  const hasher = new Hasher(BOUNDARY_MASK)
  const open = new Uint8Array(XET_CHUNK_MAX_BYTES)
  let sizeBytes = 0

  function take(bytes: Uint8Array): void {
    open.set(bytes, sizeBytes)
    sizeBytes += bytes.length
  }

  function close(): Uint8Array {
    const chunk = open.slice(0, sizeBytes)
    sizeBytes = 0
    hasher.resetHash()
    return chunk
  }

  return {
    push(bytes) {
      const chunks: Uint8Array[] = []
      let at = 0
      while (at < bytes.length) {
        if (sizeBytes < SKIP_BYTES) {
          const skipped = bytes.subarray(at, at + SKIP_BYTES - sizeBytes)
          take(skipped)
          at += skipped.length
          continue
        }
        const ahead = bytes.subarray(at, at + XET_CHUNK_MAX_BYTES - sizeBytes)
        const match = hasher.nextMatch(ahead)
        const taken = match === -1 ? ahead : ahead.subarray(0, match)
        take(taken)
        at += taken.length
        // A match before the minimum was judged on a hash that had not seen 64 bytes yet: scanning goes on.
        if ((match !== -1 && sizeBytes >= XET_CHUNK_MIN_BYTES) || sizeBytes === XET_CHUNK_MAX_BYTES)
          chunks.push(close())
      }
      return chunks
    },
    finish: () => (sizeBytes === 0 ? [] : [close()]),
  }
}
