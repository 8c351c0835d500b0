/** Walks the blobs on disk in key order, entering only folders that can hold a key that was asked for. */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

import { hasCode } from '../durable.ts'
import { isBlobKey } from '../keys.ts'
import type { BlobKey, BlobStat } from './blob-store.ts'

/** Files that are no keys (an operator's, a file system's own) are passed over. */
export async function* listBlobs(
  blobsPath: string,
  prefix: string,
  after: BlobKey | undefined,
  folder = '',
): AsyncGenerator<BlobStat> {
  for (const entry of await entriesOf(blobsPath, folder)) {
    if (entry.endsWith('/')) {
      const mayMatch = entry.startsWith(prefix) || prefix.startsWith(entry)
      const mayFollow = after === undefined || entry > after || after.startsWith(entry)
      if (mayMatch && mayFollow) yield* listBlobs(blobsPath, prefix, after, entry)
    } else if (isBlobKey(entry) && entry.startsWith(prefix) && (after === undefined || entry > after)) {
      const sizeBytes = await sizeOf(join(blobsPath, entry))
      if (sizeBytes !== null) yield { key: entry, sizeBytes }
    }
  }
}

/**
 * In key order, which compares whole keys: with its slash, folder `a-b/` comes before `a/`, as in every key below
 * them. Keys are ASCII, so comparing strings compares bytes.
 */
async function entriesOf(blobsPath: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(blobsPath, folder), { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory() || entry.isFile())
    .map((entry) => `${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`)
    .toSorted((a, b) => (a < b ? -1 : 1))
}

/** null when the blob was deleted since its folder was read. */
async function sizeOf(path: string): Promise<number | null> {
  try {
    return (await stat(path)).size
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    throw error
  }
}
