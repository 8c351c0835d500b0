/**
 * A repository's objects as files, from one folder of repositories into another. Packs and loose objects never change
 * and prove themselves: a pack and its index end with their checksum, a loose object's name is its hash. What can be
 * made anew (refs, indexes over packs, bitmaps) stays behind. Copies are durable when this returns.
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, copyFile, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createInflate } from 'node:zlib'

import { createBareRepository, gitDirOf, removeBareRepository } from './bare-repository.ts'
import { syncFolder } from './durable.ts'

const CHECKSUM_BYTES = 20
/** Packing replaces files while they are copied; each time there is less to do. */
const ATTEMPTS_MAX = 10

export interface ObjectCopy {
  copiedFiles: number
  copiedBytes: number
  /** Whether the source has a folder for this repository. */
  isThere: boolean
  /** Files that are not what they should be. They were not copied. */
  faults: { file: string; message: string }[]
  /** Files of the target that the source has replaced. The caller removes them when nothing counts on them. */
  replaced: string[]
}

/** Brings the objects of a repository over, making it in the target when it is not there. */
export async function copyRepository(fromRoot: string, toRoot: string, repoId: string): Promise<ObjectCopy> {
  const copy: ObjectCopy = { copiedFiles: 0, copiedBytes: 0, isThere: true, faults: [], replaced: [] }
  const from = join(gitDirOf(fromRoot, repoId), 'objects')
  const toDir = gitDirOf(toRoot, repoId)
  if (!(await exists(from))) return { ...copy, isThere: false }
  await mkdir(join(toRoot, 'discarded'), { recursive: true })
  await createBareRepository(toRoot, toDir)
  const to = join(toDir, 'objects')
  for (let attempt = 1; ; attempt++) {
    copy.faults = []
    const files = await objectFiles(from)
    const folders = new Set<string>()
    let hasVanished = false
    for (const file of files)
      try {
        if (await copyObjectFile(join(from, file), join(to, file), copy)) folders.add(dirname(join(to, file)))
      } catch (error) {
        if (error instanceof DamagedFileError) copy.faults.push({ file, message: error.message })
        else if ((error as NodeJS.ErrnoException).code === 'ENOENT') hasVanished = true
        else throw error
      }
    for (const folder of folders) await syncFolder(folder)
    if (folders.size > 0) await syncFolder(to)
    if (hasVanished && attempt < ATTEMPTS_MAX) continue
    if (hasVanished) throw new Error(`The objects of ${repoId} do not hold still`)
    const current = new Set(files)
    copy.replaced = (await objectFiles(to)).filter((file) => !current.has(file)).map((file) => join(to, file))
    return copy
  }
}

/** Ids of the repositories in a folder of them, in the groups in which they lie. */
export async function* listRepositories(root: string): AsyncGenerator<string[]> {
  for (const group of (await readdir(root)).toSorted()) {
    if (!/^[a-z0-9_-]{2}$/.test(group)) continue
    const names = (await readdir(join(root, group))).filter((name) => name.endsWith('.git'))
    yield names.map((name) => name.slice(0, -'.git'.length)).toSorted()
  }
}

export async function removeRepository(root: string, repoId: string): Promise<void> {
  await removeBareRepository(root, gitDirOf(root, repoId))
}

/**
 * Loose objects before packs: what is packed while this goes on is then found in a pack. A pack without its index is
 * one that is being written.
 */
async function objectFiles(objects: string): Promise<string[]> {
  const loose: string[] = []
  for (const folder of await readdir(objects)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue
    for (const name of await readdir(join(objects, folder)))
      if (/^[0-9a-f]{38}$/.test(name)) loose.push(`${folder}/${name}`)
  }
  const names = await readdir(join(objects, 'pack'))
  const indexes = names.filter((name) => /^pack-[0-9a-f]{40}\.idx$/.test(name))
  return [...loose, ...indexes.flatMap((idx) => [`pack/${idx.replace(/idx$/, 'pack')}`, `pack/${idx}`])]
}

async function copyObjectFile(from: string, to: string, copy: ObjectCopy): Promise<boolean> {
  const { size } = await stat(from)
  const present = await stat(to).catch(() => null)
  if (present?.size === size) return false
  await mkdir(dirname(to), { recursive: true })
  const temporary = join(dirname(to), `tmp_copy_${basename(to)}`)
  await rm(temporary, { force: true })
  try {
    await copyFile(from, temporary)
    await assertSound(temporary, to)
    await using file = await open(temporary, 'r')
    await file.sync()
    await rename(temporary, to)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  copy.copiedFiles += 1
  copy.copiedBytes += size
  return true
}

class DamagedFileError extends Error {}

async function assertSound(path: string, name: string): Promise<void> {
  const isWhole = /\.(?:pack|idx)$/.test(name) ? await endsWithItsChecksum(path) : await isLoose(path, name)
  if (!isWhole) throw new DamagedFileError('its bytes are not those that were written')
}

async function endsWithItsChecksum(path: string): Promise<boolean> {
  const { size } = await stat(path)
  if (size <= CHECKSUM_BYTES) return false
  const hash = createHash('sha1')
  await pipeline(createReadStream(path, { end: size - CHECKSUM_BYTES - 1 }), hash)
  await using file = await open(path, 'r')
  const { buffer } = await file.read(Buffer.alloc(CHECKSUM_BYTES), 0, CHECKSUM_BYTES, size - CHECKSUM_BYTES)
  return hash.digest().equals(buffer)
}

async function isLoose(path: string, name: string): Promise<boolean> {
  const hash = createHash('sha1')
  try {
    await pipeline(createReadStream(path), createInflate(), hash)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith('Z_')) return false
    throw error
  }
  return hash.digest('hex') === basename(dirname(name)) + basename(name)
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
