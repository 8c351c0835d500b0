/**
 * A copy with the whole history, branches and tags, and rights to every content of its source; no byte of a large file
 * moves. While it is made the copy is a repository deleted without grace: nobody sees it, it holds no name, and what a
 * crash leaves of it is purged.
 */
import { assertNewName, formatRepoId } from '@cairn/protocol/repo-id'

import { LINKS_PER_TRANSACTION } from '../limits.ts'
import { UniqueViolationError, type LinkPosition, type RepoRow } from '../store/catalog/catalog.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import { newId, type OpsContext } from './context.ts'
import { NO_GRACE } from './deleted-repos.ts'
import { landRefs, type RefChange } from './land.ts'
import { nameTaken, placeFor } from './places.ts'
import { assertRoom, sizeOfRepo } from './quotas.ts'

/** Conflict when the name is taken. `private` null: as the source. */
export async function duplicateRepo(
  ctx: OpsContext,
  principal: Principal,
  from: RepoLocator,
  to: { namespace: string; name: string; private: boolean | null },
): Promise<RepoRow> {
  assertNewName(to.name, 'name')
  const source = await repoFor(ctx, principal, from, 'read')
  const place = await placeFor(ctx, principal, from.registry, to.namespace)
  const taken = await ctx.catalog.rows.repos.getByName(from.registry.id, from.type, place.namespace, to.name)
  if (taken !== null) throw nameTaken(taken)
  const at = ctx.clock()
  const copy: RepoRow = {
    ...source,
    ...place,
    id: newId(ctx),
    name: to.name,
    private: to.private ?? source.private,
    createdBy: principal.kind === 'user' ? principal.accountId : null,
    createdAt: at,
    lastModified: at,
    refsDirty: false,
    deletedAt: NO_GRACE,
  }
  await assertRoom(ctx, copy, await sizeOfRepo(ctx, source.id))
  // The purge of unfinished ones waits in the same queue.
  await ctx.repoQueue.run(copy.id, async () => {
    await ctx.catalog.tx((rows) => rows.repos.insert(copy))
    try {
      await fill(ctx, principal, source, copy)
    } catch (error) {
      await ctx.git.remove(copy.id)
      await ctx.catalog.tx((rows) => rows.repos.purge(copy.id))
      if (error instanceof UniqueViolationError) throw nameTaken(copy)
      throw error
    }
  })
  return { ...copy, deletedAt: null }
}

async function fill(ctx: OpsContext, principal: Principal, source: RepoRow, copy: RepoRow): Promise<void> {
  // Objects of these refs stay in the source whatever becomes of the refs; pull requests are not copied.
  const refs = (await ctx.catalog.rows.refs.list(source.id)).filter(({ name }) =>
    /^refs\/(heads|tags|convert)\//.test(name),
  )
  await ctx.git.create(copy.id)
  await ctx.git.copyHistory(source.id, copy.id, [...new Set(refs.map(({ oid }) => oid))])
  let position: LinkPosition | null = null
  do {
    const after: LinkPosition | null = position
    position = await ctx.catalog.tx((rows) =>
      rows.blobs.copyLinks(source.id, copy.id, after, LINKS_PER_TRANSACTION),
    )
  } while (position !== null)
  await landRefs(ctx, {
    repo: copy,
    principal,
    changes: refs.map(({ name, oid }): RefChange => ({ name, old: null, next: oid })),
    reason: 'duplicate',
    pointers: [],
    alongside: async (rows, emit) => {
      await rows.repos.restore(copy.id, copy)
      await rows.oldNames.delete(copy)
      const details = { type: copy.type, from: formatRepoId(source), private: copy.private }
      await rows.audit.insert(
        auditRow(ctx, principal, 'repo.duplicate', formatRepoId(copy), details, copy.id),
      )
      emit({ type: 'repo.created', repoId: copy.id })
    },
  })
}
