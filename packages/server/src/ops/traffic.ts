/**
 * What passes through a hub, in plain numbers. Counting is done for every request and chunk, so it makes no object and no
 * text; ops/metrics.ts gives the numbers names when somebody asks for them.
 */

import type { CatalogCounts } from '../store/catalog/catalog.ts'

/** Kinds of routes. Names of repositories and people, and paths as they were sent, are never among them. */
export const FAMILIES = [
  'resolve',
  'lfs',
  'lfs-batch',
  'lfs-locks',
  'xorb',
  'chunk',
  'shard',
  'reconstruction',
  'git-refs',
  'git-fetch',
  'git-push',
  'commit',
  'api',
  'ollama',
  'admin',
  'metrics',
  'health',
  'none',
] as const
export type Family = (typeof FAMILIES)[number]

export const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'other'] as const
/** `gone`: the client went away before there was an answer. */
export const OUTCOMES = ['gone', '1xx', '2xx', '3xx', '4xx', '5xx'] as const
export const DURATION_BOUNDS_S = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600] as const

const BUCKET_COUNT = DURATION_BOUNDS_S.length + 1

/** One kind of routes. */
export class Tally {
  readonly family: Family
  open = 0
  /** Of bodies, as they were sent over the wire. */
  receivedBytes = 0
  sentBytes = 0
  readonly #answers = new Float64Array(METHODS.length * OUTCOMES.length)
  readonly #buckets = new Float64Array(METHODS.length * BUCKET_COUNT)
  readonly #seconds = new Float64Array(METHODS.length)

  constructor(family: Family) {
    this.family = family
  }

  /** An answer that has ended. `status` 0: there was none. */
  count(method: string | undefined, status: number, ms: number): void {
    const known = METHODS.indexOf(method as (typeof METHODS)[number])
    const row = known === -1 ? METHODS.length - 1 : known
    const seconds = ms / 1000
    let bucket = 0
    while (bucket < DURATION_BOUNDS_S.length && seconds > DURATION_BOUNDS_S[bucket]!) bucket += 1
    this.#answers[row * OUTCOMES.length + Math.min(OUTCOMES.length - 1, Math.floor(status / 100))]! += 1
    this.#buckets[row * BUCKET_COUNT + bucket]! += 1
    this.#seconds[row]! += seconds
  }

  /** Methods that were used. `buckets` has one more than there are bounds; none is contained in the next. */
  *rows(): Generator<{
    method: (typeof METHODS)[number]
    answers: Float64Array
    buckets: Float64Array
    seconds: number
  }> {
    for (const [row, method] of METHODS.entries()) {
      const buckets = this.#buckets.subarray(row * BUCKET_COUNT, (row + 1) * BUCKET_COUNT)
      if (buckets.every((count) => count === 0)) continue
      const answers = this.#answers.subarray(row * OUTCOMES.length, (row + 1) * OUTCOMES.length)
      yield { method, answers, buckets, seconds: this.#seconds[row] ?? 0 }
    }
  }
}

export class Traffic {
  /** Of the catalog, as they were shown last. */
  counts: { at: number; counts: CatalogCounts } | null = null
  readonly #tallies = new Map(FAMILIES.map((family) => [family, new Tally(family)]))
  /** Uploads over Xet: contents that shards registered anew, and what came for them. */
  readonly xet = { registeredBytes: 0, rawBytes: 0, storedBytes: 0 }

  of(family: Family): Tally {
    return this.#tallies.get(family)!
  }

  tallies(): Iterable<Tally> {
    return this.#tallies.values()
  }
}
