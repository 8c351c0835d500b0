/**
 * What happens after a change: events are taken from the outbox, row by row, and each job may run twice (its lease may
 * end, the process may die) without harm.
 */
import { JOB_ATTEMPTS_MAX, JOB_BATCH, JOB_LEASE_MS, JOB_POLL_MS } from '../limits.ts'
import type { OpsContext } from '../ops/context.ts'
import { purgeRepo } from '../ops/deleted-repos.ts'
import { indexRepo } from '../ops/index-repo.ts'
import { notePathVersions } from '../ops/xet/path-versions.ts'
import { verifySha256 } from '../ops/xet/verify-sha256.ts'
import type { HubEvent, JobQueue, OutboxRow } from '../store/catalog/catalog.ts'
import { pause, startLoop, type Jobs } from './loop.ts'

/** `onLanding` hears of every change of refs, after what follows from it was done. */
export function startJobs(ctx: OpsContext, onLanding: (repoId: string) => void): Jobs {
  return startLoop(async (signal) => {
    // A proof reads a whole file, however large; nobody's search waits for it.
    const queues = ['changes', 'proofs'] as const
    await Promise.all(queues.map((queue) => run(ctx, queue, onLanding, signal)))
  })
}

async function run(
  ctx: OpsContext,
  queue: JobQueue,
  onLanding: (repoId: string) => void,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    let claimed: OutboxRow[] = []
    try {
      const now = ctx.clock()
      if ((await ctx.catalog.rows.outbox.count(queue)) > 0)
        claimed = await ctx.catalog.tx((rows) => rows.outbox.claim(queue, now, now + JOB_LEASE_MS, JOB_BATCH))
      for (const row of claimed) {
        if (signal.aborted) break
        await carryOut(ctx, row, signal)
        if (row.event.type === 'refs.updated') onLanding(row.event.repoId)
      }
    } catch (error) {
      ctx.log.error({ err: error }, 'the outbox cannot be read')
    }
    if (claimed.length < JOB_BATCH) await pause(JOB_POLL_MS, signal)
  }
}

async function carryOut(
  ctx: OpsContext,
  { id, event, attempts }: OutboxRow,
  signal: AbortSignal,
): Promise<void> {
  try {
    await handle(ctx, event, signal)
    await ctx.catalog.tx((rows) => rows.outbox.done(id))
  } catch (error) {
    if (signal.aborted) {
      // Broken off and not failed: the hub that starts next takes it up at once.
      await ctx.catalog.tx((rows) => rows.outbox.giveBack(id, ctx.clock()))
      return
    }
    ctx.log.error({ err: error, event: event.type, attempts }, 'a job failed')
    const retryAt =
      attempts >= JOB_ATTEMPTS_MAX
        ? Number.MAX_SAFE_INTEGER
        : ctx.clock() + 1000 * 2 ** Math.min(attempts, 12)
    await ctx.catalog.tx((rows) => rows.outbox.fail(id, retryAt, String(error)))
  }
}

async function handle(ctx: OpsContext, event: HubEvent, signal: AbortSignal): Promise<void> {
  switch (event.type) {
    case 'repo.deleted':
      return purgeRepo(ctx, event.repoId)
    case 'xet.file-registered':
      await verifySha256(ctx, event, signal)
      return
    case 'repo.moved':
    case 'repo.restored':
      return indexRepo(ctx, event.repoId, { force: true })
    case 'repo.created':
    case 'repo.updated':
      return indexRepo(ctx, event.repoId)
    case 'refs.updated':
      await indexRepo(ctx, event.repoId)
      return notePathVersions(ctx, event)
  }
}
