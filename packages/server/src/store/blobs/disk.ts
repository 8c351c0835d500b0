/**
 * Blobs in a directory that one process owns:
 *
 *   blobs/{key}              a blob; a file here is complete, durable and never changes (store/keys.ts draws the keys)
 *   staging/{random}         writes in progress; whatever is here when the store is opened is debris and is removed
 *   parts/{uploadId}/{n}     parts of multipart uploads (disk-parts.ts)
 *
 * All three lie on one volume that has hard links.
 */
import { randomUUID } from 'node:crypto'
import { open, readdir, rm, stat, statfs } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join, resolve } from 'node:path'

import { BufferPool } from '../../buffer-pool.ts'
import {
  GATHER_BUFFER_BYTES,
  GATHER_BUFFERS_IDLE_MAX,
  READ_BUFFER_BYTES,
  READ_BUFFERS_IDLE_MAX,
} from '../../limits.ts'
import { hasCode, makeDirDurable, unlinkIfPresent } from '../durable.ts'
import { isBlobKey } from '../keys.ts'
import { BlobNotFoundError } from './blob-store.ts'
import type { BlobKey, BlobStat, BlobStore, ByteRange, OpenBlob, PartStore, Staged } from './blob-store.ts'
import { listBlobs } from './disk-list.ts'
import { diskParts } from './disk-parts.ts'
import { fillPieces, readFrom } from './disk-read.ts'
import { DiskStaged } from './disk-staged.ts'
import { StagingFile } from './staging-file.ts'

export class DiskBlobStore implements BlobStore {
  readonly parts: PartStore
  readonly #blobsPath: string
  readonly #stagingPath: string
  readonly #readPool = new BufferPool(READ_BUFFER_BYTES, READ_BUFFERS_IDLE_MAX)
  readonly #gatherPool = new BufferPool(GATHER_BUFFER_BYTES, GATHER_BUFFERS_IDLE_MAX)

  /** Creates what is missing and clears what a crash left in staging. */
  static async open(root: string): Promise<DiskBlobStore> {
    const absolute = resolve(root)
    for (const folder of ['blobs', 'staging', 'parts']) await makeDirDurable(join(absolute, folder))
    const staging = join(absolute, 'staging')
    for (const name of await readdir(staging)) await rm(join(staging, name), { recursive: true, force: true })
    return new DiskBlobStore(absolute)
  }

  /** For reading only: staging is left to the process that owns the store. */
  static besideItsOwner(root: string): DiskBlobStore {
    return new DiskBlobStore(resolve(root))
  }

  private constructor(root: string) {
    this.#blobsPath = join(root, 'blobs')
    this.#stagingPath = join(root, 'staging')
    this.parts = diskParts({
      partsPath: join(root, 'parts'),
      stagingPath: this.#stagingPath,
      readPool: this.#readPool,
      createStagingFile: () => this.#createStagingFile(),
      stage: () => this.stage(),
    })
  }

  async stat(key: BlobKey): Promise<BlobStat | null> {
    try {
      return { key, sizeBytes: (await stat(this.#pathOf(key))).size }
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return null
      throw error
    }
  }

  async read(key: BlobKey, range?: ByteRange): Promise<AsyncIterable<Uint8Array>> {
    const file = await this.#openBlob(key)
    let stretch: { offset: number; sizeBytes: number }
    try {
      stretch = stretchOf((await file.stat()).size, range)
    } catch (error) {
      await file.close()
      throw error
    }
    return readFrom(file, stretch.offset, stretch.sizeBytes, this.#readPool)
  }

  async open(key: BlobKey): Promise<OpenBlob> {
    const file = await this.#openBlob(key)
    return {
      readInto: (start, pieces) => fillPieces(file, pieces, start),
      [Symbol.asyncDispose]: () => file.close(),
    }
  }

  async stage(kind: 'hashed' | 'unhashed' = 'hashed'): Promise<Staged> {
    return new DiskStaged(await this.#createStagingFile(kind === 'hashed'), (key) => this.#pathOf(key))
  }

  /** Leaves the folders: removing one would race with a commit that has just found it there. */
  async delete(key: BlobKey): Promise<void> {
    await unlinkIfPresent(this.#pathOf(key))
  }

  list(prefix: string, after?: BlobKey): AsyncIterable<BlobStat> {
    return listBlobs(this.#blobsPath, prefix, after)
  }

  async space(): Promise<{ freeBytes: number; totalBytes: number }> {
    const { bavail, blocks, bsize } = await statfs(this.#stagingPath)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  }

  async presign(): Promise<null> {
    return null
  }

  /** Holds nothing itself. Staged writes and readers belong to their callers, who end them first. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #createStagingFile(isHashed = true): Promise<StagingFile> {
    return StagingFile.create(join(this.#stagingPath, randomUUID()), this.#gatherPool, isHashed)
  }

  async #openBlob(key: BlobKey): Promise<FileHandle> {
    try {
      return await open(this.#pathOf(key), 'r')
    } catch (error) {
      if (hasCode(error, 'ENOENT')) throw new BlobNotFoundError(key, { cause: error })
      throw error
    }
  }

  /** Checks the key again: a cast from a string that came over the wire must not become a path. */
  #pathOf(key: BlobKey): string {
    if (!isBlobKey(key)) throw new TypeError(`Not a blob key: ${JSON.stringify(String(key).slice(0, 80))}`)
    return join(this.#blobsPath, key)
  }
}

function stretchOf(sizeBytes: number, range?: ByteRange): { offset: number; sizeBytes: number } {
  if (range === undefined) return { offset: 0, sizeBytes }
  const { start, end } = range
  const sound = Number.isSafeInteger(start) && Number.isSafeInteger(end) && 0 <= start && start <= end
  if (!sound || end >= sizeBytes) throw new RangeError(`Bytes ${start}-${end} do not lie within ${sizeBytes}`)
  return { offset: start, sizeBytes: end - start + 1 }
}
