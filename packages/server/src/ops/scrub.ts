/**
 * The slow pass over everything that is stored: one blob, then a pause as long as its share of the time that a pass may
 * take. Where it is survives restarts.
 */
import { SCRUB_BYTES_PER_SECOND, SCRUB_PAUSE_MAX_MS, SCRUB_SAVE_MS } from '../limits.ts'
import type { ScrubState } from '../store/catalog/catalog.ts'
import { noteWork } from './audit.ts'
import type { OpsContext } from './context.ts'
import { blobAfter, verifyBlob } from './verify.ts'

export class Scrub {
  readonly #ctx: OpsContext
  readonly #passMs: number
  #state: ScrubState | null = null
  #savedAt = 0
  #totalBytes = 1

  constructor(ctx: OpsContext, passMs: number) {
    this.#ctx = ctx
    this.#passMs = passMs
  }

  /** Reads the next blob, and returns for how many milliseconds to pause. */
  async next(): Promise<number> {
    const { catalog, clock } = this.#ctx
    if (this.#state === null) {
      this.#state = (await catalog.rows.damage.scrub()) ?? { after: null, startedAt: clock() }
      const { lfs, xorbs } = await catalog.rows.inventory.totals()
      this.#totalBytes = Math.max(1, lfs.sizeBytes + xorbs.sizeBytes)
    }
    const { after, startedAt } = this.#state
    const blob = await blobAfter(this.#ctx, after)
    if (blob === null) {
      const left = startedAt + this.#passMs - clock()
      if (left > 0) return Math.min(left, SCRUB_PAUSE_MAX_MS)
      await this.#save({ after: null, startedAt: clock() })
      await noteWork(this.#ctx, { kind: 'operator' }, 'verify', { since: startedAt })
      this.#state = null
      return 0
    }
    await verifyBlob(this.#ctx, blob.key, SCRUB_BYTES_PER_SECOND)
    this.#state = { after: blob.key, startedAt }
    if (clock() - this.#savedAt >= SCRUB_SAVE_MS) await this.#save(this.#state)
    return Math.min((this.#passMs * blob.sizeBytes) / this.#totalBytes, SCRUB_PAUSE_MAX_MS)
  }

  async #save(state: ScrubState): Promise<void> {
    await this.#ctx.catalog.tx((rows) => rows.damage.setScrub(state))
    this.#savedAt = this.#ctx.clock()
  }
}
