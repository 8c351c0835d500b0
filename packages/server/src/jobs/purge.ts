/** Looks now and then for deleted repositories whose grace has ended. */
import { setTimeout as sleep } from 'node:timers/promises'

import { PURGE_BATCH, PURGE_POLL_MS } from '../limits.ts'
import type { OpsContext } from '../ops/context.ts'
import { purgeDue } from '../ops/deleted-repos.ts'
import type { Jobs } from './outbox.ts'

export function startPurge(ctx: OpsContext): Jobs {
  const stopping = new AbortController()
  const loop = run(ctx, stopping.signal)
  const stop = async (): Promise<void> => {
    stopping.abort()
    await loop
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

async function run(ctx: OpsContext, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await purgeDue(ctx, PURGE_BATCH)
    } catch (error) {
      ctx.log.error({ err: error }, 'deleted repositories cannot be removed')
    }
    await sleep(PURGE_POLL_MS, undefined, { signal, ref: false }).catch(() => undefined)
  }
}
