/**
 * When repositories are packed, and what may go for good: nothing that a ref of the catalog reaches, no version that a
 * registry retains, and nothing else before its grace has ended.
 */
import { HubError } from '@cairn/protocol/errors'

import {
  FULL_REPACK_INTERVAL_MS,
  LOOSE_OBJECTS_KEPT_MAX,
  LOOSE_REFS_KEPT_MAX,
  PACKS_KEPT_MAX,
  UNREACHABLE_GRACE_MS,
} from '../limits.ts'
import type { RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { refsToProject, repairProjection } from './land.ts'

/** Packs a repository when much has gathered in it. Beside requests; returns whether there was something to do. */
export async function tidyRepo(ctx: OpsContext, repoId: string, signal?: AbortSignal): Promise<boolean> {
  const repo = await livingRepo(ctx, repoId)
  if (repo === null) return false
  const { looseObjects, packs, looseRefs } = await ctx.git.clutter(repo.id)
  const isCluttered = looseObjects > LOOSE_OBJECTS_KEPT_MAX || packs > PACKS_KEPT_MAX
  if (isCluttered) await alone(ctx, repo.id, () => ctx.git.repack(repo.id, signal))
  if (looseRefs > LOOSE_REFS_KEPT_MAX) await packRefs(ctx, repo.id)
  return isCluttered || looseRefs > LOOSE_REFS_KEPT_MAX
}

/** At once, because an operator asks. Conflict when refs moved while everything was packed; then nothing was removed. */
export async function packRepo(
  ctx: OpsContext,
  repo: RepoRow,
  prune: boolean,
): Promise<{ packs: number; looseObjects: number; looseRefs: number }> {
  if (!prune) await alone(ctx, repo.id, () => ctx.git.repack(repo.id))
  else if (!(await pruneRepo(ctx, repo.id)))
    throw new HubError('Conflict', 'The repository changed while it was packed: try again')
  await packRefs(ctx, repo.id)
  const { packs, looseObjects, looseRefs } = await ctx.git.clutter(repo.id)
  return { packs, looseObjects, looseRefs }
}

/** Whether a repository changed since it was last packed whole, and that was long ago. */
export async function isFullRepackDue(ctx: OpsContext, repo: RepoRow): Promise<boolean> {
  const last = await ctx.git.lastFullRepack(repo.id)
  return repo.lastModified > last && ctx.clock() - last > FULL_REPACK_INTERVAL_MS
}

/**
 * Packs a repository whole and removes what nothing reaches and whose grace has ended. Returns false when refs moved
 * while it packed, or a backup copies: then nothing was removed, and a later time is better.
 */
export async function pruneRepo(
  ctx: OpsContext,
  repoId: string,
  options: { graceMs?: number; signal?: AbortSignal } = {},
): Promise<boolean> {
  return alone(ctx, repoId, () => prune(ctx, repoId, options))
}

async function prune(
  ctx: OpsContext,
  repoId: string,
  { graceMs = UNREACHABLE_GRACE_MS, signal }: { graceMs?: number; signal?: AbortSignal },
): Promise<boolean> {
  const before = await ctx.repoQueue.run(repoId, async () => {
    const repo = await livingRepo(ctx, repoId)
    if (repo === null) return null
    // git takes its roots from its own refs: they must be the catalog's.
    await repairProjection(ctx, repo)
    return rootsOf(ctx, repoId)
  })
  if (before === null) return false
  const replace = await ctx.git.repackWhole(repoId, ctx.clock() - graceMs, signal)
  return ctx.repoQueue.run(repoId, async () => {
    const repo = await livingRepo(ctx, repoId)
    // A ref made meanwhile may reach what was left out.
    if (repo === null || repo.refsDirty || (await rootsOf(ctx, repoId)) !== before) return false
    const removed = await ctx.removals.remove(replace)
    if (removed) ctx.caches.forget(repoId)
    return removed
  })
}

/** Of two that pack one repository at once, one would write down packs that the other takes away. */
function alone<T>(ctx: OpsContext, repoId: string, pack: () => Promise<T>): Promise<T> {
  return ctx.repoQueue.run(`packing ${repoId}`, async () => {
    const packed = await pack()
    await ctx.catalog.tx((rows) => rows.quotas.forgetGitBytes(repoId))
    return packed
  })
}

/** In the queue: whoever writes refs meanwhile would undo it, or be undone. */
async function packRefs(ctx: OpsContext, repoId: string): Promise<void> {
  await ctx.repoQueue.run(repoId, async () => {
    if ((await livingRepo(ctx, repoId)) !== null) await ctx.git.packRefs(repoId)
  })
}

async function livingRepo(ctx: OpsContext, repoId: string): Promise<RepoRow | null> {
  const repo = await ctx.catalog.rows.repos.get(repoId)
  return repo === null || repo.deletedAt !== null ? null : repo
}

async function rootsOf(ctx: OpsContext, repoId: string): Promise<string> {
  const refs = [...(await refsToProject(ctx, repoId))].map(([name, oid]) => `${name} ${oid}`)
  return refs.toSorted().join('\n')
}
