/**
 * Parts of multipart uploads on disk: `parts/{uploadId}/{n}`. A part file is
 *
 *   0        size     the part's bytes
 *   size     32       their sha256, which in hex is the ETag
 *
 * so that one rename replaces bytes and ETag together and a restarted server knows both. The folder's modification
 * time, which every put moves, says when an upload was last touched.
 */
import { createHash, randomUUID } from 'node:crypto'
import { open, opendir, readdir, rename, rm, stat } from 'node:fs/promises'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import type { BufferPool } from '../../buffer-pool.ts'
import { PART_LIST_CONCURRENCY, UPLOAD_PARTS_MAX } from '../../limits.ts'
import { hasCode, makeDirDurable, syncDir } from '../durable.ts'
import { PartMismatchError, PartTooLargeError } from './blob-store.ts'
import type { PartStore, Staged } from './blob-store.ts'
import { readFrom } from './disk-read.ts'
import type { StagingFile } from './staging-file.ts'

const UPLOAD_ID = /^[a-zA-Z0-9-]{8,64}$/
const PART_NAME = /^[1-9][0-9]{0,4}$/
const TRAILER_BYTES = 32

interface PartStat {
  partNumber: number
  etag: string
  sizeBytes: number
}

interface DiskPartsOptions {
  partsPath: string
  stagingPath: string
  readPool: BufferPool
  createStagingFile: () => Promise<StagingFile>
  stage: () => Promise<Staged>
}

export function diskParts(options: DiskPartsOptions): PartStore {
  const { partsPath, stagingPath, readPool, createStagingFile, stage } = options

  function uploadPath(uploadId: string): string {
    if (!UPLOAD_ID.test(uploadId))
      throw new TypeError(`Not an upload id: ${JSON.stringify(uploadId.slice(0, 80))}`)
    return join(partsPath, uploadId)
  }

  function partPath(uploadId: string, partNumber: number): string {
    if (!Number.isInteger(partNumber) || partNumber < 1 || partNumber > UPLOAD_PARTS_MAX)
      throw new RangeError(`A part number is 1 to ${UPLOAD_PARTS_MAX}, not ${partNumber}`)
    return join(uploadPath(uploadId), String(partNumber))
  }

  async function put(
    uploadId: string,
    partNumber: number,
    bytes: AsyncIterable<Uint8Array>,
    sizeBytesMax: number,
  ) {
    const target = partPath(uploadId, partNumber)
    const file = await createStagingFile()
    try {
      for await (const chunk of bytes) {
        if (file.sizeBytes + chunk.length > sizeBytesMax) throw new PartTooLargeError(sizeBytesMax)
        await file.append(chunk)
      }
      await file.finish()
      const etag = file.sha256()
      await file.sync(Buffer.from(etag, 'hex'))
      const folder = uploadPath(uploadId)
      await makeDirDurable(folder)
      await rename(file.path, target)
      await syncDir(folder)
      return { etag, sizeBytes: file.sizeBytes }
    } finally {
      await file.discard()
    }
  }

  async function list(uploadId: string): Promise<PartStat[]> {
    const folder = uploadPath(uploadId)
    const numbers = (await namesIn(folder)).filter((name) => PART_NAME.test(name)).map(Number)
    numbers.sort((a, b) => a - b)
    const parts: PartStat[] = []
    for (let i = 0; i < numbers.length; i += PART_LIST_CONCURRENCY) {
      const some = numbers.slice(i, i + PART_LIST_CONCURRENCY)
      for (const part of await Promise.all(some.map((n) => statPart(folder, n))))
        if (part !== null) parts.push(part)
    }
    return parts
  }

  async function assemble(uploadId: string, parts: { partNumber: number; etag: string }[]): Promise<Staged> {
    if (parts.length === 0 || parts.some(({ partNumber }, index) => partNumber !== index + 1))
      throw new RangeError('Parts are joined from number 1 on, without gaps')
    const staged = await stage()
    try {
      for (const part of parts) await appendPart(staged, partPath(uploadId, part.partNumber), part, readPool)
      return staged
    } catch (error) {
      await staged.abort()
      throw error
    }
  }

  /** Out of sight in one step; what a crash leaves of it is staging, which the next start clears. */
  async function drop(uploadId: string): Promise<void> {
    const grave = join(stagingPath, randomUUID())
    try {
      await rename(uploadPath(uploadId), grave)
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return
      throw error
    }
    await rm(grave, { recursive: true, force: true })
  }

  async function* listStale(before: number): AsyncGenerator<string> {
    for await (const { name } of await opendir(partsPath)) {
      if (!UPLOAD_ID.test(name)) continue
      const modified = await modifiedAt(join(partsPath, name))
      if (modified !== null && modified < before) yield name
    }
  }

  return { put, list, assemble, drop, listStale }
}

async function appendPart(
  staged: Staged,
  path: string,
  part: { partNumber: number; etag: string },
  readPool: BufferPool,
): Promise<void> {
  const file = await openPart(path)
  if (file === null) throw new PartMismatchError(part.partNumber, 'absent')
  const stored = await closingOnError(file, async () => {
    const found = await readTrailer(file, part.partNumber)
    if (found.etag !== part.etag) throw new PartMismatchError(part.partNumber, 'etag')
    return found
  })
  const hash = createHash('sha256')
  for await (const chunk of await readFrom(file, 0, stored.sizeBytes, readPool)) {
    hash.update(chunk)
    await staged.append(chunk)
  }
  if (hash.digest('hex') !== part.etag) throw new PartMismatchError(part.partNumber, 'bytes')
}

async function statPart(folder: string, partNumber: number): Promise<PartStat | null> {
  const file = await openPart(join(folder, String(partNumber)))
  if (file === null) return null
  try {
    return await readTrailer(file, partNumber)
  } finally {
    await file.close()
  }
}

async function readTrailer(file: FileHandle, partNumber: number): Promise<PartStat> {
  const sizeBytes = (await file.stat()).size - TRAILER_BYTES
  const trailer = Buffer.alloc(TRAILER_BYTES)
  const read = sizeBytes < 0 ? 0 : (await file.read(trailer, 0, TRAILER_BYTES, sizeBytes)).bytesRead
  if (read !== TRAILER_BYTES) throw new PartMismatchError(partNumber, 'bytes')
  return { partNumber, etag: trailer.toString('hex'), sizeBytes }
}

async function closingOnError<T>(file: FileHandle, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await file.close()
    throw error
  }
}

async function openPart(path: string): Promise<FileHandle | null> {
  return orNull(open(path, 'r'))
}

async function namesIn(folder: string): Promise<string[]> {
  return (await orNull(readdir(folder))) ?? []
}

async function modifiedAt(path: string): Promise<number | null> {
  return (await orNull(stat(path)))?.mtimeMs ?? null
}

/** What was dropped meanwhile, or was never there, is absent and no failure. */
async function orNull<T>(found: Promise<T>): Promise<T | null> {
  try {
    return await found
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}
