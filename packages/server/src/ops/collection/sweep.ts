/**
 * The end of blobs: those that lie in the store without a row are found, and those whose grace has ended are removed.
 *
 * Rows go before bytes, both while nobody can upload that very blob, and the mark goes last: what a crash leaves is
 * complete or has no row, and the mark says that the bytes are still to be removed.
 */
import {
  COLLECTION_PAGE,
  DEDUP_EPOCH_MS,
  INDEX_ROWS_PER_XORB,
  SWEEP_BLOBS,
  UPLOAD_LEASE_MS,
} from '../../limits.ts'
import type { BlobKey, BlobStat } from '../../store/blobs/blob-store.ts'
import type { BlobRowKind, DoomedBlob } from '../../store/catalog/catalog.ts'
import type { OpsContext } from '../context.ts'
import type { Finding, WalkStep } from '../work-step.ts'
import { count, type CollectOptions, type Counts } from './counts.ts'
import { keyOf, nameOf } from './names.ts'

/** Dooms blobs without a row. A crash between bytes and row leaves them, and one between row and bytes. */
export async function doomStrays(
  ctx: OpsContext,
  after: string | null,
  { dryRun, graceMs }: CollectOptions,
): Promise<WalkStep> {
  const page: BlobStat[] = []
  for await (const blob of ctx.blobs.list('', (after ?? undefined) as BlobKey | undefined)) {
    page.push(blob)
    if (page.length === COLLECTION_PAGE) break
  }
  const groups = new Map<string, DoomedBlob[]>()
  const doomedAt = ctx.clock()
  for (const { key, sizeBytes } of page) {
    const { kind, domainId, name } = nameOf(key)
    const group = groups.get(`${kind}/${domainId}`) ?? []
    group.push({ kind, domainId, name, sizeBytes, doomedAt })
    groups.set(`${kind}/${domainId}`, group)
  }
  const counts: Counts = {}
  for (const group of groups.values()) {
    const { kind, domainId } = group[0]!
    const names = group.map(({ name }) => name)
    const known = await ctx.catalog.rows.collection.withRow(kind, domainId, names)
    const strays = group.filter(({ name }) => !known.has(name))
    if (dryRun) for (const { sizeBytes } of strays) count(counts, kind, graceMs === 0, sizeBytes)
    else if (strays.length > 0)
      await ctx.catalog.tx(async ({ collection }) => {
        for (const stray of strays) await collection.doomStray(kind, stray, doomedAt)
      })
  }
  const at = page.at(-1)?.key ?? ''
  return {
    after: page.length < COLLECTION_PAGE ? null : at,
    at,
    done: page.length,
    total: null,
    findings: [],
    counts,
  }
}

/** Removes doomed blobs whose grace has ended. */
export async function sweep(
  ctx: OpsContext,
  after: string | null,
  { dryRun, graceMs }: CollectOptions,
): Promise<WalkStep> {
  const [kind, domainId = '', ...name] = after?.split('/') ?? []
  const position = kind === undefined ? null : { kind: kind as BlobRowKind, domainId, name: name.join('/') }
  const page = await ctx.catalog.rows.collection.doomed(position, SWEEP_BLOBS)
  const now = ctx.clock()
  const due = page.filter((blob) => blob.doomedAt + keptMs(blob.kind, graceMs) <= now)
  const counts: Counts = {}
  const findings: Finding[] = []
  const freed = new Set(dryRun ? due : await removeAll(ctx, due, findings))
  for (const blob of page) count(counts, blob.kind, freed.has(blob), blob.sizeBytes)
  const last = page.at(-1)
  const at = last === undefined ? '' : `${last.kind}/${last.domainId}/${last.name}`
  return {
    after: page.length < SWEEP_BLOBS ? null : at,
    at,
    done: page.length,
    total: null,
    findings,
    counts,
  }
}

/** Uploads in parts that nobody goes on with. Their addresses have expired long ago. */
export async function dropStaleParts(
  ctx: OpsContext,
  { dryRun }: Pick<CollectOptions, 'dryRun'>,
): Promise<WalkStep> {
  const counts: Counts = {}
  const step = { after: null, at: '', done: 0, total: null, findings: [], counts }
  for await (const uploadId of ctx.blobs.parts.listStale(ctx.clock() - UPLOAD_LEASE_MS)) {
    const parts = await ctx.blobs.parts.list(uploadId)
    const drop = (): Promise<void> => ctx.blobs.parts.drop(uploadId)
    if (!dryRun && !(await ctx.removals.remove(drop))) return step
    step.done += 1
    const bytes = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    count(counts, 'parts', true, bytes)
  }
  return step
}

/**
 * A dedup reply of the last moment before is good until its epoch ends: only then a xorb's grace begins. A shard is
 * nothing that a client could count on.
 */
function keptMs(kind: BlobRowKind, graceMs: number): number {
  if (kind === 'shards') return 0
  return kind === 'xorbs' ? graceMs + Math.min(graceMs, DEDUP_EPOCH_MS) : graceMs
}

async function removeAll(
  ctx: OpsContext,
  due: readonly DoomedBlob[],
  findings: Finding[],
): Promise<DoomedBlob[]> {
  const freed: DoomedBlob[] = []
  if (due.length === 0) return freed
  for (const { kind, domainId, name } of due) if (kind === 'xorbs') await thinIndex(ctx, domainId, name)
  await ctx.repoQueue.runAll(due.map(keyOf), () =>
    ctx.removals.remove(async () => {
      const condemned = await ctx.catalog.tx(async ({ collection }) => {
        const withoutRow: DoomedBlob[] = []
        for (const blob of due)
          if (await collection.execute(blob)) withoutRow.push(blob)
          else await collection.pardon(blob.kind, blob.domainId, [blob.name])
        return withoutRow
      })
      for (const blob of condemned) {
        const key = keyOf(blob)
        ctx.caches.chunkTables.delete(`${blob.domainId}/${blob.name}`)
        ctx.caches.fingerprints.delete(key)
        try {
          await ctx.blobs.delete(key)
          freed.push(blob)
        } catch (error) {
          // Its mark stays for the next run; the others need not wait for it.
          findings.push({ subject: key, message: (error as Error).message, state: 'problem' })
        }
      }
      await ctx.catalog.tx(async ({ collection }) => {
        for (const { kind, domainId, name } of freed) await collection.pardon(kind, domainId, [name])
      })
    }),
  )
  return freed
}

/** A xorb of thousands of small files is in the index thousands of times, too much for the transaction of its end. */
async function thinIndex(ctx: OpsContext, domainId: string, hash: string): Promise<void> {
  if ((await ctx.catalog.rows.collection.countIndexed(domainId, hash)) <= INDEX_ROWS_PER_XORB) return
  const limit = COLLECTION_PAGE
  while ((await ctx.catalog.tx((rows) => rows.collection.dropIndexed(domainId, hash, limit))) === limit);
}
