/**
 * Writes refs of the projection, durably. git syncs a ref's file but not the folder that names it, and the flag
 * that says «dirty» is cleared right afterwards; so the folders are synced here.
 */
import { lstat, readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { type GitObjectType, isOid } from '@cairn/protocol/git/objects'
import { assertRefName } from '@cairn/protocol/git/paths'

import { PACKED_REFS_MIN } from '../limits.ts'
import { replaceUnderLock, syncFolder } from './durable.ts'
import type { GitHelper } from './helper.ts'
import { packRefs } from './packed-refs.ts'

type TypeOf = (oid: string) => Promise<GitObjectType | null>

const OIDS_AT_ONCE = 256

export interface RefChange {
  name: string
  /** Null deletes it. */
  oid: string | null
}

/** `typeOf` answers what the repository has by this oid. */
export async function projectRefs(
  helper: GitHelper,
  gitDir: string,
  refs: readonly RefChange[],
  typeOf: TypeOf,
): Promise<void> {
  for (const { name, oid } of refs) {
    assertRefName(name)
    if (oid !== null && !isOid(oid)) throw new TypeError('Not an oid')
  }
  const [only] = refs
  if (only === undefined) return
  if (refs.length === 1 && (await moveLooseBranch(gitDir, only, typeOf))) return

  if (refs.length >= PACKED_REFS_MIN && (await areSound(refs, typeOf)) && (await packRefs(gitDir, refs))) {
    // Notes in the file where annotated tags lead, which spares every fetch the look at each.
    await helper.runGit({ args: ['pack-refs', '--all'], gitDir })
    return
  }

  // git refuses to make a/b in the transaction that deletes a, so deletions that are in the way go first.
  const deletions = refs.filter(({ oid }) => oid === null)
  const updates = refs.filter(({ oid }) => oid !== null)
  const steps = isInTheWay(deletions, updates) ? [deletions, updates] : [refs]
  for (const step of steps) {
    const commands = step.map(({ name, oid }) =>
      oid === null ? `delete ${name}\0\0` : `update ${name}\0${oid}\0\0`,
    )
    await helper.runGit({ args: ['update-ref', '--stdin', '-z'], gitDir, stdin: commands.join('') })
  }
  await syncRefFolders(gitDir, refs)
}

/** Points HEAD at a branch, which need not exist yet. */
export async function projectHead(gitDir: string, branch: string): Promise<void> {
  assertRefName(branch)
  const path = join(gitDir, 'HEAD')
  const content = `ref: ${branch}\n`
  if ((await readFile(path, 'utf8')) === content) return
  if (!(await replaceUnderLock(path, content, async () => true))) throw new Error('HEAD is locked')
}

/**
 * The usual case without a process: moving a branch that lies in a file of its own. Does what git does, under
 * git's lock and with git's checks; whatever is not that simple is left to git.
 */
async function moveLooseBranch(gitDir: string, { name, oid }: RefChange, typeOf: TypeOf): Promise<boolean> {
  if (oid === null || !name.startsWith('refs/heads/')) return false
  const path = join(gitDir, name)
  const isPlain = async () => {
    try {
      return (await lstat(path)).isFile() && isOid((await readFile(path, 'utf8')).trimEnd())
    } catch {
      // Not there, or a folder: git knows the rules for that.
      return false
    }
  }
  if (!(await isPlain()) || (await typeOf(oid)) !== 'commit') return false
  return replaceUnderLock(path, `${oid}\n`, isPlain)
}

/** git's own checks, made for all before anything is written; what fails them is left to git to refuse. */
async function areSound(refs: readonly RefChange[], typeOf: TypeOf): Promise<boolean> {
  const types = new Map<string, GitObjectType | null>()
  const oids = [...new Set(refs.flatMap(({ oid }) => oid ?? []))]
  for (let at = 0; at < oids.length; at += OIDS_AT_ONCE)
    await Promise.all(oids.slice(at, at + OIDS_AT_ONCE).map(async (oid) => types.set(oid, await typeOf(oid))))
  return refs.every(({ name, oid }) => {
    const type = oid === null ? 'commit' : types.get(oid)
    return type === 'commit' || (type === 'tag' && !name.startsWith('refs/heads/'))
  })
}

function isInTheWay(deletions: readonly RefChange[], updates: readonly RefChange[]): boolean {
  const folders = new Set<string>()
  for (const { name } of updates) for (const folder of foldersOf(name)) folders.add(folder)
  const updated = new Set(updates.map(({ name }) => name))
  return deletions.some(
    ({ name }) => folders.has(name) || foldersOf(name).some((folder) => updated.has(folder)),
  )
}

/** `refs/heads/a` and `refs/heads` and `refs`, for `refs/heads/a/b`. */
function foldersOf(name: string): string[] {
  const folders: string[] = []
  for (let folder = dirname(name); folder !== '.'; folder = dirname(folder)) folders.push(folder)
  return folders
}

async function syncRefFolders(gitDir: string, refs: readonly RefChange[]): Promise<void> {
  // The repository's own folder holds packed-refs, from which a deletion takes its line.
  const folders = new Set([''])
  for (const { name } of refs) for (const folder of foldersOf(name)) folders.add(folder)
  for (const folder of folders) {
    try {
      await syncFolder(join(gitDir, folder))
    } catch (error) {
      // git takes a folder away with its last ref; the parent's sync covers that.
      if (!['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    }
  }
}
