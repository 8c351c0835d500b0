/**
 * How many requests an account or an address may make, and how many wrong credentials may come from an address.
 * Windows are fixed and begin with a client's first request. Counters are kept in memory and bounded: of too many
 * clients the longest unseen begins anew. docs/operations.md «Rate limits».
 */
import { printable } from '@cairn/protocol/repo-id'
import { LRUCache } from 'lru-cache'

import {
  FAILED_CREDENTIALS_MAX,
  RATE_LIMITED_CLIENTS_MAX,
  RATE_QUOTA_MAX,
  RATE_WINDOW_MAX_S,
  RATE_WINDOW_S,
} from '../limits.ts'

/** As the Hub divides requests. */
export const RATE_BUCKETS = ['api', 'resolvers', 'pages'] as const
export type RateBucket = (typeof RATE_BUCKETS)[number]

export type Quotas = Readonly<Record<RateBucket, number>>

export interface RateLimits {
  windowS: number
  /** Wrong credentials from one address in a window; null: not counted. */
  failures: number | null
  /** Requests in a window, of one account and of one address without credential; null: not counted. */
  quotas: { account: Quotas; anonymous: Quotas } | null
}

/** What the Hub documents for free accounts and for addresses. */
const HUB_QUOTAS = {
  account: { api: 1000, resolvers: 5000, pages: 200 },
  anonymous: { api: 500, resolvers: 3000, pages: 100 },
} as const

export const WITHOUT_LIMITS: RateLimits = { windowS: RATE_WINDOW_S, failures: null, quotas: null }
export const FAILURES_ONLY: RateLimits = { ...WITHOUT_LIMITS, failures: FAILED_CREDENTIALS_MAX }
const HUB_LIMITS: RateLimits = { ...FAILURES_ONLY, quotas: HUB_QUOTAS }

/**
 * `off`, `auth` (wrong credentials only), `on`, or the numbers that differ from those of `on`, such as
 * `api=2000,anonymous-api=100,window=60`. Throws an Error with one line for the operator.
 */
export function parseRateLimits(text: string): RateLimits {
  if (text === 'off') return WITHOUT_LIMITS
  if (text === 'auth') return FAILURES_ONLY
  if (text === 'on') return HUB_LIMITS
  const chosen = new Map<string, number>()
  for (const part of text.split(',')) {
    const [name = '', value = '', ...rest] = part.trim().split('=')
    const max = name === 'window' ? RATE_WINDOW_MAX_S : RATE_QUOTA_MAX
    const isKnown = [...NUMBERS, 'window', 'failures'].includes(name)
    if (!isKnown || rest.length > 0 || !/^[1-9]\d{0,9}$/.test(value) || Number(value) > max)
      throw new Error(
        `'${printable(part)}' is no rate limit: give off, auth, on, or numbers like api=1000,anonymous-api=500,window=300`,
      )
    chosen.set(name, Number(value))
  }
  const quotas = (kind: 'account' | 'anonymous'): Quotas => {
    const of = (bucket: RateBucket) => chosen.get(numberName(kind, bucket)) ?? HUB_QUOTAS[kind][bucket]
    return { api: of('api'), resolvers: of('resolvers'), pages: of('pages') }
  }
  return {
    windowS: chosen.get('window') ?? RATE_WINDOW_S,
    failures: chosen.get('failures') ?? FAILED_CREDENTIALS_MAX,
    quotas: { account: quotas('account'), anonymous: quotas('anonymous') },
  }
}

function numberName(kind: 'account' | 'anonymous', bucket: RateBucket): string {
  return kind === 'account' ? bucket : `anonymous-${bucket}`
}

const NUMBERS = RATE_BUCKETS.flatMap((bucket) => [
  numberName('account', bucket),
  numberName('anonymous', bucket),
])

/** A bootstrap file says yes or no; which numbers apply is then the configuration's, or the Hub's. */
export function rateLimitsAsked(asked: boolean | undefined, configured: RateLimits): RateLimits {
  if (asked === undefined) return configured
  if (!asked) return WITHOUT_LIMITS
  return configured.quotas === null ? HUB_LIMITS : configured
}

/** Where a client stands in its window. */
export interface Standing {
  quota: number
  /** Requests left, never below 0. */
  remaining: number
  resetS: number
  /** There was one left. */
  granted: boolean
}

/** Counts something by client. */
export class WindowCounter {
  readonly #windowMs: number
  readonly #clock: () => number
  readonly #windows = new LRUCache<string, { used: number; endsAt: number }>({
    max: RATE_LIMITED_CLIENTS_MAX,
  })

  constructor(windowS: number, clock: () => number) {
    this.#windowMs = windowS * 1000
    this.#clock = clock
  }

  /** Takes one of `quota` and says what is left. */
  take(client: string, quota: number): Standing {
    const now = this.#clock()
    let window = this.#windows.get(client)
    if (window === undefined || window.endsAt <= now)
      this.#windows.set(client, (window = { used: 0, endsAt: now + this.#windowMs }))
    const granted = window.used < quota
    if (granted) window.used += 1
    return this.#standing(window, quota, now, granted)
  }

  /** The same without taking one. */
  look(client: string, quota: number): Standing {
    const now = this.#clock()
    const window = this.#windows.peek(client)
    if (window === undefined || window.endsAt <= now)
      return { quota, remaining: quota, resetS: this.#windowMs / 1000, granted: quota > 0 }
    return this.#standing(window, quota, now, window.used < quota)
  }

  #standing(
    { used, endsAt }: { used: number; endsAt: number },
    quota: number,
    now: number,
    granted: boolean,
  ): Standing {
    const remaining = Math.max(0, quota - used)
    return { quota, remaining, resetS: Math.max(1, Math.ceil((endsAt - now) / 1000)), granted }
  }
}
