/**
 * Memory that many requests share. Each limit of one request is right by itself, and a thousand requests at once are
 * still too many; what they hold together is counted here.
 */
import { HubError } from '@cairn/protocol/errors'

import {
  BODIES_GATHERED_MAX_BYTES,
  COMMIT_BUFFERS_MAX_BYTES,
  GIT_BLOB_WAITERS_MAX,
  GIT_BLOBS_HELD_MAX_BYTES,
  GIT_BLOB_WAIT_MS,
  MEMORY_RETRY_S,
} from '../limits.ts'

export class ByteBudget {
  readonly maxBytes: number
  readonly #waiting: { bytes: number; start: () => void }[] = []
  #freeBytes: number

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
    this.#freeBytes = maxBytes
  }

  get heldBytes(): number {
    return this.maxBytes - this.#freeBytes
  }

  /** How many wait for their turn. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** A share that is empty at first. */
  open(): Share {
    return new Share(
      (bytes) => this.#tryTake(bytes),
      (bytes) => this.#give(bytes),
    )
  }

  /** Waits for its turn. Unavailable when too many wait, or for too long. More than there is counts as all of it. */
  async take(wanted: number): Promise<Share> {
    const bytes = Math.min(wanted, this.maxBytes)
    const share = this.open()
    if (this.#waiting.length === 0 && share.grow(bytes)) return share
    if (this.#waiting.length >= GIT_BLOB_WAITERS_MAX) throw busy()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const waiting = { bytes, start: resolve }
    this.#waiting.push(waiting)
    const timer = setTimeout(() => {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
      reject(busy())
      this.#startNext()
    }, GIT_BLOB_WAIT_MS)
    try {
      await promise
    } finally {
      clearTimeout(timer)
    }
    share.adopt(bytes)
    return share
  }

  #tryTake(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false
    this.#freeBytes -= bytes
    return true
  }

  #give(bytes: number): void {
    this.#freeBytes += bytes
    this.#startNext()
  }

  #startNext(): void {
    for (
      let next = this.#waiting[0];
      next !== undefined && this.#tryTake(next.bytes);
      next = this.#waiting[0]
    ) {
      this.#waiting.shift()
      next.start()
    }
  }
}

/** What one request holds of a budget. Given back when it is disposed of. */
export class Share implements Disposable {
  readonly #tryTake: (bytes: number) => boolean
  readonly #give: (bytes: number) => void
  #heldBytes = 0

  constructor(tryTake: (bytes: number) => boolean, give: (bytes: number) => void) {
    this.#tryTake = tryTake
    this.#give = give
  }

  /** False, and unchanged, when there is not so much left. */
  grow(bytes: number): boolean {
    if (!this.#tryTake(bytes)) return false
    this.#heldBytes += bytes
    return true
  }

  /** Counts what was taken for it. */
  adopt(bytes: number): void {
    this.#heldBytes += bytes
  }

  giveBack(): void {
    const bytes = this.#heldBytes
    this.#heldBytes = 0
    if (bytes > 0) this.#give(bytes)
  }

  [Symbol.dispose](): void {
    this.giveBack()
  }
}

/**
 * Bodies that are gathered, of the whole process. They may take their time, so what all of them hold is what slow clients
 * can fill memory with.
 */
export const gatheredBytes = new ByteBudget(BODIES_GATHERED_MAX_BYTES)

/** The budgets of one hub. */
export class Budgets {
  /** Git blobs that are read whole and being sent. */
  readonly gitBlobs = new ByteBudget(GIT_BLOBS_HELD_MAX_BYTES)
  /** Inline contents of commits that are under way or wait for their turn. */
  readonly commits = new ByteBudget(COMMIT_BUFFERS_MAX_BYTES)
  readonly bodies = gatheredBytes
}

export function busy(): HubError {
  return new HubError('Unavailable', 'The hub is busy: try again in a moment', {
    headers: { 'Retry-After': String(MEMORY_RETRY_S) },
  })
}
