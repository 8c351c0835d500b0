/**
 * How much may be stored. What counts is what an owner sees: each file of each living repository with its whole size,
 * however little of it is new to the store, and git's objects as they lie on disk. So a quota says nothing about what
 * others have stored. Reading and deleting never asks; what is refused leaves everything as it was.
 */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId } from '@cairn/protocol/repo-id'
import { LRUCache } from 'lru-cache'

import { PENDING_UPLOADS_MAX, UPLOAD_ALLOWANCE_MS, UPLOAD_LEASE_MS } from '../limits.ts'
import type { CatalogRows, QuotaSubject, RepoRow } from '../store/catalog/catalog.ts'
import { formatBytes } from './byte-size.ts'
import type { OpsContext } from './context.ts'

/** One quota that holds for a repository: its own, or that of its owner. */
export interface Quota {
  subject: QuotaSubject
  id: string
  /** As people call it. */
  name: string
  quotaBytes: number
}

/** The quotas of an owner and of a repository; empty where there are none, which takes two look-ups. */
async function quotasFor(
  ctx: Pick<OpsContext, 'catalog' | 'quotas'>,
  repo: RepoRow,
  subjects: readonly QuotaSubject[],
): Promise<Quota[]> {
  const found: Quota[] = []
  for (const [subject, id, name, otherwise] of [
    ['repo', repo.id, formatRepoId(repo), ctx.quotas.repoBytes],
    ['account', repo.ownerId, repo.namespace, ctx.quotas.accountBytes],
  ] as const) {
    if (!subjects.includes(subject)) continue
    const chosen = await ctx.catalog.rows.quotas.get(subject, id)
    const quotaBytes = chosen === undefined ? otherwise : chosen
    if (quotaBytes !== null) found.push({ subject, id, name, quotaBytes })
  }
  return found
}

/** Room under the quotas of one repository. Made before the transaction that needs it: git is measured outside of it. */
export interface Room {
  /** As the rows say now. */
  look(rows: Pick<CatalogRows, 'quotas'>): Promise<Standing>
  /** QuotaExceeded unless so much more may come. Nothing at all may always come. */
  assert(rows: Pick<CatalogRows, 'quotas'>, moreBytes: number): Promise<void>
}

interface Standing {
  /** Infinity without a quota. */
  leftBytes: number
  /** Why so much more may not come; null: it may. */
  refusal(moreBytes: number): HubError | null
}

export async function roomFor(
  ctx: OpsContext,
  repo: RepoRow,
  subjects: readonly QuotaSubject[] = ['repo', 'account'],
): Promise<Room> {
  const quotas = await quotasFor(ctx, repo, subjects)
  for (const quota of quotas) await measureGit(ctx, quota)
  const look: Room['look'] = async (rows) => {
    const standings: { quota: Quota; usedBytes: number }[] = []
    for (const quota of quotas) {
      const { files, git } = await rows.quotas.usage(quota.subject, quota.id)
      standings.push({ quota, usedBytes: files + git })
    }
    return {
      leftBytes: Math.min(Infinity, ...standings.map(({ quota, usedBytes }) => quota.quotaBytes - usedBytes)),
      refusal(moreBytes) {
        const full = standings.find(({ quota, usedBytes }) => usedBytes + moreBytes > quota.quotaBytes)
        return moreBytes === 0 || full === undefined ? null : quotaExceeded(full, moreBytes)
      },
    }
  }
  return {
    look,
    async assert(rows, moreBytes) {
      if (moreBytes === 0 || quotas.length === 0) return
      const refusal = (await look(rows)).refusal(moreBytes)
      if (refusal !== null) throw refusal
    },
  }
}

/** The same outside of a transaction. */
export async function assertRoom(
  ctx: OpsContext,
  repo: RepoRow,
  moreBytes: number,
  subjects?: readonly QuotaSubject[],
): Promise<void> {
  if (moreBytes > 0) await (await roomFor(ctx, repo, subjects)).assert(ctx.catalog.rows, moreBytes)
}

/** What a repository counts for. */
export async function sizeOfRepo(ctx: OpsContext, repoId: string): Promise<number> {
  await measureGit(ctx, { subject: 'repo', id: repoId })
  const { files, git } = await ctx.catalog.rows.quotas.usage('repo', repoId)
  return files + git
}

function quotaExceeded(
  { quota: { name, quotaBytes }, usedBytes }: { quota: Quota; usedBytes: number },
  moreBytes: number,
): HubError {
  return new HubError(
    'QuotaExceeded',
    `Storage quota exceeded: '${name}' has ${formatBytes(usedBytes)} of ${formatBytes(quotaBytes)}, and this needs ${formatBytes(moreBytes)} more. Delete what is not needed, or ask an administrator of this hub`,
  )
}

/** Of one subject or of all: the repositories whose size is not known since they changed. */
export async function measureGit(
  ctx: Pick<OpsContext, 'catalog' | 'git'>,
  of: Pick<Quota, 'subject' | 'id'> | null,
): Promise<void> {
  for (const id of await ctx.catalog.rows.quotas.unmeasured(of)) {
    const bytes = await ctx.git.sizeOf(id)
    await ctx.catalog.tx(async (rows) => {
      if ((await rows.repos.get(id)) !== null) await rows.quotas.setGitBytes(id, bytes)
    })
  }
}

/**
 * Xorbs come before the shard that says whose they are, and parts before their object. Until then they are counted
 * here, or whoever has no room left could still fill the disk with them. What a new upload brings is never more than
 * the files that it will register, but for parts that are sent twice.
 */
export class PendingUploads {
  readonly #bytes: LRUCache<string, number>
  readonly #left: LRUCache<string, number>

  constructor(clock: () => number) {
    const perf = { now: clock }
    const max = PENDING_UPLOADS_MAX
    // From the first byte on: what was never finished must end also where somebody always uploads.
    this.#bytes = new LRUCache({ max, ttl: UPLOAD_LEASE_MS, noUpdateTTL: true, perf })
    this.#left = new LRUCache({ max, ttl: UPLOAD_ALLOWANCE_MS, perf })
  }

  /** QuotaExceeded when there is no room for more. */
  async assert(ctx: OpsContext, repo: RepoRow): Promise<void> {
    const pending = this.#bytes.get(repo.id) ?? 0
    if (pending < (this.#left.get(repo.id) ?? 0)) return
    const standing = await (await roomFor(ctx, repo)).look(ctx.catalog.rows)
    const refusal = standing.refusal(pending + 1)
    if (refusal !== null) throw refusal
    this.#left.set(repo.id, standing.leftBytes)
  }

  add(repoId: string, sizeBytes: number): void {
    this.#bytes.set(repoId, (this.#bytes.get(repoId) ?? 0) + sizeBytes)
  }

  /** So many bytes of files were registered: from now on they count by themselves. */
  settle(repoId: string, sizeBytes: number): void {
    const pending = (this.#bytes.get(repoId) ?? 0) - sizeBytes
    if (pending > 0) this.#bytes.set(repoId, pending)
    else this.#bytes.delete(repoId)
    this.#left.delete(repoId)
  }
}
