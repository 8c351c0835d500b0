/** Reads everything that is stored once in a while, slowly (ops/scrub.ts). */
import { SCRUB_FIRST_MS, SCRUB_PAUSE_MAX_MS } from '../limits.ts'
import type { OpsContext } from '../ops/context.ts'
import { Scrub } from '../ops/scrub.ts'
import { pause, startLoop, type Jobs } from './loop.ts'

/** `days`: how long a pass takes; 0: never. */
export function startScrub(ctx: OpsContext, days: number): Jobs {
  return startLoop(async (signal) => {
    if (days > 0) await run(ctx, days * 24 * 3600_000, signal)
  })
}

async function run(ctx: OpsContext, passMs: number, signal: AbortSignal): Promise<void> {
  const scrub = new Scrub(ctx, passMs)
  let pauseMs = SCRUB_FIRST_MS
  for (;;) {
    await pause(pauseMs, signal)
    if (signal.aborted) return
    try {
      pauseMs = await scrub.next()
    } catch (error) {
      ctx.log.error({ err: error }, 'stored bytes cannot be read through')
      pauseMs = SCRUB_PAUSE_MAX_MS
    }
  }
}
