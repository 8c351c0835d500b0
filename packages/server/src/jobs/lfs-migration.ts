/**
 * LFS objects become Xet files in the background, one at a time: at the lowest priority, with a rest after each piece
 * as long as the piece took, so that it has at most half of what others leave.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { MIGRATION_FREE_SHARE_MIN, MIGRATION_POLL_MS, MIGRATION_REST_MAX_MS } from '../limits.ts'
import type { OpsContext } from '../ops/context.ts'
import { removeOriginal, replaceObject } from '../ops/xet/migrate.ts'
import type { MigrationPolicy } from '../ops/xet/migration-policy.ts'
import { pause, startLoop, type Jobs } from './loop.ts'

const HOUR_MS = 3600_000

export function startLfsMigration(
  ctx: OpsContext,
  policy: MigrationPolicy,
  pollMs: number = MIGRATION_POLL_MS,
): Jobs {
  return startLoop(async (signal) => {
    if (policy.isOn) await run(ctx, policy, pollMs, signal)
  })
}

async function run(
  ctx: OpsContext,
  policy: MigrationPolicy,
  pollMs: number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await pause(pollMs, signal)
    try {
      while (!signal.aborted && (await takeNext(ctx, policy, signal)));
    } catch (error) {
      if (!signal.aborted) ctx.log.error({ err: error }, 'an LFS object could not be migrated')
    }
  }
}

/** False when nothing is due. Throws when what was due failed; it has been put off, and a round later others follow. */
async function takeNext(ctx: OpsContext, policy: MigrationPolicy, signal: AbortSignal): Promise<boolean> {
  const { lfsMigrations } = ctx.catalog.rows
  const now = ctx.clock()
  // Room is made before it is taken.
  const replaced = await lfsMigrations.nextToRemove(now - policy.graceHours * HOUR_MS, now)
  if (replaced !== null) {
    await removeOriginal(ctx, replaced)
    return true
  }
  const waiting = await lfsMigrations.nextToReplace(now - policy.delayHours * HOUR_MS, now)
  if (waiting === null || !(await hasRoom(ctx, waiting.sizeBytes))) return false
  await replaceObject(ctx, waiting, restful(signal))
  return true
}

/** Else it waits for the end of the grace of others, or for the operator. */
async function hasRoom(ctx: OpsContext, sizeBytes: number): Promise<boolean> {
  const space = await ctx.blobs.space()
  return space === null || space.freeBytes - sizeBytes >= MIGRATION_FREE_SHARE_MIN * space.totalBytes
}

function restful(signal: AbortSignal): () => Promise<void> {
  let since = performance.now()
  return async () => {
    await sleep(Math.min(performance.now() - since, MIGRATION_REST_MAX_MS), undefined, { signal })
    since = performance.now()
  }
}
