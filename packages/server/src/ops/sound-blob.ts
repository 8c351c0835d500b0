/** Every blob proves itself: an LFS object and a xorb by their names, a shard by its form. */
import { createHash } from 'node:crypto'

import { FormatError } from '@cairn/protocol/errors'
import type { XetHash } from '@cairn/protocol/xet/hash'
import { parseShard } from '@cairn/protocol/xet/shard'

import { BlobNotFoundError, type BlobKey, type BlobStore } from '../store/blobs/blob-store.ts'
import { parseKey } from '../store/keys.ts'
import type { XorbPool } from '../workers/xorb-pool.ts'
import { verifyXorb, type VerifiedXorb } from '../workers/xorb-verify.ts'

/** The bytes under a key are gone, or not those that the key names. */
export class DamagedBlobError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'DamagedBlobError'
  }
}

/**
 * Reads a blob to its end and hands the bytes to `take`, which may use them when this has returned. Throws
 * `DamagedBlobError`. A xorb is decoded, and what its row holds comes back.
 */
export async function readSound(
  { blobs, xorbs }: { blobs: BlobStore; xorbs: XorbPool },
  key: BlobKey,
  take: (bytes: Uint8Array) => Promise<void> = async () => undefined,
): Promise<VerifiedXorb | null> {
  try {
    const { kind, name } = parseKey(key)!
    const bytes = await blobs.read(key)
    switch (kind) {
      case 'xorbs':
        return await verifyXorb(xorbs, bytes, name as XetHash, take)
      case 'lfs':
        await readLfs(bytes, name, take)
        return null
      case 'shards':
        await readShard(bytes, take)
        return null
    }
  } catch (error) {
    if (error instanceof BlobNotFoundError)
      throw new DamagedBlobError('is missing in the store', { cause: error })
    if (error instanceof FormatError)
      throw new DamagedBlobError(`is damaged: ${error.message}`, { cause: error })
    throw error
  }
}

async function readLfs(
  bytes: AsyncIterable<Uint8Array>,
  oid: string,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const hash = createHash('sha256')
  for await (const chunk of bytes) {
    hash.update(chunk)
    await take(chunk)
  }
  if (hash.digest('hex') !== oid) throw new DamagedBlobError('is damaged: it has another sha256')
}

async function readShard(
  bytes: AsyncIterable<Uint8Array>,
  take: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const parts: Buffer[] = []
  for await (const chunk of bytes) parts.push(Buffer.from(chunk))
  const whole = Buffer.concat(parts)
  parseShard(whole)
  await take(whole)
}
