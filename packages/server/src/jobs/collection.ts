/** Removes now and then what nothing needs any more. */
import { COLLECTION_PAUSE_MS, COLLECTION_POLL_MS } from '../limits.ts'
import { noteWork } from '../ops/audit.ts'
import { collectStep } from '../ops/collection/collect.ts'
import type { OpsContext } from '../ops/context.ts'
import { pause, startLoop, type Jobs } from './loop.ts'

/** `intervalMs` 0: never. */
export function startCollection(ctx: OpsContext, intervalMs: number): Jobs {
  return startLoop(async (signal) => {
    if (intervalMs > 0) await run(ctx, intervalMs, signal)
  })
}

async function run(ctx: OpsContext, intervalMs: number, signal: AbortSignal): Promise<void> {
  let next = ctx.clock() + intervalMs
  while (!signal.aborted) {
    if (ctx.clock() >= next) {
      next = ctx.clock() + intervalMs
      try {
        await collectAll(ctx, signal)
      } catch (error) {
        ctx.log.error({ err: error }, 'collection broke off')
      }
    }
    await pause(COLLECTION_POLL_MS, signal)
  }
}

async function collectAll(ctx: OpsContext, signal: AbortSignal): Promise<void> {
  const counts: Record<string, number> = {}
  let cursor: string | null = null
  do {
    if (signal.aborted) return
    const step = await collectStep(ctx, { dryRun: false, graceMs: ctx.collectGraceMs }, cursor)
    for (const [name, count] of Object.entries(step.counts)) counts[name] = (counts[name] ?? 0) + count
    for (const { subject, message } of step.findings) ctx.log.error({ subject }, `collection: ${message}`)
    cursor = step.cursor
    // Requests come first.
    await pause(COLLECTION_PAUSE_MS, signal)
  } while (cursor !== null)
  await noteWork(ctx, { kind: 'operator' }, 'gc', { counts })
  ctx.log.info({ counts }, 'collection has ended')
}
