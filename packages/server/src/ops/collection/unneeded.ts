/**
 * What no repository needs any more. A recipe of a Xet file goes at once: it is small, and whoever uploads the file
 * again brings it. A blob is only doomed: clients remember xorbs for weeks (xet.md §12), so it stays for the grace, is
 * advertised to nobody, and every use pardons it.
 */
import { COLLECTION_PAGE, RECIPES_PER_TRANSACTION, UPLOAD_LEASE_MS } from '../../limits.ts'
import type { BlobRowKind, CollectedKind, StoredRow } from '../../store/catalog/catalog.ts'
import type { OpsContext } from '../context.ts'
import type { WalkStep } from '../work-step.ts'
import { count, type CollectOptions, type Counts } from './counts.ts'
import { keyOf } from './names.ts'

export async function collectRecipes(
  ctx: OpsContext,
  after: string | null,
  { dryRun }: CollectOptions,
): Promise<WalkStep> {
  const page = await pageOf(ctx, 'files', after, ctx.clock())
  const counts: Counts = {}
  for (let at = 0; at < page.unneeded.length; at += RECIPES_PER_TRANSACTION) {
    const some = page.unneeded.slice(at, at + RECIPES_PER_TRANSACTION)
    if (!dryRun)
      await ctx.catalog.tx(async ({ collection }) => {
        for (const { domainId, name } of some) await collection.remove('files', domainId, name)
      })
    for (const { sizeBytes } of some) count(counts, 'files', true, sizeBytes)
  }
  return { ...page.step, counts }
}

/** What it dooms is counted by the sweep that follows; a dry run, which dooms nothing, counts it here. */
export async function doomUnneeded(
  ctx: OpsContext,
  kind: BlobRowKind,
  after: string | null,
  { dryRun, graceMs }: CollectOptions,
): Promise<WalkStep> {
  const at = ctx.clock()
  const unusedSince = at - UPLOAD_LEASE_MS
  const { unneeded, step } = await pageOf(ctx, kind, after, unusedSince)
  if (kind === 'shards')
    for (const shard of unneeded)
      shard.sizeBytes = (await ctx.blobs.stat(keyOf({ kind, ...shard })))?.sizeBytes ?? 0
  const counts: Counts = {}
  if (dryRun) for (const { sizeBytes } of unneeded) count(counts, kind, graceMs === 0, sizeBytes)
  else if (unneeded.length > 0)
    await ctx.catalog.tx(async ({ collection }) => {
      for (const blob of unneeded) await collection.doom(kind, blob, at, unusedSince)
    })
  return { ...step, counts }
}

async function pageOf(
  ctx: OpsContext,
  kind: CollectedKind,
  after: string | null,
  unusedSince: number,
): Promise<{ unneeded: StoredRow[]; step: Omit<WalkStep, 'counts'> }> {
  const [domainId = '', ...name] = after?.split('/') ?? []
  const { collection } = ctx.catalog.rows
  const page = await collection.stored(kind, { domainId, name: name.join('/') }, COLLECTION_PAGE, unusedSince)
  const last = page.at(-1)
  const at = last === undefined ? '' : `${last.domainId}/${last.name}`
  return {
    unneeded: page.filter(({ isUnneeded }) => isUnneeded),
    step: {
      after: page.length < COLLECTION_PAGE ? null : at,
      at,
      done: page.length,
      total: null,
      findings: [],
    },
  }
}
