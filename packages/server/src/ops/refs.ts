/** Branches and tags. Every change goes through `landRefs`. */
import { HubError } from '@cairn/protocol/errors'
import { encodeTag } from '@cairn/protocol/git/commits'
import { newObject } from '@cairn/protocol/git/objects'
import { assertRefName, branchRef, tagRef } from '@cairn/protocol/git/paths'
import { COMMIT_DESCRIPTION_MAX_BYTES } from '@cairn/protocol/limits'
import { printable } from '@cairn/protocol/repo-id'

import type { CommitRecord } from '../git/git-store.ts'
import { COMMITS_PAGE_MAX } from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import { assertUser, repoFor, type Principal, type RepoLocator } from './access.ts'
import type { OpsContext } from './context.ts'
import { openCursor, sealCursor } from './cursors.ts'
import { pointersBeyond } from './history-pointers.ts'
import { landRefs, RefMovedError, type RefChange } from './land.ts'
import { peelToCommit, resolveRevision, revisionNotFound } from './revisions.ts'
import { signatureOf } from './signature.ts'
import { emptyTree, writeCommit } from './write-commit.ts'

export interface ListedRef {
  /** Short: `main`, `v1`, `parquet`. */
  name: string
  ref: string
  targetCommit: string
}

export async function listRefs(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
): Promise<Record<'branches' | 'tags' | 'converts' | 'pullRequests', ListedRef[]>> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const groups = { branches: [], tags: [], converts: [], pullRequests: [] } as Record<string, ListedRef[]>
  const prefixes = {
    branches: 'refs/heads/',
    tags: 'refs/tags/',
    converts: 'refs/convert/',
    pullRequests: 'refs/pr/',
  }
  for (const ref of await ctx.catalog.rows.refs.list(repo.id))
    for (const [group, prefix] of Object.entries(prefixes))
      if (ref.name.startsWith(prefix)) {
        const { oid } = await peelToCommit(ctx, repo.id, ref.oid)
        groups[group]?.push({ name: ref.name.slice(prefix.length), ref: ref.name, targetCommit: oid })
      }
  return groups
}

export interface CreateBranch {
  branch: string
  /** Revision to start from; null: the default branch. */
  startingPoint: string | null
  /** Begin with a commit of its own that holds nothing. */
  empty: boolean
  overwrite: boolean
}

export async function createBranch(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  request: CreateBranch,
): Promise<void> {
  const name = refOfBranch(request.branch)
  await changeRefs(ctx, principal, locator, 'branch.create', async (repo) => {
    const existing = await ctx.catalog.rows.refs.get(repo.id, name)
    if (existing !== null && !request.overwrite)
      throw new HubError('Conflict', `Reference already exists: ${printable(request.branch)}`)
    // @huggingface/hub 2.17.5 `createBranch`: overwriting without a start is documented to change nothing.
    if (existing !== null && request.startingPoint === null && !request.empty) return []
    const start = request.empty
      ? await writeCommit(ctx, repo, {
          treeOid: emptyTree.oid,
          objects: [emptyTree],
          parents: [],
          message: 'initial commit',
          author: assertUser(principal),
        })
      : (await resolveRevision(ctx, repo, request.startingPoint ?? '')).commit.oid
    return existing?.oid === start ? [] : [{ name, old: existing?.oid ?? null, next: start }]
  })
}

export async function deleteBranch(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  branch: string,
): Promise<void> {
  const name = refOfBranch(branch)
  await changeRefs(ctx, principal, locator, 'branch.delete', async (repo) => [
    await deletion(ctx, repo, name, branch),
  ])
}

export async function createTag(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  request: { revision: string; tag: string; message: string | null },
): Promise<void> {
  const name = tagRef(request.tag)
  assertMessage(request.message ?? '')
  await changeRefs(ctx, principal, locator, 'tag.create', async (repo) => {
    const { commit } = await resolveRevision(ctx, repo, request.revision)
    if ((await ctx.catalog.rows.refs.get(repo.id, name)) !== null)
      throw new HubError('Conflict', `Tag reference exists already: ${printable(request.tag)}`)
    const oid = request.message
      ? await annotatedTag(ctx, principal, repo, commit, request.tag, request.message)
      : commit.oid
    return [{ name, old: null, next: oid }]
  })
}

export async function deleteTag(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  tag: string,
): Promise<void> {
  const name = tagRef(tag)
  await changeRefs(ctx, principal, locator, 'tag.delete', async (repo) => [
    await deletion(ctx, repo, name, tag),
  ])
}

/** Commits from a revision back, newest first. */
export async function listCommits(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  revision: string,
  page: { cursor: string | null; limit: number | null },
): Promise<{ commits: CommitRecord[]; total: number; nextCursor: string | null }> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const { commit } = await resolveRevision(ctx, repo, revision)
  const listing = `commits/${repo.id}`
  // The position holds the commit where the listing began, so that a push in between does not shift the pages.
  const position = openCursor(ctx.signer, listing, page.cursor)
  const [from, skipText] = position === null ? [commit.oid, '0'] : String(position).split(':')
  const skip = Number(skipText)
  const limit = Math.min(page.limit ?? COMMITS_PAGE_MAX, COMMITS_PAGE_MAX)
  const [commits, total] = await Promise.all([
    ctx.git.log(repo.id, from ?? commit.oid, { skip, limit }),
    ctx.git.countCommits(repo.id, from ?? commit.oid),
  ])
  const more = skip + commits.length < total && commits.length > 0
  return {
    commits,
    total,
    nextCursor: more ? sealCursor(ctx.signer, listing, `${from}:${skip + commits.length}`) : null,
  }
}

async function changeRefs(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  reason: string,
  decide: (repo: RepoRow) => Promise<RefChange[]>,
): Promise<void> {
  const { id } = await repoFor(ctx, principal, locator, 'write')
  await ctx.repoQueue.run(id, async () => {
    // Read again: the repository may have changed or gone while this waited for its turn.
    const repo = await repoFor(ctx, principal, locator, 'write')
    const changes = await decide(repo)
    for (const { name } of changes) assertRefName(name)
    if (changes.length === 0) return
    // A commit that no ref reached may be older than what collection left of its contents.
    const pointers: string[] = []
    for (const { next } of changes)
      if (next !== null)
        pointers.push(...(await pointersBeyond(ctx, repo, (await peelToCommit(ctx, repo.id, next)).oid)))
    try {
      await landRefs(ctx, { repo, principal, changes, reason, pointers })
    } catch (error) {
      if (error instanceof RefMovedError) throw new HubError('Conflict', error.message, { cause: error })
      throw error
    }
  })
}

/** `refs/convert/{word}` is how converters keep their output beside the branches; they make it as a branch. */
function refOfBranch(branch: string): string {
  if (/^refs\/convert\/\w+$/.test(branch)) return branch
  if (branch.startsWith('refs/'))
    throw new HubError(
      'BadRequest',
      `Invalid reference name '${printable(branch)}': a branch name does not start with 'refs/'`,
    )
  return branchRef(branch)
}

async function deletion(ctx: OpsContext, repo: RepoRow, name: string, short: string): Promise<RefChange> {
  const ref = await ctx.catalog.rows.refs.get(repo.id, name)
  if (ref === null) throw revisionNotFound(short)
  return { name, old: ref.oid, next: null }
}

/** git ends a message at NUL, and an id computed over bytes that git would not write helps nobody. */
function assertMessage(message: string): void {
  if (message.includes('\0') || !message.isWellFormed())
    throw new HubError('BadRequest', `'message' contains NUL or is not well-formed Unicode`)
  if (Buffer.byteLength(message) > COMMIT_DESCRIPTION_MAX_BYTES)
    throw new HubError('BadRequest', `'message' is longer than ${COMMIT_DESCRIPTION_MAX_BYTES} bytes`)
}

async function annotatedTag(
  ctx: OpsContext,
  principal: Principal,
  repo: RepoRow,
  commit: CommitRecord,
  tag: string,
  message: string,
): Promise<string> {
  const tagger = signatureOf(assertUser(principal), ctx.clock())
  const bytes = encodeTag({ targetOid: commit.oid, targetType: 'commit', name: tag, tagger, message })
  const object = newObject(ctx.primitives, 'tag', bytes)
  await ctx.git.write(repo.id, [object])
  return object.oid
}
