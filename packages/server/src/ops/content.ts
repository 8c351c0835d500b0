/**
 * The bytes behind a file, wherever they lie, as something that can be sent whole or in a range. A full pass checks
 * what it reads and fails before the last bytes are out, so that rot is never delivered as a complete file.
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

/** Looks at a whole content piece by piece, and is asked once, at its end, whether it was the right one. */
export interface Check {
  update(bytes: Uint8Array): void
  isSound(): boolean
}

export function sha256Check(oid: string): Check {
  const hash = createHash('sha256')
  return { update: (bytes) => void hash.update(bytes), isSound: () => hash.digest('hex') === oid }
}

/** Passes chunks on, and holds the last one back until the whole is known to be sound. */
export async function* checked(
  bytes: AsyncIterable<Uint8Array>,
  expected: { oid: string; sizeBytes: number },
  check: Check,
): AsyncGenerator<Uint8Array> {
  let left = expected.sizeBytes
  for await (const chunk of bytes) {
    check.update(chunk)
    left -= chunk.length
    if (left <= 0 && (left < 0 || !check.isSound())) throw damaged(expected.oid)
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
