/** Reads everything that is stored once in a while, slowly (ops/scrub.ts). */
import { setTimeout as sleep } from 'node:timers/promises'

import { SCRUB_FIRST_MS, SCRUB_PAUSE_MAX_MS } from '../limits.ts'
import type { OpsContext } from '../ops/context.ts'
import { Scrub } from '../ops/scrub.ts'
import type { Jobs } from './outbox.ts'

/** `days`: how long a pass takes; 0: never. */
export function startScrub(ctx: OpsContext, days: number): Jobs {
  const stopping = new AbortController()
  const loop = days === 0 ? Promise.resolve() : run(ctx, days * 24 * 3600_000, stopping.signal)
  const stop = async (): Promise<void> => {
    stopping.abort()
    await loop
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

async function run(ctx: OpsContext, passMs: number, signal: AbortSignal): Promise<void> {
  const scrub = new Scrub(ctx, passMs)
  let pauseMs = SCRUB_FIRST_MS
  for (;;) {
    await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined)
    if (signal.aborted) return
    try {
      pauseMs = await scrub.next()
    } catch (error) {
      ctx.log.error({ err: error }, 'stored bytes cannot be read through')
      pauseMs = SCRUB_PAUSE_MAX_MS
    }
  }
}
