/** What the two contract suites of the blob store share: the store they are given, and bytes that tell. */
import { createHash } from 'node:crypto'

import type { BlobStore } from './blob-store.ts'

export interface BlobStoreUnderTest extends AsyncDisposable {
  store: BlobStore
  /** The same content as a process sees it that starts after this one was killed. */
  reopen(): Promise<BlobStore>
  /** Names of what takes up room though it is neither a blob nor a part. */
  leftovers(): Promise<string[]>
}

export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const copies: Buffer[] = []
  for await (const chunk of chunks) copies.push(Buffer.from(chunk))
  return Buffer.concat(copies)
}

/** Bytes that name their offset, so that a chunk in the wrong place cannot pass. */
export function patterned(sizeBytes: number, seed = 0): Buffer {
  const words = new Uint32Array(Math.ceil(sizeBytes / 4))
  for (let n = 0; n < words.length; n++) words[n] = Math.imul(n ^ (seed << 24), 0x9e3779b1)
  return Buffer.from(words.buffer, 0, sizeBytes)
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
