/** Removes now and then what nothing needs any more. */
import { setTimeout as sleep } from 'node:timers/promises'

import { COLLECTION_PAUSE_MS, COLLECTION_POLL_MS } from '../limits.ts'
import { auditRow } from '../ops/audit.ts'
import { collectStep } from '../ops/collection/collect.ts'
import type { OpsContext } from '../ops/context.ts'
import type { Jobs } from './outbox.ts'

/** `intervalMs` 0: never. */
export function startCollection(ctx: OpsContext, intervalMs: number): Jobs {
  const stopping = new AbortController()
  const loop = intervalMs === 0 ? Promise.resolve() : run(ctx, intervalMs, stopping.signal)
  const stop = async (): Promise<void> => {
    stopping.abort()
    await loop
  }
  return { stop, [Symbol.asyncDispose]: stop }
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
    await sleep(COLLECTION_POLL_MS, undefined, { signal, ref: false }).catch(() => undefined)
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
    await sleep(COLLECTION_PAUSE_MS, undefined, { signal, ref: false }).catch(() => undefined)
  } while (cursor !== null)
  const row = auditRow(ctx, { kind: 'operator' }, 'hub.gc', 'collection', { counts })
  await ctx.catalog.tx((rows) => rows.audit.insert(row))
  ctx.log.info({ counts }, 'collection has ended')
}
