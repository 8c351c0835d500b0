/** Writes that survive a power cut: the file's bytes first, then the name in its folder. */
import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Replaces `path` whole: readers see the old bytes or the new ones. Durable when the promise resolves. */
export async function writeFileDurable(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const staged = `${path}.${process.pid}.new`
  // An earlier process of this pid may have died in between; `wx` makes sure that the mode is ours.
  await rm(staged, { force: true })
  try {
    await using file = await open(staged, 'wx', mode)
    await file.writeFile(bytes)
    await file.sync()
  } catch (error) {
    await rm(staged, { force: true })
    throw error
  }
  await rename(staged, path)
  await syncDir(dirname(path))
}

/** Makes the names in a folder durable. */
export async function syncDir(path: string): Promise<void> {
  await using dir = await open(path, 'r')
  await dir.sync()
}
