/**
 * The bytes behind a file, wherever they lie, as something that can be sent whole or in a range. A full pass checks
 * what it reads against the content's hash and fails before the last bytes are out, so that rot is never delivered
 * as a complete file.
 */
import { createHash } from 'node:crypto'

import { HubError } from '@cairn/protocol/errors'

import type { ByteRange } from '../store/blobs/blob-store.ts'

export type { ByteRange }

export interface Content {
  sizeBytes: number
  /** Opens the stream. Chunks follow `BlobStore.read`'s rule about reused buffers. */
  open(range?: ByteRange): Promise<AsyncIterable<Uint8Array>>
}

/** Bytes that lie in memory already. */
export function openBytes(bytes: Uint8Array): Content {
  return {
    sizeBytes: bytes.length,
    open: async (range) => once(range === undefined ? bytes : bytes.subarray(range.start, range.end + 1)),
  }
}

/** Passes chunks on, and holds the last one back until the whole is known to have the right sha256: `onSound`. */
export async function* checked(
  bytes: AsyncIterable<Uint8Array>,
  expected: { oid: string; sizeBytes: number },
  onSound?: () => void,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256')
  let left = expected.sizeBytes
  for await (const chunk of bytes) {
    hash.update(chunk)
    left -= chunk.length
    if (left <= 0 && (left < 0 || hash.digest('hex') !== expected.oid)) throw damaged(expected.oid)
    if (left === 0) onSound?.()
    yield chunk
  }
  if (left > 0) throw damaged(expected.oid)
}

function damaged(oid: string): HubError {
  return new HubError('Internal', `The stored bytes of ${oid} no longer have that sha256`)
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}
