/** A Xet file for clients that know nothing of Xet: decoded by the hub as it is sent (xet.md §10). */
import { HubError } from '@cairn/protocol/errors'
import { walkReconstruction } from '@cairn/protocol/xet/reconstruction'

import { free } from '../../free.ts'
import { BRIDGE_STEP_RAW_MAX_BYTES } from '../../limits.ts'
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
  // The next step is read and decoded while the last one is being sent.
  let next: Promise<Uint8Array> | null = null
  let sent: Uint8Array | null = null
  for await (const step of steps) {
    const ready = next
    next = decodeStep(ctx, domainId, step)
    // Awaited one step later; until then a failure must not count as unhandled.
    next.catch(() => undefined)
    if (ready === null) continue
    const bytes = await ready
    yield bytes
    // Asked for the next one, the consumer has done with the one before this.
    if (sent !== null) free(sent)
    sent = bytes
  }
  if (next !== null) yield await next
}

async function decodeStep(
  ctx: OpsContext,
  domainId: string,
  step: {
    xorb: string
    byteStart: number
    byteEnd: number
    chunkHashes: Uint8Array
    skipBytes: number
    takeBytes: number
  },
): Promise<Uint8Array> {
  const serialized = new Uint8Array(step.byteEnd - step.byteStart + 1)
  let at = 0
  for await (const bytes of await ctx.blobs.read(xorbKey(domainId, step.xorb), {
    start: step.byteStart,
    end: step.byteEnd,
  })) {
    serialized.set(bytes, at)
    at += bytes.length
  }
  const decoded = await decodeChunks(ctx.xorbs, serialized, step.chunkHashes)
  return decoded.subarray(step.skipBytes, step.skipBytes + step.takeBytes)
}
