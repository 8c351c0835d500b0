/** What a repository holds at a revision: listings, single entries, and the bytes behind a path. */
import { HubError } from '@cairn/protocol/errors'
import type { TreeEntry } from '@cairn/protocol/git/objects'

import type { CommitRecord } from '../git/git-store.ts'
import { TREE_PAGE_ENTRIES_MAX } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import type { BlobFacts } from './caches.ts'
import type { Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { openCursor, sealCursor } from './cursors.ts'
import { openGitBlob } from './git-blob.ts'
import { lastCommits } from './last-commits.ts'
import { absence, quarantineReasons } from './quarantine.ts'
import { resolveRevision, resolveRevisionOrUnborn, splitRevisionPath } from './revisions.ts'
import { openStored } from './stored-content.ts'
import {
  blobFacts,
  entryAt,
  entryNotFound,
  isFile,
  isFolder,
  walk,
  walkPosition,
  type PathEntry,
} from './trees.ts'

/** An entry of a listing with everything that the wire may say about it. */
export interface ListedEntry {
  type: 'file' | 'directory'
  path: string
  oid: string
  /** Of the real content, also behind a pointer; 0 for folders. */
  sizeBytes: number
  lfs: { oid: string; sizeBytes: number; pointerSizeBytes: number } | null
  xetHash: string | null
  /** Why the content cannot be had: its bytes are others than the pointer says. */
  quarantined: string | null
  lastCommit: CommitRecord | null
}

/** A file to be downloaded. */
export interface ResolvedFile {
  repo: RepoRow
  commit: CommitRecord
  path: string
  /** Of the git blob: the pointer, for LFS and Xet files. */
  blobOid: string
  facts: BlobFacts
  /** String form of the Xet file id, when the content lies in xorbs. */
  xetHash: string | null
  content: Content
}

/** `segments`: the still encoded rest of the address behind `/tree/`. */
export async function listTree(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  segments: readonly string[],
  options: { recursive: boolean; expand: boolean; cursor: string | null; limit: number | null },
): Promise<{ entries: ListedEntry[]; commit: CommitRecord; nextCursor: string | null }> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const { revision, path } = await splitRevisionPath(ctx, repo, segments)
  const { commit } = await resolveRevisionOrUnborn(ctx, repo, revision)
  const folder = await entryAt(ctx, repo.id, commit, path)
  // A file's path is EntryNotFound too: HfFileSystem falls back to the parent folder on it.
  if (folder === null || !isFolder(folder)) throw entryNotFound(path, commit)

  const listing = `tree/${repo.id}/${commit.oid}/${path}/${options.recursive ? 'r' : ''}`
  const after = openCursor(ctx.signer, listing, options.cursor)
  const page = Math.min(options.limit ?? TREE_PAGE_ENTRIES_MAX, TREE_PAGE_ENTRIES_MAX)
  const found: PathEntry[] = []
  let nextCursor: string | null = null
  const walkFrom = (position: string | number | null) =>
    walk(ctx, repo.id, folder.oid, {
      prefix: path,
      recursive: options.recursive,
      after: position === null ? null : String(position),
    })
  for await (const item of walkFrom(after)) {
    const last = found.at(-1)
    if (found.length === page && last !== undefined) {
      nextCursor = sealCursor(ctx.signer, listing, walkPosition(last))
      break
    }
    found.push(item)
  }
  const last = options.expand
    ? await lastCommits(ctx, repo, commit, pathsOf(found), options.recursive ? walkFrom(after) : null)
    : null
  return { entries: await describe(ctx, repo, found, last), commit, nextCursor }
}

/** Entries for those of the paths that exist; the others are left out. */
export async function pathsInfo(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  segments: readonly string[],
  paths: readonly string[],
  expand: boolean,
): Promise<ListedEntry[]> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const revision = segments.map((s) => decodeURIComponent(s)).join('/')
  const { commit } = await resolveRevision(ctx, repo, revision)
  const found: PathEntry[] = []
  for (const path of new Set(paths.map((p) => p.replace(/^\/+|\/+$/g, '')))) {
    const entry = await entryAt(ctx, repo.id, commit, path)
    if (entry !== null && (isFile(entry) || isFolder(entry))) found.push({ path, entry })
  }
  const last = expand ? await lastCommits(ctx, repo, commit, pathsOf(found)) : null
  return describe(ctx, repo, found, last)
}

export async function resolveFile(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  segments: readonly string[],
  form: FileForm,
): Promise<ResolvedFile> {
  const { registry, type, namespace, name } = locator
  const asker = principal.kind === 'user' ? principal.tokenId : principal.kind
  // The lengths tell where one part ends, whatever is in it; in a segment of an address a slash is encoded.
  const id = `${namespace.length} ${name.length} ${namespace}${name}`
  const key = `${asker} ${registry.id} ${type} ${form} ${id}/${segments.join('/')}`
  return ctx.caches.resolved.get(ctx.catalog, key, () => findFile(ctx, principal, locator, segments, form))
}

/** `raw`: the git blob itself, the pointer text of an LFS file. */
type FileForm = 'content' | 'raw'

async function findFile(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  segments: readonly string[],
  form: FileForm,
): Promise<ResolvedFile> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const { revision, path } = await splitRevisionPath(ctx, repo, segments)
  const { commit } = await resolveRevision(ctx, repo, revision)
  const entry = await entryAt(ctx, repo.id, commit, path)
  if (entry === null || !isFile(entry)) throw entryNotFound(path, commit)
  const facts = (await blobFacts(ctx, repo.id, [entry.oid])).get(entry.oid) ?? missing(entry)
  const base = { repo, commit, path, blobOid: entry.oid, facts }
  if (facts.lfs === null || form === 'raw')
    return { ...base, xetHash: null, content: openGitBlob(ctx, repo.id, entry.oid, facts.sizeBytes) }

  const stored = (await ctx.catalog.rows.blobs.contentOf(repo.id, [facts.lfs.oid])).get(facts.lfs.oid)
  if (stored === undefined) {
    const message = `The content of ${path} was never uploaded to this repository`
    const never = new HubError('EntryNotFound', message, { commit: commit.oid })
    throw await absence(ctx, repo, facts.lfs.oid, never)
  }
  return {
    ...base,
    xetHash: stored.kind === 'xet' ? stored.xetHash : null,
    content: openStored(ctx, repo, stored),
  }
}

async function describe(
  ctx: OpsContext,
  repo: RepoRow,
  found: readonly PathEntry[],
  last: ReadonlyMap<string, CommitRecord> | null,
): Promise<ListedEntry[]> {
  const facts = await blobFacts(
    ctx,
    repo.id,
    found.filter(({ entry }) => isFile(entry)).map(({ entry }) => entry.oid),
  )
  const pointers = [...facts.values()].flatMap((f) => (f.lfs === null ? [] : [f.lfs.oid]))
  const stored = await ctx.catalog.rows.blobs.contentOf(repo.id, pointers)
  const absent = pointers.filter((oid) => !stored.has(oid))
  const reasons = await quarantineReasons(ctx, repo, absent)
  return found.map(({ path, entry }) => {
    const lastCommit = last?.get(path) ?? null
    const base = { path, oid: entry.oid, lastCommit }
    if (isFolder(entry))
      return { ...base, type: 'directory', sizeBytes: 0, lfs: null, xetHash: null, quarantined: null }
    const { sizeBytes, lfs } = facts.get(entry.oid) ?? missing(entry)
    const content = lfs === null ? undefined : stored.get(lfs.oid)
    return {
      ...base,
      type: 'file',
      sizeBytes: lfs?.sizeBytes ?? sizeBytes,
      lfs: lfs === null ? null : { ...lfs, pointerSizeBytes: sizeBytes },
      xetHash: content?.kind === 'xet' ? content.xetHash : null,
      quarantined: lfs === null ? null : (reasons.get(lfs.oid) ?? null),
    }
  })
}

function pathsOf(found: readonly PathEntry[]): string[] {
  return found.map(({ path }) => path)
}

function missing(entry: TreeEntry): never {
  throw new HubError('Internal', `The blob ${entry.oid} is missing`)
}
