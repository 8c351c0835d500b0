/** A Xet file for clients that know nothing of Xet: decoded by the hub as it is sent (xet.md §10). */
import { FormatError, HubError } from '@cairn/protocol/errors'
import { CHUNK_HEADER_BYTES } from '@cairn/protocol/xet/chunk'
import { XET_HASH_BYTES } from '@cairn/protocol/xet/hash'
import { walkReconstruction, type WalkStep } from '@cairn/protocol/xet/reconstruction'
import { createFileHash } from '@cairn/protocol/xet/tree-hash'

import {
  BRIDGE_STEP_MAX_BYTES,
  BRIDGE_STEP_MIN_BYTES,
  BRIDGE_STEPS_AHEAD_MAX,
  BRIDGES_HELD_MAX_BYTES,
} from '../../limits.ts'
import type { ByteRange, OpenBlob } from '../../store/blobs/blob-store.ts'
import type { RepoRow, StoredContent } from '../../store/catalog/catalog.ts'
import { xorbKey } from '../../store/keys.ts'
import { checkChunks, decodeChunks } from '../../workers/xorb-verify.ts'
import { checked, sha256Check, type Check, type Content } from '../content.ts'
import type { OpsContext } from '../context.ts'
import { tableOf } from './tables.ts'

/**
 * Every chunk is checked against its hash. A whole pass also against the file's sha256; where the hub has computed that
 * itself, against the file's Xet hash instead, which says the same of the same chunks and costs a twentieth.
 */
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
      if (range !== undefined) return decodeRange(ctx, file, file.terms, range)
      const { check, onStep } = stored.isProven
        ? recipeCheck(ctx, stored.xetHash)
        : { check: sha256Check(stored.oid), onStep: undefined }
      const bytes = decodeRange(ctx, file, file.terms, null, onStep)
      return checked(bytes, { oid: stored.oid, sizeBytes: file.sizeBytes }, check)
    },
  }
}

/** That the chunks which are decoded are those that give the file its name. */
function recipeCheck(ctx: OpsContext, xetHash: string): { check: Check; onStep: (step: WalkStep) => void } {
  const hash = createFileHash(ctx.primitives)
  return {
    onStep({ chunkHashes, chunkLengths }) {
      chunkLengths.forEach((length, index) =>
        hash.add(chunkHashes.subarray(index * XET_HASH_BYTES, (index + 1) * XET_HASH_BYTES), length),
      )
    },
    check: { update: () => undefined, isSound: () => hash.finish() === xetHash },
  }
}

/** Chunks follow `BlobStore.read`'s rule about reused buffers. */
export async function* decodeRange(
  ctx: OpsContext,
  { domainId }: { domainId: string },
  terms: Uint8Array,
  range: ByteRange | null,
  onStep: (step: WalkStep) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  bridges += 1
  const { stepBytes, aheadMax } = paceAmong(bridges)
  const steps = walkReconstruction(terms, range, (xorb) => tableOf(ctx, domainId, xorb), stepBytes)
  // While one step is sent the next ones are read and decoded.
  const ahead: Promise<Uint8Array>[] = []
  await using xorbs = new XorbReader(ctx, domainId)
  let sent: Uint8Array | null = null
  async function* oldest(): AsyncGenerator<Uint8Array> {
    const bytes = await ahead.shift()!
    yield bytes
    // Asked for one more, the consumer has done with the one before the last.
    if (sent !== null) ctx.xorbs.buffers.give(sent)
    sent = bytes
  }
  try {
    for await (const step of steps) {
      if (ahead.length > aheadMax) yield* oldest()
      onStep(step)
      const decoding = decodeStep(ctx, xorbs, step)
      // Awaited some steps later; until then a failure must not count as unhandled.
      decoding.catch(() => undefined)
      ahead.push(decoding)
    }
    while (ahead.length > 0) yield* oldest()
  } finally {
    bridges -= 1
  }
}

/** Files being decoded. A client that takes nothing keeps what was made for it for as long as it likes. */
let bridges = 0

/** The more there are, the less each holds: a step that is sent, one that was, those ahead, each also as it was stored. */
function paceAmong(count: number): { stepBytes: number; aheadMax: number } {
  const shareBytes = BRIDGES_HELD_MAX_BYTES / count
  let stepBytes = BRIDGE_STEP_MAX_BYTES
  while (stepBytes > BRIDGE_STEP_MIN_BYTES && 3 * 2 * stepBytes > shareBytes) stepBytes /= 2
  const aheadMax = Math.floor(shareBytes / (2 * stepBytes)) - 2
  return { stepBytes, aheadMax: Math.min(Math.max(aheadMax, 1), BRIDGE_STEPS_AHEAD_MAX) }
}

async function decodeStep(ctx: OpsContext, xorbs: XorbReader, step: WalkStep): Promise<Uint8Array> {
  const decoded = await (
    isStoredAsIs(step) ? readInPlace(ctx, xorbs, step) : readAndDecode(ctx, xorbs, step)
  ).catch((error: unknown) => {
    if (!(error instanceof FormatError)) throw error
    // Ours, and not the fault of who asks.
    throw new HubError('Internal', `The stored bytes of the xorb ${step.xorb} have changed`, { cause: error })
  })
  return decoded.subarray(step.skipBytes, step.skipBytes + step.takeBytes)
}

function storedBytesOf({ byteStart, byteEnd }: WalkStep): number {
  return byteEnd - byteStart + 1
}

/** A compressed chunk is always shorter than its content, so one alone would make the sum smaller. */
function isStoredAsIs(step: WalkStep): boolean {
  return storedBytesOf(step) === step.rawBytes + step.chunkLengths.length * CHUNK_HEADER_BYTES
}

/** The contents come to lie one after the other as they are read; nobody looks at the headers in between. */
async function readInPlace(ctx: OpsContext, xorbs: XorbReader, step: WalkStep): Promise<Uint8Array> {
  const raw = ctx.xorbs.memory(step.rawBytes)
  const header = new Uint8Array(CHUNK_HEADER_BYTES)
  let at = 0
  const pieces = step.chunkLengths.flatMap((length) => [header, raw.subarray(at, (at += length))])
  await xorbs.read(step, pieces)
  return checkChunks(ctx.xorbs, raw, step)
}

async function readAndDecode(ctx: OpsContext, xorbs: XorbReader, step: WalkStep): Promise<Uint8Array> {
  const serialized = ctx.xorbs.memory(storedBytesOf(step))
  await xorbs.read(step, [serialized])
  return decodeChunks(ctx.xorbs, serialized, step)
}

/** Reads one step after the other and keeps the xorb of the last one open, which the next one most often needs. */
class XorbReader implements AsyncDisposable {
  readonly #ctx: OpsContext
  readonly #domainId: string
  #open: { xorb: string; blob: OpenBlob } | null = null
  #last: Promise<void> = Promise.resolve()

  constructor(ctx: OpsContext, domainId: string) {
    this.#ctx = ctx
    this.#domainId = domainId
  }

  read(step: WalkStep, into: readonly Uint8Array[]): Promise<void> {
    const reading = this.#last.then(async () => {
      const blob = this.#open?.xorb === step.xorb ? this.#open.blob : await this.#openXorb(step.xorb)
      await blob.readInto(step.byteStart, into)
    })
    this.#last = reading.catch(() => undefined)
    return reading
  }

  async #openXorb(xorb: WalkStep['xorb']): Promise<OpenBlob> {
    await this.#close()
    const blob = await this.#ctx.blobs.open(xorbKey(this.#domainId, xorb))
    this.#open = { xorb, blob }
    return blob
  }

  async #close(): Promise<void> {
    const blob = this.#open?.blob
    this.#open = null
    await blob?.[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last
    await this.#close()
  }
}
