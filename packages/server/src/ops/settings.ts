/** What can be changed about a repository without a commit. hub-api.md §3.2. */
import { formatRepoId } from '@cairn/protocol/repo-id'

import type { RepoRow } from '../store/catalog/catalog.ts'
import type { Principal, RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import type { OpsContext } from './context.ts'
import { withRepo } from './queued.ts'

export async function changeSettings(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  change: { private?: boolean },
): Promise<RepoRow> {
  return withRepo(ctx, principal, locator, 'admin', async (repo) => {
    const next = { ...repo, private: change.private ?? repo.private }
    if (next.private === repo.private) return repo
    await ctx.catalog.tx(async (rows, emit) => {
      await rows.repos.update(repo.id, { private: next.private })
      const details = { type: repo.type, private: next.private }
      await rows.audit.insert(auditRow(ctx, principal, 'repo.settings', formatRepoId(repo), details, repo.id))
      emit({ type: 'repo.updated', repoId: repo.id })
    })
    return next
  })
}
