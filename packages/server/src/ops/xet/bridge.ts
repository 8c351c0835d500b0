/** A Xet file for clients that know nothing of Xet: decoded by the hub as it is sent (xet.md §10). */
import { HubError } from '@cairn/protocol/errors'
import { walkReconstruction, type WalkStep } from '@cairn/protocol/xet/reconstruction'

import { BRIDGE_STEP_RAW_MAX_BYTES, BRIDGE_STEPS_AHEAD } from '../../limits.ts'
import type { ByteRange } from '../../store/blobs/blob-store.ts'
import type { RepoRow, StoredContent } from '../../store/catalog/catalog.ts'
import { xorbKey } from '../../store/keys.ts'
import { decodeChunks } from '../../workers/xorb-verify.ts'
import { checked, sha256Check, type Content } from '../content.ts'
import type { OpsContext } from '../context.ts'
import { tableOf } from './tables.ts'

/** Every chunk is checked against its hash; a whole pass also against the file's sha256. */
export function openXetFile(
  ctx: OpsContext,
  repo: RepoRow,
  stored: Extract<StoredContent, { kind: 'xet' }>,
): Content {
  return {
    sizeBytes: stored.sizeBytes,
    open: async (range) => {
      // Not before: its terms may be long, and a HEAD does not need them.
      const file = await ctx.catalog.rows.xet.getFile(repo.id, stored.xetHash)
      if (file === null) throw new HubError('Internal', `The Xet file ${stored.xetHash} is gone`)
      const bytes = decodeRange(ctx, file, file.terms, range ?? null)
      return range === undefined
        ? checked(bytes, { oid: stored.oid, sizeBytes: file.sizeBytes }, sha256Check(stored.oid))
        : bytes
    },
  }
}

/** Chunks follow `BlobStore.read`'s rule about reused buffers. */
export async function* decodeRange(
  ctx: OpsContext,
  { domainId }: { domainId: string },
  terms: Uint8Array,
  range: ByteRange | null,
): AsyncGenerator<Uint8Array> {
  const steps = walkReconstruction(
    terms,
    range,
    (xorb) => tableOf(ctx, domainId, xorb),
    BRIDGE_STEP_RAW_MAX_BYTES,
  )
  // While one step is sent the next ones are read and decoded.
  const ahead: Promise<Uint8Array>[] = []
  let sent: Uint8Array | null = null
  async function* oldest(): AsyncGenerator<Uint8Array> {
    const bytes = await ahead.shift()!
    yield bytes
    // Asked for one more, the consumer has done with the one before the last.
    if (sent !== null) ctx.xorbs.buffers.give(sent)
    sent = bytes
  }
  for await (const step of steps) {
    if (ahead.length > BRIDGE_STEPS_AHEAD) yield* oldest()
    const decoding = decodeStep(ctx, domainId, step)
    // Awaited some steps later; until then a failure must not count as unhandled.
    decoding.catch(() => undefined)
    ahead.push(decoding)
  }
  while (ahead.length > 0) yield* oldest()
}

async function decodeStep(ctx: OpsContext, domainId: string, step: WalkStep): Promise<Uint8Array> {
  const serialized = ctx.xorbs.buffers.take().subarray(0, step.byteEnd - step.byteStart + 1)
  await ctx.blobs.readInto(xorbKey(domainId, step.xorb), step.byteStart, serialized)
  const decoded = await decodeChunks(ctx.xorbs, serialized, step)
  return decoded.subarray(step.skipBytes, step.skipBytes + step.takeBytes)
}
