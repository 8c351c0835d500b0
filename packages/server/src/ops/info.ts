/** What is known about a repository at a revision. hub-api.md §4.1. */
import { repoFor, visibilityOf, type Principal, type RepoLocator } from './access.ts'
import type { OpsContext } from './context.ts'
import { factsAt, filesAt } from './repo-facts.ts'
import { relate, type Relation, type RepoView } from './repo-view.ts'
import { resolveRevisionOrUnborn } from './revisions.ts'
import { blobFacts } from './trees.ts'

export async function repoInfo(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  /** null: the default branch. */
  revision: string | null,
  options: { blobs: boolean; relations: ReadonlySet<Relation> },
): Promise<RepoView> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const { commit } = await resolveRevisionOrUnborn(ctx, repo, revision ?? '')
  const files = await filesAt(ctx, repo, commit)
  const oids = files.map(({ oid }) => oid)
  const blobs = options.blobs ? await blobFacts(ctx, repo.id, oids) : null
  const view: RepoView = {
    repo,
    commitOid: commit.oid,
    facts: await factsAt(ctx, repo, commit, files),
    counts: await ctx.catalog.rows.index.counts(repo.id, ctx.clock()),
    siblings: files.map(({ path, oid }) => ({ path, oid, blob: blobs?.get(oid) ?? null })),
    relations: {},
  }
  await relate(ctx, await visibilityOf(ctx, principal), [view], options.relations)
  return view
}
