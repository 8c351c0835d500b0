/**
 * Locks of git-lfs (its API document «locking.md»): a sign to other people that a file which cannot be merged is being
 * worked on. They bind git-lfs clients, which ask before a push; the hub takes what a writer commits.
 */
import { HubError } from '@cairn/protocol/errors'
import { assertRepoPath } from '@cairn/protocol/git/paths'
import { formatRepoId, printable } from '@cairn/protocol/repo-id'

import { LFS_LOCKS_PAGE_MAX, LFS_LOCKS_PER_REPO_MAX } from '../limits.ts'
import type { LfsLock } from '../store/catalog/lock-rows.ts'
import { assertUser, repoFor, type Principal, type RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import { newId, type OpsContext } from './context.ts'
import { openCursor, sealCursor } from './cursors.ts'

export type { LfsLock } from '../store/catalog/lock-rows.ts'

export interface LocksPage {
  cursor: string | null
  limit: number | null
}

/** Somebody, the caller perhaps, has locked the path. */
export class LockedError extends HubError {
  readonly lock: LfsLock

  constructor(lock: LfsLock) {
    super('Conflict', `'${printable(lock.path)}' is locked by ${lock.ownerName}`)
    this.lock = lock
  }
}

/** Locks a path, which need not exist yet. Throws `LockedError` when it is locked. */
export async function lockPath(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  path: string,
): Promise<LfsLock> {
  const repo = await repoFor(ctx, principal, locator, 'write')
  const user = assertUser(principal)
  assertRepoPath(path)
  const lock: LfsLock = {
    id: newId(ctx),
    repoId: repo.id,
    path,
    ownerId: user.accountId,
    ownerName: user.name,
    lockedAt: ctx.clock(),
  }
  const holder = await ctx.catalog.tx(async (rows) => {
    const { locks } = rows
    if ((await locks.count(repo.id)) >= LFS_LOCKS_PER_REPO_MAX)
      throw new HubError(
        'Invalid',
        `A repository has at most ${LFS_LOCKS_PER_REPO_MAX} locks; unlock some files`,
      )
    if (!(await locks.insert(lock))) return locks.getByPath(repo.id, path)
    await rows.audit.insert(
      auditRow(ctx, principal, 'lfs.lock', formatRepoId(repo), { type: repo.type, path }, repo.id),
    )
    return null
  })
  if (holder !== null) throw new LockedError(holder)
  return lock
}

/** Locks of a repository, oldest id first; those of one path or one id when asked so. */
export async function listLocks(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  filter: { path: string | null; id: string | null },
  page: LocksPage,
): Promise<{ locks: LfsLock[]; nextCursor: string | null }> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  if (filter.path === null && filter.id === null) return pageOf(ctx, repo.id, page)
  const { locks } = ctx.catalog.rows
  const found =
    filter.id === null
      ? await locks.getByPath(repo.id, filter.path ?? '')
      : await locks.get(repo.id, filter.id)
  const fits = found !== null && (filter.path === null || found.path === filter.path)
  return { locks: fits ? [found] : [], nextCursor: null }
}

/** What a push asks: the locks of the caller, and those of others, which stand in its way. */
export async function partLocks(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  page: LocksPage,
): Promise<{ ours: LfsLock[]; theirs: LfsLock[]; nextCursor: string | null }> {
  const repo = await repoFor(ctx, principal, locator, 'write')
  const { locks, nextCursor } = await pageOf(ctx, repo.id, page)
  const isOurs = (lock: LfsLock) => principal.kind === 'user' && lock.ownerId === principal.accountId
  return { ours: locks.filter(isOurs), theirs: locks.filter((lock) => !isOurs(lock)), nextCursor }
}

/** Takes a lock away: one's own, or with `force` anybody's. */
export async function unlock(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  id: string,
  force: boolean,
): Promise<LfsLock> {
  const repo = await repoFor(ctx, principal, locator, 'write')
  return ctx.catalog.tx(async (rows) => {
    const lock = await rows.locks.get(repo.id, id)
    if (lock === null) throw new HubError('NotFound', `There is no lock '${printable(id)}'`)
    const isOurs = principal.kind === 'user' && lock.ownerId === principal.accountId
    if (!isOurs && !force)
      throw new HubError('Forbidden', `The lock is ${lock.ownerName}'s: git lfs unlock --force takes it away`)
    await rows.locks.delete(repo.id, id)
    const details = { type: repo.type, path: lock.path, ...(isOurs ? {} : { owner: lock.ownerName }) }
    await rows.audit.insert(auditRow(ctx, principal, 'lfs.unlock', formatRepoId(repo), details, repo.id))
    return lock
  })
}

async function pageOf(
  ctx: OpsContext,
  repoId: string,
  page: LocksPage,
): Promise<{ locks: LfsLock[]; nextCursor: string | null }> {
  const listing = `lfs-locks/${repoId}`
  const limit = Math.min(page.limit ?? LFS_LOCKS_PAGE_MAX, LFS_LOCKS_PAGE_MAX)
  const after = openCursor(ctx.signer, listing, page.cursor)
  const locks = await ctx.catalog.rows.locks.list(repoId, after === null ? null : String(after), limit)
  const last = locks.at(-1)
  const isLast = last === undefined || locks.length < limit
  return { locks, nextCursor: isLast ? null : sealCursor(ctx.signer, listing, last.id) }
}
