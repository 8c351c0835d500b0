/**
 * A git blob as something to send. git gives it whole, so it is in memory while it is sent: counted, and dropped from
 * under a reader who does not take it. When that reader goes on, it is read again; it never changes.
 */
import { HubError } from '@cairn/protocol/errors'

import {
  GIT_BLOB_HELD_MS,
  GIT_BLOB_MAX_BYTES,
  GIT_BLOB_STALL_MS,
  READ_WHOLE_MAX_BYTES,
  SMALL_BLOB_MAX_BYTES,
} from '../limits.ts'
import type { ByteRange } from '../store/blobs/blob-store.ts'
import type { Share } from './byte-budget.ts'
import type { Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { readBlob } from './trees.ts'

export function openGitBlob(ctx: OpsContext, repoId: string, oid: string, sizeBytes: number): Content {
  const hold = async () => {
    if (sizeBytes > GIT_BLOB_MAX_BYTES)
      throw new HubError(
        'TooLarge',
        `Files of more than ${GIT_BLOB_MAX_BYTES} bytes are sent from LFS or Xet only`,
      )
    const share = await ctx.budgets.gitBlobs.take(sizeBytes)
    try {
      return new HeldBlob(await readBlob(ctx, repoId, oid), share)
    } catch (error) {
      share.giveBack()
      throw error
    }
  }
  return {
    sizeBytes,
    async open(range = { start: 0, end: sizeBytes - 1 }) {
      if (sizeBytes <= SMALL_BLOB_MAX_BYTES)
        return once((await readSmallBlob(ctx, repoId, oid)).subarray(range.start, range.end + 1))
      // Held before the answer begins, so that a refusal can still be one.
      const held = await hold()
      if (sizeBytes > READ_WHOLE_MAX_BYTES) return pieces(hold, held, range)
      const bytes = held.bytes!.subarray(range.start, range.end + 1)
      held.drop()
      return once(bytes)
    },
  }
}

async function readSmallBlob(ctx: OpsContext, repoId: string, oid: string): Promise<Uint8Array> {
  const key = `${repoId}/${oid}`
  const known = ctx.caches.smallBlobs.get(key)
  if (known !== undefined) return known
  // A copy of its own size: git's answers share memory.
  const bytes = new Uint8Array(await readBlob(ctx, repoId, oid))
  ctx.caches.smallBlobs.set(key, bytes)
  return bytes
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

async function* pieces(
  hold: () => Promise<HeldBlob>,
  first: HeldBlob,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array> {
  let held = first
  try {
    for (let at = start; at <= end; at += READ_WHOLE_MAX_BYTES) {
      if (held.bytes === null) held = await hold()
      // A copy: a view would keep the whole blob for as long as this piece is on its way.
      const piece = Buffer.from(held.bytes!.subarray(at, Math.min(at + READ_WHOLE_MAX_BYTES, end + 1)))
      if (at + READ_WHOLE_MAX_BYTES > end) held.drop()
      else held.touch()
      yield piece
    }
  } finally {
    held.drop()
  }
}

/** Drops itself when it was not asked for a while, or is held for long. */
class HeldBlob {
  bytes: Uint8Array | null
  readonly #share: Share
  readonly #since = performance.now()
  #timer: NodeJS.Timeout

  constructor(bytes: Uint8Array, share: Share) {
    this.bytes = bytes
    this.#share = share
    this.#timer = setTimeout(() => this.drop(), GIT_BLOB_STALL_MS)
  }

  touch(): void {
    clearTimeout(this.#timer)
    const leftMs = GIT_BLOB_HELD_MS - (performance.now() - this.#since)
    if (leftMs <= 0) this.drop()
    else this.#timer = setTimeout(() => this.drop(), Math.min(GIT_BLOB_STALL_MS, leftMs))
  }

  drop(): void {
    clearTimeout(this.#timer)
    this.bytes = null
    this.#share.giveBack()
  }
}
