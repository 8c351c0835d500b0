/** From a user's string to a commit: branches, tags, special refs, whole and abbreviated ids. */
import { HubError } from '@cairn/protocol/errors'
import { parseCommit, parseTag } from '@cairn/protocol/git/commits'
import { EMPTY_TREE_OID } from '@cairn/protocol/git/objects'
import { printable } from '@cairn/protocol/repo-id'

import { GitObjectNotFoundError, type CommitRecord } from '../git/git-store.ts'
import { REVISION_SEGMENTS_MAX, TAG_DEPTH_MAX } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'

export interface Revision {
  /** Full name of the ref that the revision named, or null for an id. */
  ref: string | null
  commit: CommitRecord
}

const OID = /^[0-9a-f]{40}$/
const ABBREVIATED = /^[0-9a-f]{4,39}$/

/** Throws RevisionNotFound. `HEAD` and the empty string mean the default branch. */
export async function resolveRevision(ctx: OpsContext, repo: RepoRow, revision: string): Promise<Revision> {
  const again = decodedOnceMore(revision)
  const found =
    (await findRevision(ctx, repo, revision)) ??
    (again === null ? null : await findRevision(ctx, repo, again))
  if (found === null) throw revisionNotFound(revision)
  return found
}

/** Stands for the commit that the default branch of an empty repository does not have: no id, and nothing in it. */
export const UNBORN: CommitRecord = {
  oid: '',
  treeOid: EMPTY_TREE_OID,
  parents: [],
  authorName: '',
  authorEmail: '',
  date: 0,
  message: '',
}

/** Like `resolveRevision`; a default branch that has no commit yet is `UNBORN`. */
export async function resolveRevisionOrUnborn(
  ctx: OpsContext,
  repo: RepoRow,
  revision: string,
): Promise<Revision> {
  const [first] = refCandidates(repo, revision)
  const isDefault = first === repo.defaultRef
  if (isDefault && (await ctx.catalog.rows.refs.get(repo.id, repo.defaultRef)) === null)
    return { ref: repo.defaultRef, commit: UNBORN }
  return resolveRevision(ctx, repo, revision)
}

export function revisionNotFound(revision: string): HubError {
  return new HubError('RevisionNotFound', `Invalid rev id: ${printable(revision)}`)
}

/** huggingface_hub 0.19.4 percent-encodes the revision of an upload twice (`create_commit`). */
function decodedOnceMore(revision: string): string | null {
  if (!/%[0-9a-f]{2}/i.test(revision)) return null
  try {
    return decodeURIComponent(revision)
  } catch {
    // It was no encoding after all.
    return null
  }
}

async function findRevision(ctx: OpsContext, repo: RepoRow, revision: string): Promise<Revision | null> {
  for (const name of refCandidates(repo, revision)) {
    const ref = await ctx.catalog.rows.refs.get(repo.id, name)
    if (ref !== null) return { ref: ref.name, commit: await peelToCommit(ctx, repo.id, ref.oid) }
  }
  const id = revision.toLowerCase()
  if (OID.test(id)) {
    const commit = await commitOrNull(ctx, repo.id, id)
    return commit === null ? null : { ref: null, commit }
  }
  if (!ABBREVIATED.test(id)) return null
  const oid = await ctx.git.expand(repo.id, id)
  if (oid === null || !(await isReached(ctx, repo, oid))) return null
  return { ref: null, commit: await readCommit(ctx, repo.id, oid) }
}

/** Whoever knows the whole id of a commit that is gone may still have it; beginnings could be tried one by one. */
async function isReached(ctx: OpsContext, repo: RepoRow, oid: string): Promise<boolean> {
  const refs = await ctx.catalog.rows.refs.list(repo.id)
  const retained = await ctx.catalog.rows.retained.list(repo.id)
  const tips = [...new Set([...refs, ...retained].map((one) => one.oid))]
  return (await ctx.git.unreachedCommits(repo.id, [oid], { tips })).length === 0
}

/** Full ref names that a user's string may stand for, in the order in which they are tried. */
function refCandidates(repo: RepoRow, revision: string): string[] {
  if (revision === '' || revision === 'HEAD') return [repo.defaultRef]
  const short = [`refs/heads/${revision}`, `refs/tags/${revision}`]
  return revision.startsWith('refs/') ? [revision, ...short] : short
}

/**
 * Splits `revision/path` as it stands in a URL. `segments` are still percent-encoded. An encoded slash in the first
 * segment means that the client encoded the whole revision; otherwise the longest run of segments that is a ref wins
 * (JS sends `tree/refs/pr/1/sub/dir` unencoded, @huggingface/hub 2.17.5), and else the first segment is the revision.
 */
export async function splitRevisionPath(
  ctx: OpsContext,
  repo: RepoRow,
  segments: readonly string[],
): Promise<{ revision: string; path: string }> {
  const decoded = segments.map(decodeSegment)
  const cut = (count: number) => ({
    revision: decoded.slice(0, count).join('/'),
    path: decoded.slice(count).join('/').replace(/\/+$/, ''),
  })
  if (segments.length < 2 || segments[0]?.toLowerCase().includes('%2f')) return cut(1)
  for (let count = Math.min(segments.length, REVISION_SEGMENTS_MAX); count > 1; count -= 1) {
    const { revision } = cut(count)
    for (const name of refCandidates(repo, revision))
      if ((await ctx.catalog.rows.refs.get(repo.id, name)) !== null) return cut(count)
  }
  return cut(1)
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch (cause) {
    throw new HubError('BadRequest', 'The address contains a malformed percent escape', { cause })
  }
}

/** Follows annotated tags to their commit. */
export async function peelToCommit(ctx: OpsContext, repoId: string, oid: string): Promise<CommitRecord> {
  const key = `${repoId}/${oid}`
  const cached = ctx.caches.commits.get(key)
  if (cached !== undefined) return cached
  let next = oid
  for (let depth = 0; depth < TAG_DEPTH_MAX; depth += 1) {
    const object = await ctx.git.read(repoId, next)
    if (object.type === 'commit') {
      const commit = toRecord(next, object.bytes)
      ctx.caches.commits.set(key, commit)
      return commit
    }
    if (object.type !== 'tag') break
    next = parseTag(object.bytes).targetOid
  }
  throw new HubError('RevisionNotFound', 'The revision does not lead to a commit')
}

export async function readCommit(ctx: OpsContext, repoId: string, oid: string): Promise<CommitRecord> {
  const commit = await commitOrNull(ctx, repoId, oid)
  if (commit === null) throw revisionNotFound(oid)
  return commit
}

async function commitOrNull(ctx: OpsContext, repoId: string, oid: string): Promise<CommitRecord | null> {
  try {
    return await peelToCommit(ctx, repoId, oid)
  } catch (error) {
    // A well-formed id of something that is not here, or not a commit, is simply not a revision.
    if (error instanceof GitObjectNotFoundError || error instanceof HubError) return null
    throw error
  }
}

function toRecord(oid: string, bytes: Uint8Array): CommitRecord {
  const commit = parseCommit(bytes)
  return {
    oid,
    treeOid: commit.treeOid,
    parents: commit.parents,
    authorName: commit.author.name,
    authorEmail: commit.author.email,
    date: commit.author.seconds * 1000,
    message: commit.message,
  }
}
