/** Small files that must survive power loss: written beside their place, synced, renamed, and the folder synced. */
import { randomBytes } from 'node:crypto'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, 'r')
  await handle.sync()
}

/** Makes the folder. Its parent is synced even if it was there: who made it may not have come to that yet. */
export async function makeFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await syncFolder(dirname(folder))
}

/**
 * Writes and syncs a file under a temporary name and returns that; the caller renames it and syncs the folder.
 * The name is of git's own pattern, so that its `prune` takes what a crash left behind.
 */
export async function writeTemporary(
  folder: string,
  kind: 'obj' | 'pack' | 'idx',
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<string> {
  const path = join(folder, `tmp_${kind}_${randomBytes(8).toString('hex')}`)
  const handle = await open(path, 'wx', 0o444)
  try {
    for await (const chunk of chunks) await handle.writeFile(chunk)
    await handle.sync()
  } catch (error) {
    await handle.close()
    await rm(path, { force: true })
    throw error
  }
  await handle.close()
  return path
}

/**
 * Replaces a file under git's own lock, `<path>.lock`. Returns false when somebody holds the lock or `isStill`
 * says no once it is ours; then nothing has changed. A content that is a function is asked under the lock.
 */
export async function replaceUnderLock(
  path: string,
  content: string | (() => Promise<Uint8Array>),
  isStill: () => Promise<boolean>,
): Promise<boolean> {
  const lock = `${path}.lock`
  let handle: FileHandle
  try {
    handle = await open(lock, 'wx', 0o644)
  } catch (error) {
    if (['EEXIST', 'ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    throw error
  }
  try {
    const isOurs = await isStill()
    if (isOurs) {
      await handle.writeFile(typeof content === 'string' ? content : await content())
      await handle.sync()
      await rename(lock, path)
    } else {
      await rm(lock)
    }
    await handle.close()
    if (isOurs) await syncFolder(dirname(path))
    return isOurs
  } catch (error) {
    await handle.close().catch(() => {})
    await rm(lock, { force: true })
    throw error
  }
}
