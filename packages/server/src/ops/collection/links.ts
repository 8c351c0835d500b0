/**
 * Which contents a repository still needs: those that its refs, pull requests, tags and published versions name in any
 * commit. The right to the others ends, but late: git keeps commits that no ref reaches for a while, and whoever
 * brings one of them back must find its files.
 */
import { COLLECTION_LINKS_PAGE, UNREACHABLE_GRACE_MS, UPLOAD_LEASE_MS } from '../../limits.ts'
import type { LinkKind, RepoRow } from '../../store/catalog/catalog.ts'
import type { OpsContext } from '../context.ts'
import { historyPointers, historyState } from '../history-pointers.ts'
import { count, type CollectOptions, type Counts } from './counts.ts'

/** How often a walk is done again because refs moved meanwhile; then the next run is early enough. */
const WALKS_MAX = 3

export async function collectLinks(ctx: OpsContext, repo: RepoRow, options: CollectOptions): Promise<Counts> {
  const counts: Counts = {}
  if (!(await hasLinks(ctx, repo.id))) return counts
  for (let walk = 0; walk < WALKS_MAX; walk++) {
    const { state, places } = await historyPointers(ctx, repo)
    // Whoever lands a commit does it in this queue, and looks there for the contents that it names.
    const isDone = await ctx.repoQueue.run(repo.id, async () => {
      const now = await ctx.catalog.rows.repos.get(repo.id)
      if (now === null || now.deletedAt !== null) return true
      if ((await historyState(ctx, repo.id)) !== state) return false
      for (const kind of ['lfs', 'xet'] as const)
        await settle(ctx, repo.id, kind, (oid) => places.has(oid), options, counts)
      return true
    })
    if (isDone) return counts
  }
  return { 'repositories in motion': 1 }
}

async function hasLinks(ctx: OpsContext, repoId: string): Promise<boolean> {
  const { collection } = ctx.catalog.rows
  for (const kind of ['lfs', 'xet'] as const)
    if ((await collection.links(repoId, kind, '', 1)).length > 0) return true
  return false
}

async function settle(
  ctx: OpsContext,
  repoId: string,
  kind: LinkKind,
  isNamed: (oid: string) => boolean,
  { dryRun, graceMs }: CollectOptions,
  counts: Counts,
): Promise<void> {
  const at = ctx.clock()
  const waitMs = Math.min(graceMs, UNREACHABLE_GRACE_MS)
  let after = ''
  for (;;) {
    const page = await ctx.catalog.rows.collection.links(repoId, kind, after, COLLECTION_LINKS_PAGE)
    const named: string[] = []
    const waiting: string[] = []
    const due: string[] = []
    for (const { key, oids, sizeBytes, linkedAt, unreferencedAt } of page) {
      const isNeeded = oids.some(isNamed)
      if (isNeeded && unreferencedAt !== null) named.push(key)
      if (isNeeded || at - linkedAt < UPLOAD_LEASE_MS) continue
      const isDue = at - (unreferencedAt ?? at) >= waitMs
      count(counts, 'links', isDue, sizeBytes)
      if (isDue) due.push(key)
      else if (unreferencedAt === null) waiting.push(key)
    }
    if (!dryRun && named.length + waiting.length + due.length > 0)
      await ctx.catalog.tx(async ({ collection }) => {
        await collection.setUnreferenced(repoId, kind, named, null)
        await collection.setUnreferenced(repoId, kind, waiting, at)
        await collection.dropLinks(repoId, kind, due)
      })
    if (page.length < COLLECTION_LINKS_PAGE) return
    after = page.at(-1)!.key
  }
}
