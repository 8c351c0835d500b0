/**
 * Another name, or another owner. The old name leads to the repository until somebody takes it; names lead to the
 * repository itself, not to a name, so that renames in a chain or a circle need no care.
 */
import { assertNewName, formatRepoId } from '@cairn/protocol/repo-id'

import { OLD_NAMES_PER_REPO_MAX } from '../limits.ts'
import { UniqueViolationError, type RepoRow } from '../store/catalog/catalog.ts'
import type { Principal, RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import type { OpsContext } from './context.ts'
import { indexNow } from './index-repo.ts'
import { nameTaken, placeFor } from './places.ts'
import { withRepo } from './queued.ts'
import { assertRoom, sizeOfRepo } from './quotas.ts'

/** Conflict when the name is taken. Moving it to where it is changes nothing. */
export async function moveRepo(
  ctx: OpsContext,
  principal: Principal,
  from: RepoLocator,
  to: { namespace: string; name: string },
): Promise<RepoRow> {
  assertNewName(to.name, 'name')
  return withRepo(ctx, principal, from, 'admin', async (repo) => {
    const { registry, type } = from
    const sameNamespace = repo.namespace.toLowerCase() === to.namespace.toLowerCase()
    // Also where it stays: whether a name is free is for those to know who may make repositories there.
    const place = await placeFor(ctx, principal, registry, to.namespace)
    const { ownerId, domainId, namespace } = sameNamespace ? repo : place
    const moved: RepoRow = { ...repo, ownerId, domainId, namespace, name: to.name }
    if (formatRepoId(moved) === formatRepoId(repo)) return repo
    const taken = await ctx.catalog.rows.repos.getByName(registry.id, type, namespace, to.name)
    if (taken !== null && taken.id !== repo.id) throw nameTaken(taken)
    if (ownerId !== repo.ownerId) await assertRoom(ctx, moved, await sizeOfRepo(ctx, repo.id), ['account'])
    try {
      await ctx.catalog.tx(async (rows, emit) => {
        await rows.repos.move(repo.id, moved)
        await rows.oldNames.delete(moved)
        if (formatRepoId(moved).toLowerCase() !== formatRepoId(repo).toLowerCase())
          await rows.oldNames.insert(repo, repo.id, ctx.clock(), OLD_NAMES_PER_REPO_MAX)
        const details = { type, from: formatRepoId(repo), fromOwner: repo.ownerId, toOwner: ownerId }
        await rows.audit.insert(auditRow(ctx, principal, 'repo.move', formatRepoId(moved), details, repo.id))
        emit({ type: 'repo.moved', repoId: repo.id })
      })
    } catch (error) {
      if (error instanceof UniqueViolationError) throw nameTaken(moved)
      throw error
    }
    await indexNow(ctx, moved, { force: true })
    return moved
  })
}
