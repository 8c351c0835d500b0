/**
 * What the operations of one commit amount to, applied in order (hub-api.md §7.2), without knowing the tree that they
 * apply to: first folders are removed, then files are set and removed. What the tree must hold for that is listed, so
 * that the owner of the tree can refuse.
 */
import { HubError } from '../errors.ts'
import { COMMIT_OPERATIONS_MAX } from '../limits.ts'
import { printable } from '../repo-id.ts'
import type { CommitHeader, CommitOperation, FileOperation, LfsFileOperation } from './commit.ts'

export type Put<Content> = FileOperation<Content> | LfsFileOperation

export interface CommitPlan<Content> {
  header: CommitHeader
  /** Folders to remove from the parent's tree before anything else. Required ones must be there, or 404 EntryNotFound. */
  deletedFolders: Map<string, { required: boolean }>
  /** Then: what each path becomes; null is no file. No path lies below another that becomes a file. */
  changes: Map<string, Put<Content> | null>
  /** Files that the parent's tree must hold because the commit removes them, or 404 EntryNotFound. */
  requiredFiles: Set<string>
}

/** Clients look for these words and add a hint of their own (huggingface_hub 2.4.0 `_commit_api.py`). */
export function missingEntryMessage(path: string): string {
  return `A file with this name doesn't exist: ${printable(path)}`
}

interface Change<Content> {
  put: Put<Content> | null
  at: number
  firstPutAt: number
}

/**
 * Folds parsed lines, header first. Throws `BadRequest` when the header is missing or doubled, `TooLarge` for too many
 * operations, `EntryNotFound` for removing what an earlier line removed, `Invalid` when a path is a file and a folder.
 */
export function foldOperations<Content>(operations: Iterable<CommitOperation<Content>>): CommitPlan<Content> {
  const changes = new Map<string, Change<Content>>()
  const folders = new Map<string, { firstAt: number; lastAt: number }>()
  const requiredFiles = new Set<string>()
  let header: CommitHeader | null = null
  let at = 0

  /** When the path last vanished with a folder; -1 for never. */
  const clearedAt = (path: string): number => {
    let latest = -1
    if (folders.size > 0)
      for (const folder of foldersOf(path)) latest = Math.max(latest, folders.get(folder)?.lastAt ?? -1)
    return latest
  }
  const remove = (path: string): void => {
    const change = changes.get(path)
    const cleared = clearedAt(path)
    if (change?.put && change.at > cleared) change.put = null
    else if (change !== undefined || cleared >= 0)
      throw new HubError('EntryNotFound', missingEntryMessage(path))
    else {
      requiredFiles.add(path)
      changes.set(path, { put: null, at, firstPutAt: Infinity })
      return
    }
    change.at = at
  }

  for (const operation of operations) {
    if ((operation.kind === 'header') !== (at === 0))
      throw new HubError(
        'BadRequest',
        at === 0 ? 'The commit has no header' : 'The commit has a second header',
      )
    if (at > COMMIT_OPERATIONS_MAX)
      throw new HubError('TooLarge', `A commit has at most ${COMMIT_OPERATIONS_MAX} operations`)
    switch (operation.kind) {
      case 'header':
        header = operation
        break
      case 'file':
      case 'lfsFile':
        if (operation.oldPath !== undefined && operation.oldPath !== operation.path) remove(operation.oldPath)
        changes.set(operation.path, {
          put: operation,
          at,
          firstPutAt: Math.min(changes.get(operation.path)?.firstPutAt ?? Infinity, at),
        })
        break
      case 'deletedFile':
        remove(operation.path)
        break
      case 'deletedFolder':
        folders.set(operation.path, { firstAt: folders.get(operation.path)?.firstAt ?? at, lastAt: at })
        break
    }
    at++
  }
  if (header === null) throw new HubError('BadRequest', 'The commit has no header')

  const deletedFolders = requireFolders(folders, changes)
  const final = new Map<string, Put<Content> | null>()
  for (const [path, change] of changes) if (change.at > clearedAt(path)) final.set(path, change.put)
  refuseClashes(final)
  return { header, deletedFolders, changes: final, requiredFiles }
}

/** A removed folder must have been in the tree unless an earlier line of this commit put something below it. */
function requireFolders<Content>(
  folders: ReadonlyMap<string, { firstAt: number }>,
  changes: ReadonlyMap<string, Change<Content>>,
): Map<string, { required: boolean }> {
  const required = new Map<string, { required: boolean }>()
  for (const [path, { firstAt }] of folders) {
    // A folder that vanished with one above it may be removed again; what it held is gone either way.
    let vanished = false
    for (const above of foldersOf(path)) vanished ||= (folders.get(above)?.firstAt ?? Infinity) < firstAt
    required.set(path, { required: !vanished })
  }
  if (folders.size === 0) return required
  for (const [path, change] of changes)
    for (const folder of foldersOf(path))
      if (change.firstPutAt < (folders.get(folder)?.firstAt ?? -1)) required.set(folder, { required: false })
  return required
}

function refuseClashes<Content>(changes: ReadonlyMap<string, Put<Content> | null>): void {
  for (const [path, put] of changes) {
    if (put === null) continue
    for (const folder of foldersOf(path))
      if (changes.get(folder))
        throw new HubError('Invalid', `'${printable(folder)}' cannot be a file and a folder`)
  }
}

/** `a`, `a/b` for `a/b/c`. */
function* foldersOf(path: string): Generator<string> {
  for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1))
    yield path.slice(0, slash)
}
