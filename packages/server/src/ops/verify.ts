/**
 * Reads stored blobs to their ends and compares them with what they should be: all at once because an operator asks,
 * or slowly and for ever. Hashing happens on the way in; this is how rot is found before somebody wants the file.
 */
import { setTimeout as sleep } from 'node:timers/promises'

import { VERIFY_STEP_MS } from '../limits.ts'
import type { BlobKey, BlobStat } from '../store/blobs/blob-store.ts'
import type { OpsContext } from './context.ts'
import { faultOfBlob, noteDamage } from './damage.ts'
import { stepThrough, type Finding, type WalkStep, type WorkStep } from './work-step.ts'

/** Reading of blobs that goes on between steps, since the largest take longer than a request may. */
export type Readings = Map<BlobKey, Promise<Finding | null>>

export async function verifyHub(
  ctx: OpsContext,
  readings: Readings,
  bytesPerSecond: number,
  cursor: string | null,
): Promise<WorkStep> {
  return stepThrough({ bytes: (after) => verifyStep(ctx, readings, bytesPerSecond, after) }, cursor)
}

async function verifyStep(
  ctx: OpsContext,
  readings: Readings,
  bytesPerSecond: number,
  given: string | null,
): Promise<WalkStep> {
  const step = { at: '', done: 0, findings: [] as Finding[] }
  const totals = given === null ? await ctx.catalog.rows.inventory.totals() : null
  const total = totals === null ? null : totals.lfs.sizeBytes + totals.xorbs.sizeBytes
  const until = Date.now() + VERIFY_STEP_MS
  let after = given ?? ''
  let files = 0
  const answer = (end: string | null): WalkStep => ({
    ...step,
    total,
    after: end,
    counts: { files, bytes: step.done },
  })
  while (Date.now() < until) {
    const blob = await blobAfter(ctx, after)
    if (blob === null) return answer(null)
    const reading = readings.get(blob.key) ?? verifyBlob(ctx, blob.key, bytesPerSecond)
    readings.set(blob.key, reading)
    step.at = blob.key
    const outcome = await Promise.race([reading, sleep(until - Date.now(), 'late' as const)])
    if (outcome === 'late') break
    readings.delete(blob.key)
    if (outcome !== null) step.findings.push(outcome)
    after = blob.key
    files += 1
    step.done += blob.sizeBytes
  }
  return answer(after)
}

/** Null when the bytes are sound. What is found is remembered and logged. */
export async function verifyBlob(
  ctx: OpsContext,
  key: BlobKey,
  bytesPerSecond: number,
): Promise<Finding | null> {
  const fault = await faultOfBlob(ctx, key, pacer(bytesPerSecond))
  if (fault !== null) return (await ctx.blobs.stat(key)) === null ? null : noteDamage(ctx, key, fault)
  if ((await ctx.catalog.rows.damage.count()) > 0) await ctx.catalog.tx((rows) => rows.damage.clear(key))
  return null
}

export async function blobAfter(ctx: OpsContext, after: string | null): Promise<BlobStat | null> {
  for await (const blob of ctx.blobs.list('', (after || undefined) as BlobKey | undefined)) return blob
  return null
}

function pacer(bytesPerSecond: number): (bytes: Uint8Array) => Promise<void> {
  const startedAt = Date.now()
  let total = 0
  return async (bytes) => {
    total += bytes.length
    const aheadMs = (total / bytesPerSecond) * 1000 - (Date.now() - startedAt)
    if (aheadMs > 1) await sleep(aheadMs)
  }
}
