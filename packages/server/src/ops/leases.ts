/** What an upload was told that it need not send, it relies on: that stays until it had time to commit. */
import { TOUCH_INTERVAL_MS } from '../limits.ts'
import type { LinkKind, StoredContent } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'

/** Of those that the repository has. Written now and then only. */
export async function renewLinks(
  ctx: OpsContext,
  repoId: string,
  kind: LinkKind,
  keys: readonly string[],
): Promise<void> {
  const at = ctx.clock()
  const stale = await ctx.catalog.rows.collection.linksUntil(repoId, kind, keys, at - TOUCH_INTERVAL_MS)
  if (stale.length > 0) await ctx.catalog.tx((rows) => rows.collection.renewLinks(repoId, kind, stale, at))
}

export async function renewContents(
  ctx: OpsContext,
  repoId: string,
  contents: Iterable<StoredContent>,
): Promise<void> {
  const keys = { lfs: [] as string[], xet: [] as string[] }
  for (const content of contents)
    keys[content.kind].push(content.kind === 'lfs' ? content.oid : content.xetHash)
  for (const kind of ['lfs', 'xet'] as const)
    if (keys[kind].length > 0) await renewLinks(ctx, repoId, kind, keys[kind])
}
