/** A large file of random bytes that differs from every other one in its first block only, so that making it is cheap. */
import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'

export const GIB = 1 << 30
const BLOCK_BYTES = 1 << 20

export interface LargeFile {
  path: string
  sizeBytes: number
  sha256: string
}

/** `sizeBytes`: whole MiB. Random throughout, so that nothing about it can be compressed or stored once. */
export async function makeLargeFile(path: string, sizeBytes: number): Promise<LargeFile> {
  await using file = await open(path, 'w')
  for (let at = 0; at < sizeBytes; at += BLOCK_BYTES) await file.write(randomBytes(BLOCK_BYTES))
  return { path, sizeBytes, sha256: await sha256Of(path) }
}

/** The same file with another beginning: new to whoever knows contents by their hash. */
export async function freshen(file: LargeFile): Promise<LargeFile> {
  await using handle = await open(file.path, 'r+')
  await handle.write(randomBytes(BLOCK_BYTES), 0, BLOCK_BYTES, 0)
  return { ...file, sha256: await sha256Of(file.path) }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: BLOCK_BYTES }), hash)
  return hash.digest('hex')
}
