/**
 * Many refs at once, in git's own file of them (`packed-refs`): lines `<oid> SP <name>`, sorted by name. One file to
 * sync instead of one for each ref.
 */
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { replaceUnderLock, syncFolder } from './durable.ts'
import type { RefChange } from './project-refs.ts'

/** Without `peeled`: git then finds out itself where tags lead, until it writes the file anew. */
const HEADER = '# pack-refs with: sorted \n'

/** Sets and deletes refs, durably. False, and nothing has changed, when somebody else writes the file. */
export async function packRefs(gitDir: string, changes: readonly RefChange[]): Promise<boolean> {
  const path = join(gitDir, 'packed-refs')
  const content = async () => {
    const refs = parse(await readFile(path, 'latin1').catch(absentAsEmpty))
    for (const { name, oid } of changes) {
      const key = Buffer.from(name).toString('latin1')
      if (oid === null) refs.delete(key)
      else refs.set(key, oid)
    }
    return Buffer.from(format(refs), 'latin1')
  }
  if (!(await replaceUnderLock(path, content, async () => true))) return false
  // A ref's own file counts before this one.
  for (const { name } of changes) await rm(join(gitDir, name)).catch(ignoreAbsent)
  const folders = new Set(changes.map(({ name }) => join(gitDir, name, '..')))
  for (const folder of folders) await syncFolder(folder).catch(ignoreAbsent)
  return true
}

/** Names are kept as latin-1, so that their order is that of their bytes. */
function parse(text: string): Map<string, string> {
  const refs = new Map<string, string>()
  for (const [, oid = '', name = ''] of text.matchAll(/^([0-9a-f]{40}) (.+)$/gm)) refs.set(name, oid)
  return refs
}

function format(refs: ReadonlyMap<string, string>): string {
  const lines = [...refs].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, oid]) => `${oid} ${name}\n`)
  return HEADER + lines.join('')
}

function absentAsEmpty(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return ''
  throw error
}

/** Not there, or a folder of other refs by that name. */
function ignoreAbsent(error: NodeJS.ErrnoException): void {
  if (!['ENOENT', 'ENOTDIR', 'ERR_FS_EISDIR', 'EISDIR'].includes(error.code ?? '')) throw error
}
