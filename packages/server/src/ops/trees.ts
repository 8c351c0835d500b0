/** Reading what a commit holds: folders, entries, LFS pointers, listings. Immutable data, cached by oid. */
import { setImmediate as pause } from 'node:timers/promises'

import { HubError } from '@cairn/protocol/errors'
import { encodeName } from '@cairn/protocol/git/names'
import { parseTree, type TreeEntry } from '@cairn/protocol/git/objects'
import { parsePointer } from '@cairn/protocol/lfs/pointer'
import { LFS_POINTER_MAX_BYTES } from '@cairn/protocol/limits'

import type { CommitRecord } from '../git/git-store.ts'
import {
  GIT_BLOB_MAX_BYTES,
  METADATA_FILE_MAX_BYTES,
  TREE_WALK_ENTRIES_MAX,
  TREE_WALK_FOLDERS_AHEAD,
} from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { BlobFacts } from './caches.ts'
import type { OpsContext } from './context.ts'

/** One file or folder with its path from the root. */
export interface PathEntry {
  path: string
  entry: TreeEntry
}

export async function readTree(ctx: OpsContext, repoId: string, treeOid: string): Promise<TreeEntry[]> {
  const key = `${repoId}/${treeOid}`
  const cached = ctx.caches.trees.get(key)
  if (cached !== undefined) return cached
  const { type, bytes } = await ctx.git.read(repoId, treeOid)
  if (type !== 'tree') throw new HubError('Internal', `${treeOid} is a ${type}, not a tree`)
  const entries = parseTree(bytes)
  ctx.caches.trees.set(key, entries)
  return entries
}

/** The entry at a path, or null. The empty path is the root folder. */
export async function entryAt(
  ctx: OpsContext,
  repoId: string,
  commit: CommitRecord,
  path: string,
): Promise<TreeEntry | null> {
  let entry: TreeEntry = { mode: '40000', name: '', oid: commit.treeOid }
  if (path === '') return entry
  for (const name of path.split('/')) {
    if (!isFolder(entry)) return null
    const next = entryNamed(await readTree(ctx, repoId, entry.oid), name)
    if (next === undefined) return null
    entry = next
  }
  return entry
}

/** A look into every entry for each of thousands of paths would hold up everybody else for seconds. */
const indexes = new WeakMap<readonly TreeEntry[], ReadonlyMap<string, TreeEntry>>()
const UNINDEXED_ENTRIES_MAX = 64

function entryNamed(entries: readonly TreeEntry[], name: string): TreeEntry | undefined {
  if (entries.length <= UNINDEXED_ENTRIES_MAX) return entries.find((entry) => entry.name === name)
  let index = indexes.get(entries)
  if (index === undefined)
    indexes.set(entries, (index = new Map(entries.map((entry) => [entry.name, entry]))))
  return index.get(name)
}

export function entryNotFound(path: string, commit: CommitRecord): HubError {
  return new HubError('EntryNotFound', `Entry not found: ${path}`.slice(0, 1000), { commit: commit.oid })
}

export function isFolder(entry: TreeEntry): boolean {
  return entry.mode === '40000'
}

/** Submodules have no content here; they are left out of listings. */
export function isFile(entry: TreeEntry): boolean {
  return entry.mode !== '40000' && entry.mode !== '160000'
}

/**
 * Walks a folder in git's order, each folder before what it holds, and yields what comes after the position `after`.
 * A position is an entry's path, with a slash behind it for a folder: as byte strings these sort exactly as the walk
 * goes. Bounded by `TREE_WALK_ENTRIES_MAX`.
 */
export async function* walk(
  ctx: OpsContext,
  repoId: string,
  treeOid: string,
  options: { prefix: string; recursive: boolean; after?: string | null },
): AsyncGenerator<PathEntry> {
  const after = options.after ?? null
  const afterBytes = after === null ? null : encodeName(after)
  const open: OpenFolder[] = []
  const enter = async (oid: string, prefix: string, isWhole: boolean): Promise<void> => {
    const entries = await readTree(ctx, repoId, oid)
    const isDue = (entry: TreeEntry) =>
      afterBytes === null ||
      Buffer.compare(encodeName(walkPosition({ path: pathIn(prefix, entry), entry })), afterBytes) > 0
    const due = isWhole ? 0 : firstWhere(entries, isDue)
    // The entry before may be the folder that the position lies in.
    open.push({ entries, prefix, due, next: Math.max(due - 1, 0) })
  }
  await enter(treeOid, options.prefix, after === null)
  // Generators inside one another would pass every entry through as many hands as its path has folders.
  for (let seen = 1, folder = open.at(-1); folder !== undefined; folder = open.at(-1)) {
    const index = folder.next++
    const entry = folder.entries[index]
    if (entry === undefined) {
      open.pop()
      continue
    }
    if (seen++ > TREE_WALK_ENTRIES_MAX)
      throw new HubError('TooLarge', `More than ${TREE_WALK_ENTRIES_MAX} entries`)
    if (seen % ENTRIES_BETWEEN_PAUSES === 0) await pause()
    const path = pathIn(folder.prefix, entry)
    const isNew = index >= folder.due
    if (isNew && (isFolder(entry) || isFile(entry))) yield { path, entry }
    if (isFolder(entry) && options.recursive && (isNew || after?.startsWith(`${path}/`))) {
      await readAhead(ctx, repoId, folder, index)
      await enter(entry.oid, path, isNew)
    }
  }
}

const ENTRIES_BETWEEN_PAUSES = 1000

/** Reads the folder that the walk comes to along with some that come after it: git answers all in one turn. */
async function readAhead(
  ctx: OpsContext,
  repoId: string,
  { entries }: OpenFolder,
  index: number,
): Promise<void> {
  const isKnown = ({ oid }: TreeEntry) => ctx.caches.trees.has(`${repoId}/${oid}`)
  if (isKnown(entries[index]!)) return
  const reads: Promise<unknown>[] = []
  for (let at = index; at < entries.length && reads.length < TREE_WALK_FOLDERS_AHEAD; at += 1)
    if (isFolder(entries[at]!) && !isKnown(entries[at]!)) reads.push(readTree(ctx, repoId, entries[at]!.oid))
  // One that cannot be read is told when the walk comes to it.
  await Promise.allSettled(reads)
}

/** A folder that the walk is in: the entries from `due` on come after its position. */
interface OpenFolder {
  entries: readonly TreeEntry[]
  prefix: string
  due: number
  next: number
}

function pathIn(prefix: string, entry: TreeEntry): string {
  return prefix === '' ? entry.name : `${prefix}/${entry.name}`
}

/** Index of the first entry that passes, in a list where all those behind it pass too. */
function firstWhere(entries: readonly TreeEntry[], passes: (entry: TreeEntry) => boolean): number {
  let low = 0
  for (let high = entries.length; low < high;) {
    const middle = (low + high) >>> 1
    if (passes(entries[middle]!)) high = middle
    else low = middle + 1
  }
  return low
}

export function walkPosition({ path, entry }: PathEntry): string {
  return isFolder(entry) ? `${path}/` : path
}

/** Size and pointer of blobs, read in one go and remembered. */
export async function blobFacts(
  ctx: OpsContext,
  repoId: string,
  oids: readonly string[],
): Promise<Map<string, BlobFacts>> {
  const facts = new Map<string, BlobFacts>()
  const unknown = new Set<string>()
  for (const oid of oids) {
    const known = ctx.caches.blobs.get(`${repoId}/${oid}`)
    if (known === undefined) unknown.add(oid)
    else facts.set(oid, known)
  }
  await Promise.all(
    [...unknown].map(async (oid) => {
      const read = await readFacts(ctx, repoId, oid)
      ctx.caches.blobs.set(`${repoId}/${oid}`, read)
      facts.set(oid, read)
    }),
  )
  return facts
}

async function readFacts(ctx: OpsContext, repoId: string, oid: string): Promise<BlobFacts> {
  const stat = await ctx.git.stat(repoId, oid)
  if (stat === null) throw new HubError('Internal', `The blob ${oid} is missing`)
  if (stat.sizeBytes > LFS_POINTER_MAX_BYTES) return { sizeBytes: stat.sizeBytes, lfs: null }
  const { bytes } = await ctx.git.read(repoId, oid, LFS_POINTER_MAX_BYTES)
  const pointer = parsePointer(bytes)
  return {
    sizeBytes: stat.sizeBytes,
    lfs: pointer === null ? null : { oid: pointer.oid, sizeBytes: pointer.sizeBytes },
  }
}

/** A small text file of a commit, or null when it is missing, a folder, too large or not UTF-8. */
export async function readTextFile(
  ctx: OpsContext,
  repo: RepoRow,
  commit: CommitRecord,
  path: string,
): Promise<{ oid: string; text: string } | null> {
  const entry = await entryAt(ctx, repo.id, commit, path)
  if (entry === null || !isFile(entry)) return null
  const stat = await ctx.git.stat(repo.id, entry.oid)
  if (stat === null || stat.sizeBytes > METADATA_FILE_MAX_BYTES) return null
  const { bytes } = await ctx.git.read(repo.id, entry.oid, METADATA_FILE_MAX_BYTES)
  // Not text: there is no card, no attributes and no ignore rules to be read in it.
  const text = decodeText(bytes)
  return text === null ? null : { oid: entry.oid, text }
}

/** Null for what is not UTF-8. */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}

export async function readBlob(ctx: OpsContext, repoId: string, oid: string): Promise<Uint8Array> {
  return (await ctx.git.read(repoId, oid, GIT_BLOB_MAX_BYTES)).bytes
}
