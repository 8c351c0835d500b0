/** Work on one repository, alone. */
import type { RepoRow } from '../store/catalog/catalog.ts'
import { repoFor, repoNotFound, type Principal, type RepoAction, type RepoLocator } from './access.ts'
import type { OpsContext } from './context.ts'

/** Runs `work` in the repository's queue, with rights and rows as they are when its turn has come. */
export async function withRepo<T>(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  action: RepoAction,
  work: (repo: RepoRow) => Promise<T>,
): Promise<T> {
  const { id } = await repoFor(ctx, principal, locator, action)
  return ctx.repoQueue.run(id, async () => {
    // Somebody else may have deleted it meanwhile, or moved it, and even made another of that name.
    const repo = await repoFor(ctx, principal, locator, action)
    if (repo.id !== id) throw repoNotFound(principal, locator)
    return work(repo)
  })
}
