/**
 * The end of a repository. Its name is free at once; its rows and files stay for the grace, in which an administrator
 * can bring it back; then a job removes them. Whatever decides about one repository runs in its queue.
 */
import { HubError } from '@cairn/protocol/errors'
import { assertNewName, formatRepoId, printable } from '@cairn/protocol/repo-id'

import { UniqueViolationError, type RepoRow } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, type Principal, type RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import type { OpsContext } from './context.ts'
import { indexNow } from './index-repo.ts'
import { placeFor } from './places.ts'
import { withRepo } from './queued.ts'

/** As the time of a deletion: without grace. No repository was deleted in 1970. */
export const NO_GRACE = 0

export async function deleteRepo(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  options: { grace: boolean } = { grace: true },
): Promise<void> {
  await withRepo(ctx, principal, locator, 'admin', async (repo) => {
    const at = options.grace ? ctx.clock() : NO_GRACE
    await ctx.catalog.tx(async (rows, emit) => {
      await rows.repos.markDeleted(repo.id, at)
      const details = { type: repo.type, grace: options.grace }
      await rows.audit.insert(auditRow(ctx, principal, 'repo.delete', formatRepoId(repo), details, repo.id))
      emit({ type: 'repo.deleted', repoId: repo.id })
    })
  })
}

/** The last deleted repository of that name lives again, under `as` when its own name is taken. */
export async function restoreRepo(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  as: { namespace: string; name: string } | null,
): Promise<RepoRow> {
  assertInstanceAdmin(principal)
  const { registry, type } = locator
  const found = await ctx.catalog.rows.repos.listDeletedByName({ ...locator, registryId: registry.id })
  const newest = found.find((repo) => canBeRestored(ctx, repo))
  if (newest === undefined)
    throw new HubError('NotFound', `No deleted ${type} ${printable(formatRepoId(locator))} can be restored`)
  if (as !== null) assertNewName(as.name, 'name')
  return ctx.repoQueue.run(newest.id, async () => {
    const repo = await ctx.catalog.rows.repos.get(newest.id)
    if (repo === null || !canBeRestored(ctx, repo))
      throw new HubError('Conflict', 'It was restored or removed meanwhile')
    const name = as?.name ?? repo.name
    const place = as === null ? repo : await placeFor(ctx, principal, registry, as.namespace)
    const restored = { ...repo, ...place, name, deletedAt: null }
    try {
      await ctx.catalog.tx(async (rows, emit) => {
        if (as !== null) await rows.repos.move(repo.id, restored)
        await rows.repos.restore(repo.id, restored)
        await rows.oldNames.delete(restored)
        const details = { type, deleted: formatRepoId(repo), deletedAt: repo.deletedAt }
        const subject = formatRepoId(restored)
        await rows.audit.insert(auditRow(ctx, principal, 'repo.restore', subject, details, repo.id))
        emit({ type: 'repo.restored', repoId: repo.id })
      })
    } catch (error) {
      if (!(error instanceof UniqueViolationError)) throw error
      throw new HubError(
        'Conflict',
        `There is another ${type} ${formatRepoId(restored)} now: restore it as NAMESPACE/NAME of your choice`,
        { cause: error },
      )
    }
    await indexNow(ctx, restored, { force: true })
    return restored
  })
}

/** Those that can be restored, the first deleted first. */
export async function listDeletedRepos(
  ctx: OpsContext,
  principal: Principal,
  registryId: string,
  limit: number,
): Promise<RepoRow[]> {
  assertInstanceAdmin(principal)
  const found = await ctx.catalog.rows.repos.listDeletedUntil(ctx.clock(), limit)
  return found.filter((repo) => repo.registryId === registryId && canBeRestored(ctx, repo))
}

/** When a deleted repository's files go. */
export function purgeTime(ctx: OpsContext, deletedAt: number): number {
  return deletedAt === NO_GRACE ? NO_GRACE : deletedAt + ctx.deleteGraceMs
}

function canBeRestored(ctx: OpsContext, { deletedAt }: RepoRow): boolean {
  return deletedAt !== null && purgeTime(ctx, deletedAt) > ctx.clock()
}

/**
 * Removes what a deleted repository left, once its grace has ended; before that, and when it lives again, does nothing.
 * Blobs stay until collection finds them unneeded.
 */
export async function purgeRepo(ctx: OpsContext, repoId: string): Promise<void> {
  await ctx.repoQueue.run(repoId, async () => {
    const repo = await ctx.catalog.rows.repos.get(repoId)
    if (repo !== null && (repo.deletedAt === null || canBeRestored(ctx, repo))) return
    // While a backup copies, it waits for the next look at deleted repositories.
    await ctx.removals.remove(async () => {
      await ctx.git.remove(repoId)
      await ctx.catalog.tx((rows) => rows.repos.purge(repoId))
    })
  })
}

/** Purges those whose grace has ended. */
export async function purgeDue(ctx: OpsContext, limit: number): Promise<void> {
  const until = ctx.clock() - ctx.deleteGraceMs
  for (const { id } of await ctx.catalog.rows.repos.listDeletedUntil(Math.max(until, NO_GRACE), limit))
    await purgeRepo(ctx, id)
}
