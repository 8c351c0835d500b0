/** Looks now and then for deleted repositories whose grace has ended. */
import { PURGE_BATCH, PURGE_POLL_MS } from '../limits.ts'
import type { OpsContext } from '../ops/context.ts'
import { purgeDue } from '../ops/deleted-repos.ts'
import { pause, startLoop, type Jobs } from './loop.ts'

export function startPurge(ctx: OpsContext): Jobs {
  return startLoop((signal) => run(ctx, signal))
}

async function run(ctx: OpsContext, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await purgeDue(ctx, PURGE_BATCH)
    } catch (error) {
      ctx.log.error({ err: error }, 'deleted repositories cannot be removed')
    }
    await pause(PURGE_POLL_MS, signal)
  }
}
