/**
 * Puts new objects into a bare repository so that they survive power loss: a few as loose files, more as one
 * pack with its index (stack.md §2 has the figures).
 */
import { createHash } from 'node:crypto'
import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { constants, crc32, deflate } from 'node:zlib'

import { type NewObject, objectHeader, objectOid } from '@cairn/protocol/git/objects'
import {
  encodeEntryHeader,
  encodePackHeader,
  encodePackIndex,
  type PackedEntry,
  packName,
} from '@cairn/protocol/git/pack'
import type { Primitives } from '@cairn/protocol/primitives'

import { DEFLATE_INLINE_MAX_BYTES, LOOSE_OBJECTS_MAX } from '../limits.ts'
import { syncFolder, writeTemporary } from './durable.ts'

const PLACE_ATTEMPTS_MAX = 10

const deflateOnThread = promisify(deflate)

/** Throws TypeError before anything is written when an oid is not that of its bytes. */
export async function writeObjects(
  objectsFolder: string,
  objects: readonly NewObject[],
  primitives: Primitives,
): Promise<void> {
  const unique = [...new Map(objects.map((object) => [object.oid, object])).values()]
  for (const { oid, type, bytes } of unique)
    if (objectOid(primitives, type, bytes) !== oid) throw new TypeError(`The ${type} ${oid} has another oid`)
  if (unique.length > LOOSE_OBJECTS_MAX) await writePack(join(objectsFolder, 'pack'), unique, primitives)
  else await writeLoose(objectsFolder, unique, primitives)
}

/**
 * An object that is there is written again: the other copy may be one whose writer has not synced it yet, or one
 * that a crash cut short, and the rename replaces it in one step.
 */
async function writeLoose(
  objectsFolder: string,
  objects: readonly NewObject[],
  primitives: Primitives,
): Promise<void> {
  const folders = new Set(objects.map(({ oid }) => join(objectsFolder, oid.slice(0, 2))))
  await Promise.all(
    objects.map(async ({ oid, type, bytes }) => {
      const content = Buffer.concat([objectHeader(type, bytes.length), bytes])
      const path = join(objectsFolder, oid.slice(0, 2), oid.slice(2))
      await placeLoose(path, await compress(content, primitives))
    }),
  )
  // The parent too: a folder that was there may have been made a moment ago by somebody else.
  await Promise.all([...folders].map(syncFolderIfThere))
  await syncFolder(objectsFolder)
}

/** A repack that goes on meanwhile takes away folders that are empty, also one that was made or found for us. */
async function placeLoose(path: string, content: Uint8Array): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(dirname(path), { recursive: true })
      await rename(await writeTemporary(dirname(path), 'obj', [content]), path)
      return
    } catch (error) {
      if (!isAbsence(error) || attempt === PLACE_ATTEMPTS_MAX) throw error
    }
  }
}

/** A folder that has gone was empty: its object lies in a pack, and git removes those only once that is on disk. */
async function syncFolderIfThere(folder: string): Promise<void> {
  try {
    await syncFolder(folder)
  } catch (error) {
    if (!isAbsence(error)) throw error
  }
}

function isAbsence(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

async function writePack(
  packFolder: string,
  objects: readonly NewObject[],
  primitives: Primitives,
): Promise<void> {
  const entries: PackedEntry[] = []
  const digest = createHash('sha1')
  let trailer = new Uint8Array()
  let offset = 0
  async function* chunks(): AsyncGenerator<Uint8Array> {
    const header = encodePackHeader(objects.length)
    digest.update(header)
    offset += header.length
    yield header
    for (const { oid, type, bytes } of objects) {
      const entry = Buffer.concat([encodeEntryHeader(type, bytes.length), await compress(bytes, primitives)])
      entries.push({ oid, offset, crc32: crc32(entry) })
      digest.update(entry)
      offset += entry.length
      yield entry
    }
    trailer = digest.digest()
    yield trailer
  }
  const temporaryPack = await writeTemporary(packFolder, 'pack', gather(chunks()))
  try {
    const temporaryIndex = await writeTemporary(packFolder, 'idx', [
      encodePackIndex(primitives, entries, trailer),
    ])
    const path = join(packFolder, packName(trailer))
    // git opens a pack when it sees its index, so that comes last.
    await rename(temporaryPack, `${path}.pack`)
    await rename(temporaryIndex, `${path}.idx`)
  } catch (error) {
    await rm(temporaryPack, { force: true })
    throw error
  }
  await syncFolder(packFolder)
}

async function compress(bytes: Uint8Array, primitives: Primitives): Promise<Uint8Array> {
  return bytes.length <= DEFLATE_INLINE_MAX_BYTES
    ? primitives.deflate(bytes)
    : deflateOnThread(bytes, { level: constants.Z_BEST_SPEED })
}

/** Joins small chunks, so that a pack of many small objects is not one write each. */
async function* gather(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let gathered: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of chunks) {
    gathered.push(chunk)
    sizeBytes += chunk.length
    if (sizeBytes < DEFLATE_INLINE_MAX_BYTES) continue
    yield Buffer.concat(gathered)
    gathered = []
    sizeBytes = 0
  }
  yield Buffer.concat(gathered)
}
