/** Packs repositories in the background, one at a time: those that changed much soon, all of them once a day. */
import {
  HOUSEKEEPING_FIRST_ROUND_MS,
  HOUSEKEEPING_LANDINGS,
  HOUSEKEEPING_POLL_MS,
  HOUSEKEEPING_ROUND_MS,
  LIST_PAGE_MAX,
} from '../limits.ts'
import type { OpsContext } from '../ops/context.ts'
import { isFullRepackDue, pruneRepo, tidyRepo } from '../ops/housekeeping.ts'
import { pause, startLoop, type Jobs } from './loop.ts'

export interface Housekeeping extends Jobs {
  /** The refs of a repository have changed. */
  note: (repoId: string) => void
}

export function startHousekeeping(ctx: OpsContext): Housekeeping {
  const landings = new Map<string, number>()
  const loop = startLoop((signal) => run(ctx, landings, signal))
  return { ...loop, note: (repoId) => void landings.set(repoId, (landings.get(repoId) ?? 0) + 1) }
}

async function run(ctx: OpsContext, landings: Map<string, number>, signal: AbortSignal): Promise<void> {
  let nextRound = ctx.clock() + HOUSEKEEPING_FIRST_ROUND_MS
  while (!signal.aborted) {
    for (const [repoId, count] of landings) {
      if (signal.aborted) return
      if (count < HOUSEKEEPING_LANDINGS) continue
      landings.delete(repoId)
      await attempt(ctx, repoId, signal, () => tidyRepo(ctx, repoId, signal))
    }
    if (ctx.clock() >= nextRound) {
      nextRound = ctx.clock() + HOUSEKEEPING_ROUND_MS
      // The round sees those too that changed little.
      landings.clear()
      await goRound(ctx, signal)
    }
    await pause(HOUSEKEEPING_POLL_MS, signal)
  }
}

async function goRound(ctx: OpsContext, signal: AbortSignal): Promise<void> {
  const { repos } = ctx.catalog.rows
  let page = await repos.list(null, null, LIST_PAGE_MAX)
  while (page.length > 0) {
    for (const repo of page) {
      if (signal.aborted) return
      await attempt(ctx, repo.id, signal, async () =>
        (await isFullRepackDue(ctx, repo))
          ? pruneRepo(ctx, repo.id, { signal })
          : tidyRepo(ctx, repo.id, signal),
      )
    }
    page = await repos.list(null, page.at(-1)!.id, LIST_PAGE_MAX)
  }
}

/** One damaged repository must not keep the others from being tidied. */
async function attempt(
  ctx: OpsContext,
  repoId: string,
  signal: AbortSignal,
  work: () => Promise<boolean>,
): Promise<void> {
  try {
    if (await work()) ctx.log.debug({ repoId }, 'a repository was packed')
  } catch (error) {
    if (!signal.aborted) ctx.log.error({ err: error, repoId }, 'a repository could not be packed')
  }
}
