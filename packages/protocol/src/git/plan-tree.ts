/**
 * The trees that a set of edits makes out of an old root tree; reads only the folders on changed paths.
 *
 * Deletions speak about the old tree and additions about the new one, whatever their order in the map. So
 * `a/` → delete-folder with `a` → file replaces a folder by a file, and `a/` → delete-folder with `a/b` → file
 * replaces what the folder holds. A folder left without entries disappears.
 */
import { HubError } from '../errors.ts'
import { TREE_READ_CONCURRENCY } from '../limits.ts'
import type { Primitives } from '../primitives.ts'
import { printable } from '../repo-id.ts'
import {
  EMPTY_TREE_OID,
  encodeTree,
  type GitMode,
  type NewObject,
  newObject,
  type TreeEntry,
} from './objects.ts'
import { assertRepoPath } from './paths.ts'

/** A file to put, null to delete a file, or the deletion of a folder (whose key may end with '/'). */
export type TreeEdit = { oid: string; mode: GitMode } | null | 'delete-folder'

export interface TreePlan {
  rootOid: string
  /** Trees that differ from the old ones, children before parents. */
  newTrees: NewObject[]
}

interface Folder {
  path: string
  put: Map<string, { oid: string; mode: GitMode }>
  deletedFiles: Set<string>
  deletedFolders: Set<string>
  children: Map<string, Folder>
  /** The old entries, or null when the folder was not there. */
  oldOid: string | null
  entries: Map<string, TreeEntry>
}

export async function planTree(options: {
  rootTreeOid: string | null
  edits: ReadonlyMap<string, TreeEdit>
  readTree: (oid: string) => Promise<readonly TreeEntry[]>
  primitives: Pick<Primitives, 'sha1'>
}): Promise<TreePlan> {
  const root = emptyFolder('')
  for (const [path, edit] of options.edits) addEdit(root, path, edit)
  root.oldOid = options.rootTreeOid
  const folders = await loadFolders(root, options.readTree)

  const newTrees = new Map<string, NewObject>()
  let rootOid = EMPTY_TREE_OID
  // Breadth first and backwards: every folder comes before the one that holds it.
  const results = new Map<Folder, string | null>()
  for (const folder of folders.toReversed()) {
    const entries = editedEntries(folder, results)
    if (entries.length === 0 && folder !== root) {
      results.set(folder, null)
      continue
    }
    const tree = newObject(options.primitives, 'tree', encodeTree(entries))
    if (tree.oid !== folder.oldOid) newTrees.set(tree.oid, tree)
    results.set(folder, tree.oid)
    rootOid = tree.oid
  }
  return { rootOid, newTrees: [...newTrees.values()] }
}

function emptyFolder(path: string): Folder {
  return {
    path,
    put: new Map(),
    deletedFiles: new Set(),
    deletedFolders: new Set(),
    children: new Map(),
    oldOid: null,
    entries: new Map(),
  }
}

function addEdit(root: Folder, path: string, edit: TreeEdit): void {
  const target = edit === 'delete-folder' && path.endsWith('/') ? path.slice(0, -1) : path
  // What a push brought may have a name that the hub itself would not write; it can still be deleted.
  if (edit !== null && edit !== 'delete-folder') assertRepoPath(target)
  const components = target.split('/')
  if (components.includes(''))
    throw new HubError('Invalid', `Invalid path '${printable(path)}': a component is empty`)
  const name = components.pop()!
  let folder = root
  let at = ''
  for (const component of components) {
    at += `${component}/`
    let child = folder.children.get(component)
    if (child === undefined) folder.children.set(component, (child = emptyFolder(at)))
    folder = child
  }
  if (edit === null) folder.deletedFiles.add(name)
  else if (edit === 'delete-folder') folder.deletedFolders.add(name)
  else folder.put.set(name, edit)
}

/** Reads the old entries of every folder on a changed path, level by level; returns them in that order. */
async function loadFolders(
  root: Folder,
  readTree: (oid: string) => Promise<readonly TreeEntry[]>,
): Promise<Folder[]> {
  const all: Folder[] = []
  for (let level = [root]; level.length > 0;) {
    for (let at = 0; at < level.length; at += TREE_READ_CONCURRENCY) {
      await Promise.all(
        level.slice(at, at + TREE_READ_CONCURRENCY).map(async (folder) => {
          if (folder.oldOid === null || folder.oldOid === EMPTY_TREE_OID) return
          for (const entry of await readTree(folder.oldOid)) folder.entries.set(entry.name, entry)
        }),
      )
    }
    const next: Folder[] = []
    for (const folder of level) {
      all.push(folder)
      applyDeletions(folder)
      for (const [name, child] of folder.children) {
        const old = folder.entries.get(name)
        if (old?.mode === '40000') child.oldOid = old.oid
        next.push(child)
      }
    }
    level = next
  }
  return all
}

/** Checks the deletions of this folder against what it held, and takes them out. */
function applyDeletions(folder: Folder): void {
  for (const name of folder.deletedFolders) {
    if (folder.entries.get(name)?.mode !== '40000')
      throw new HubError('EntryNotFound', `A file with this name doesn't exist: ${shown(folder, name)}`)
    folder.entries.delete(name)
    // The whole folder goes, so nothing below it is left to be deleted one by one.
    const child = folder.children.get(name)
    if (child !== undefined) forgetDeletions(child)
  }
  for (const name of folder.deletedFiles) {
    const old = folder.entries.get(name)
    if (old === undefined || old.mode === '40000')
      throw new HubError('EntryNotFound', `A file with this name doesn't exist: ${shown(folder, name)}`)
    folder.entries.delete(name)
  }
}

function forgetDeletions(folder: Folder): void {
  for (const pending = [folder]; pending.length > 0;) {
    const next = pending.pop()!
    next.deletedFiles.clear()
    next.deletedFolders.clear()
    pending.push(...next.children.values())
  }
}

function editedEntries(folder: Folder, results: ReadonlyMap<Folder, string | null>): TreeEntry[] {
  const entries = folder.entries
  for (const [name, child] of folder.children) {
    const oid = results.get(child) ?? null
    const old = entries.get(name)
    if (oid === null) {
      if (old?.mode === '40000') entries.delete(name)
      continue
    }
    if (old !== undefined && old.mode !== '40000')
      throw new HubError('Invalid', `'${shown(folder, name)}' is a file, so it cannot hold files`)
    entries.set(name, { name, mode: '40000', oid })
  }
  for (const [name, { oid, mode }] of folder.put) {
    if (entries.get(name)?.mode === '40000')
      throw new HubError('Invalid', `'${shown(folder, name)}' is a folder, so it cannot become a file`)
    entries.set(name, { name, mode, oid })
  }
  return [...entries.values()]
}

function shown(folder: Folder, name: string): string {
  return printable(folder.path + name)
}
