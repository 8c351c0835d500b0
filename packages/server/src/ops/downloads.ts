/**
 * Downloads: one for each repository, client and five minutes. docs/api-design.md «Downloads» says what counts.
 * Noting one is a look into a map and never waits, throws or writes; counts reach the catalog in batches, and a crash
 * loses those of the last seconds.
 */
import { LRUCache } from 'lru-cache'

import {
  DOWNLOAD_CLIENTS_MAX,
  DOWNLOAD_FLUSH_MS,
  DOWNLOAD_HISTORY_MAX_DAYS,
  DOWNLOAD_PENDING_MAX,
  DOWNLOAD_RECENT_DAYS,
  DOWNLOAD_WINDOW_MS,
} from '../limits.ts'
import type { DownloadCount } from '../store/catalog/catalog.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import type { OpsContext } from './context.ts'
import type { Signer } from './signer.ts'

const DAY_MS = 24 * 3600_000

type CounterDeps = Pick<OpsContext, 'catalog' | 'clock' | 'log'>

export class DownloadCounter implements AsyncDisposable {
  readonly #deps: CounterDeps
  /** When the window of `repoId client` began. */
  readonly #windows = new LRUCache<string, number>({ max: DOWNLOAD_CLIENTS_MAX })
  #pending = new Map<string, DownloadCount>()
  #expiredOn = -1
  #writing: Promise<void> = Promise.resolve()
  readonly #timer: NodeJS.Timeout

  constructor(deps: CounterDeps) {
    this.#deps = deps
    this.#timer = setInterval(() => void this.flush(), DOWNLOAD_FLUSH_MS)
    this.#timer.unref()
  }

  note(repoId: string, client: string): void {
    const at = this.#deps.clock()
    const key = `${repoId} ${client}`
    const begun = this.#windows.get(key)
    if (begun !== undefined && at - begun < DOWNLOAD_WINDOW_MS) return
    this.#windows.set(key, at)
    this.#add({ repoId, day: Math.floor(at / DAY_MS), count: 1 })
  }

  /** Once a day: what the index counts as recent loses the day that is recent no more. */
  async #expire(): Promise<void> {
    const day = Math.floor(this.#deps.clock() / DAY_MS)
    if (day === this.#expiredOn) return
    try {
      await this.#deps.catalog.tx((rows) => rows.downloads.expire(day - DOWNLOAD_RECENT_DAYS + 1))
      this.#expiredOn = day
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'the recent downloads could not be brought up to date')
    }
  }

  /** Writes what is counted. Never rejects: what could not be written waits for the next time. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write()).then(() => this.#expire())
    return this.#writing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer)
    await this.flush()
  }

  async #write(): Promise<void> {
    if (this.#pending.size === 0) return
    const counts = [...this.#pending.values()]
    this.#pending = new Map()
    try {
      const at = this.#deps.clock()
      await this.#deps.catalog.tx(async (rows) => {
        await rows.downloads.add(counts)
        for (const { repoId, count } of counts)
          await rows.index.addCounts(repoId, { downloads: count, downloadsAllTime: count }, at)
      })
    } catch (error) {
      this.#deps.log.warn({ err: error, rows: counts.length }, 'downloads could not be counted yet')
      for (const count of counts) this.#add(count)
    }
  }

  #add({ repoId, day, count }: DownloadCount): void {
    const key = `${repoId} ${day}`
    const known = this.#pending.get(key)
    if (known !== undefined) known.count += count
    // Full only while the catalog cannot be written; then downloads go uncounted rather than fill the memory.
    else if (this.#pending.size < DOWNLOAD_PENDING_MAX) this.#pending.set(key, { repoId, day, count })
    if (this.#pending.size === DOWNLOAD_PENDING_MAX / 2) void this.flush()
  }
}

/** Who downloads: a token, else an address with its program, as a keyed hash that is kept in memory only. */
export function clientKey(
  signer: Signer,
  principal: Principal,
  { address, userAgent }: { address: string; userAgent: string },
): string {
  return principal.kind === 'user'
    ? principal.tokenId
    : signer.sign('download-client', `${address}\n${userAgent}`)
}

export interface DownloadSummary {
  /** Of the last thirty days. */
  recent: number
  allTime: number
}

export async function downloadSummary(ctx: OpsContext, repoId: string): Promise<DownloadSummary> {
  const sinceDay = Math.floor(ctx.clock() / DAY_MS) - DOWNLOAD_RECENT_DAYS + 1
  const found = await ctx.catalog.rows.downloads.summary([repoId], sinceDay)
  return found.get(repoId) ?? { recent: 0, allTime: 0 }
}

/** Every day from `days` ago to today, those without downloads too. */
export async function downloadHistory(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  days: number,
): Promise<{ summary: DownloadSummary; daily: { day: string; downloads: number }[] }> {
  const repo = await repoFor(ctx, principal, locator, 'read')
  const today = Math.floor(ctx.clock() / DAY_MS)
  const first = today - Math.min(days, DOWNLOAD_HISTORY_MAX_DAYS) + 1
  const rows = await ctx.catalog.rows.downloads.history(repo.id, first, today)
  const counts = new Map(rows.map(({ day, count }) => [day, count]))
  const daily = Array.from({ length: today - first + 1 }, (_, index) => ({
    day: new Date((first + index) * DAY_MS).toISOString().slice(0, 10),
    downloads: counts.get(first + index) ?? 0,
  }))
  return { summary: await downloadSummary(ctx, repo.id), daily }
}
