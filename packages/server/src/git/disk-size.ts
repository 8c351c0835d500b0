/** What a folder of git's objects takes, file by file. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Files that come or go meanwhile count or do not. */
export async function sizeOfObjects(gitDir: string): Promise<number> {
  let bytes = 0
  for (const folder of await entriesOf(join(gitDir, 'objects')))
    for (const name of await entriesOf(join(gitDir, 'objects', folder)))
      bytes += await sizeOfFile(join(gitDir, 'objects', folder, name))
  return bytes
}

async function entriesOf(path: string): Promise<string[]> {
  return readdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return []
    throw error
  })
}

async function sizeOfFile(path: string): Promise<number> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  return found?.isFile() ? found.size : 0
}
