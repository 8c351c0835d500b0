/**
 * Files that survive a power cut. A rename is durable only after the file was synced before it and the directory
 * after it; a new directory only after its parent was synced. Knows nothing of what the files mean.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** Replaces or creates a file in one step: readers, and a start after a crash, see all of it or none. */
export async function writeFileDurable(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}`)
  const file = await open(temporary, 'wx', mode)
  try {
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await renameDurable(temporary, path)
  } catch (error) {
    await unlinkIfPresent(temporary)
    throw error
  }
}

/** Both names lie on one volume, and the file itself has been synced. */
export async function renameDurable(from: string, to: string): Promise<void> {
  await rename(from, to)
  await syncDir(dirname(to))
  if (dirname(from) !== dirname(to)) await syncDir(dirname(from))
}

/** Makes the entries of a directory durable. */
export async function syncDir(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

const creating = new Map<string, Promise<void>>()

/**
 * Creates a directory and those above it, each durable when this returns. Callers that ask for a directory while it
 * is being created wait as well: it exists before it is durable.
 */
export function makeDirDurable(path: string): Promise<void> {
  const begun = creating.get(path)
  if (begun !== undefined) return begun
  const created = createDir(path).finally(() => creating.delete(path))
  creating.set(path, created)
  return created
}

async function createDir(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return
    if (!hasCode(error, 'ENOENT') || dirname(path) === path) throw error
    await makeDirDurable(dirname(path))
    return createDir(path)
  }
  await syncDir(dirname(path))
}

export async function unlinkIfPresent(path: string): Promise<void> {
  try {
    await unlink(path)
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error
  }
}

/** Whether an error of the operating system has one of these codes (`ENOENT`, …). */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code))
}
