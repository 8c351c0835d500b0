/** What lies between two revisions, and what a folder weighs. */
import { HubError } from '@cairn/protocol/errors'
import { EMPTY_TREE_OID } from '@cairn/protocol/git/objects'

import type { ChangedFile, CommitRecord } from '../git/git-store.ts'
import { COMPARE_FILES_MAX, DIFF_MAX_BYTES } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import type { OpsContext } from './context.ts'
import { readCommit, resolveRevision, splitRevisionPath } from './revisions.ts'
import { blobFacts, entryAt, entryNotFound, isFile, isFolder, walk } from './trees.ts'

/** No ref's name contains two dots, so the first ones divide. */
const COMPARISON = /^(?<from>.+?)(?<dots>\.{2,3})(?<to>.+)$/s
const FACTS_AT_ONCE = 1000

/**
 * `a..b`: what b has that a has not, and the other way round; `a...b`: what b changed since it left a. `a^` is the
 * first parent of a, or nothing at all when a is the first commit.
 */
export async function compareFiles(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  comparison: string,
): Promise<ChangedFile[]> {
  const { repo, from, to } = await treesOf(ctx, principal, locator, comparison)
  const files = await ctx.git.changedFiles(repo.id, from, to)
  if (files === null || files.length > COMPARE_FILES_MAX)
    throw new HubError('TooLarge', `More than ${COMPARE_FILES_MAX} files differ: compare with git`)
  return files
}

/** The same as a unified diff, LFS files by their pointers. */
export async function compareText(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  comparison: string,
): Promise<Uint8Array> {
  const { repo, from, to } = await treesOf(ctx, principal, locator, comparison)
  const diff = await ctx.git.diff(repo.id, from, to)
  if (diff === null)
    throw new HubError(
      'TooLarge',
      `The diff has more than ${DIFF_MAX_BYTES} bytes or takes too long: compare with git`,
    )
  return diff
}

/** Bytes of all files below a path, or of the file there; of the real contents, also behind pointers. */
export async function treeSize(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  segments: readonly string[],
): Promise<{ path: string; sizeBytes: number }> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const { revision, path } = await splitRevisionPath(ctx, repo, segments)
  const { commit } = await resolveRevision(ctx, repo, revision)
  const entry = await entryAt(ctx, repo.id, commit, path)
  if (entry === null) throw entryNotFound(path, commit)
  if (!isFolder(entry)) return { path, sizeBytes: await sizeOf(ctx, repo, isFile(entry) ? [entry.oid] : []) }
  let sizeBytes = 0
  let oids: string[] = []
  for await (const found of walk(ctx, repo.id, entry.oid, { prefix: path, recursive: true })) {
    if (isFile(found.entry)) oids.push(found.entry.oid)
    if (oids.length < FACTS_AT_ONCE) continue
    sizeBytes += await sizeOf(ctx, repo, oids)
    oids = []
  }
  return { path, sizeBytes: sizeBytes + (await sizeOf(ctx, repo, oids)) }
}

async function sizeOf(ctx: OpsContext, repo: RepoRow, oids: readonly string[]): Promise<number> {
  const facts = await blobFacts(ctx, repo.id, oids)
  return oids.reduce((sum, oid) => {
    const blob = facts.get(oid)
    return sum + (blob?.lfs?.sizeBytes ?? blob?.sizeBytes ?? 0)
  }, 0)
}

async function treesOf(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  comparison: string,
): Promise<{ repo: RepoRow; from: string; to: string }> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const { from = '', dots, to = '' } = COMPARISON.exec(comparison)?.groups ?? {}
  if (dots === undefined)
    throw new HubError('BadRequest', 'A comparison has the form {revision}..{revision} or with three dots')
  const right = (await resolveRevision(ctx, repo, to)).commit
  const left = await leftSide(ctx, repo, from)
  if (left === null) return { repo, from: EMPTY_TREE_OID, to: right.treeOid }
  if (dots === '..') return { repo, from: left.treeOid, to: right.treeOid }
  const base = await ctx.git.mergeBase(repo.id, left.oid, right.oid)
  const start = base === null ? EMPTY_TREE_OID : (await readCommit(ctx, repo.id, base)).treeOid
  return { repo, from: start, to: right.treeOid }
}

async function leftSide(ctx: OpsContext, repo: RepoRow, revision: string): Promise<CommitRecord | null> {
  if (!revision.endsWith('^')) return (await resolveRevision(ctx, repo, revision)).commit
  const { commit } = await resolveRevision(ctx, repo, revision.slice(0, -1))
  const [parent] = commit.parents
  return parent === undefined ? null : readCommit(ctx, repo.id, parent)
}
