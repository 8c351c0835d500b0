/** What administrators see and set of storage: quotas, and the numbers of the whole hub. */
import { formatDate } from '@cairn/protocol/api/dates'
import { formatRepoId } from '@cairn/protocol/repo-id'

import { STATS_FAILED_EVENTS_MAX } from '../limits.ts'
import type { AccountKind, QuotaSubject } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, repoFor, type Principal } from './access.ts'
import { accountNamed } from './accounts.ts'
import type { AdminRepo } from './admin.ts'
import { changeAs } from './change.ts'
import type { OpsContext } from './context.ts'
import { registryFor } from './locate.ts'
import { loadOf } from './metrics.ts'
import { measureGit } from './quotas.ts'

/** Bytes, `none`, or `default`: what the hub has for all. Undefined asks only. */
export type QuotaChoice = number | 'none' | 'default' | undefined

export interface QuotaView {
  name: string
  /** null: none. */
  quotaBytes: number | null
  /** Whether it was chosen, and not the hub's default. */
  chosen: boolean
  usedBytes: number
  /** Of these, LFS and Xet files; the rest are git's objects. */
  fileBytes: number
}

export interface AdminStorageOps {
  accountQuota(principal: Principal, kind: AccountKind, name: string, choice: QuotaChoice): Promise<QuotaView>
  repoQuota(principal: Principal, repo: AdminRepo, choice: QuotaChoice): Promise<QuotaView>
  stats(principal: Principal): Promise<HubStats>
}

export interface HubStats {
  repositories: Record<string, number>
  users: number
  organizations: number
  storage: {
    /** What repositories have, each for itself: what quotas count. */
    logical: { git: number; lfs: number; xet: number; total: number }
    /** What lies on the disk. */
    physical: { git: number; lfs: number; xorbs: number; total: number }
    lfsObjects: number
    xetFiles: number
    xorbs: number
    /** Bytes that repositories have of Xet files, by raw bytes stored for them; null without any. */
    dedupRatio: number | null
    /** Raw bytes by stored ones. */
    compressionRatio: number | null
  }
  quotas: {
    accountDefaultBytes: number | null
    repoDefaultBytes: number | null
    accountsChosen: number
    repositoriesChosen: number
  }
  jobs: {
    waiting: number
    failing: number
    givenUp: number
    failures: { type: string; attempts: number; retryAt: string | null; reason: string }[]
  }
  /** Of this process: all empty when no hub runs on the data directory. */
  queues: Record<string, number>
  slots: Record<string, { taken: number; count: number }>
  /** Blobs that are known not to hold what they should. */
  damaged: number
  /** When the last of these works ended, by the audit. */
  last: Record<'collection' | 'backup' | 'verification', string | null>
}

const LAST_ACTIONS = { collection: 'hub.gc', backup: 'hub.backup', verification: 'hub.verify' } as const

export function adminStorage(ctx: OpsContext): AdminStorageOps {
  async function quota(
    principal: Principal,
    { subject, id, name, action }: { subject: QuotaSubject; id: string; name: string; action: string },
    choice: QuotaChoice,
  ): Promise<QuotaView> {
    if (choice !== undefined)
      await changeAs(ctx, principal, async (change) => {
        const bytes = choice === 'default' ? undefined : choice === 'none' ? null : choice
        await change.rows.quotas.set(subject, id, bytes)
        await change.audit(action, name, { bytes: choice })
      })
    await measureGit(ctx, { subject, id })
    const { quotas } = ctx.catalog.rows
    const chosen = await quotas.get(subject, id)
    const { files, git } = await quotas.usage(subject, id)
    const otherwise = subject === 'account' ? ctx.quotas.accountBytes : ctx.quotas.repoBytes
    return {
      name,
      quotaBytes: chosen === undefined ? otherwise : chosen,
      chosen: chosen !== undefined,
      usedBytes: files + git,
      fileBytes: files,
    }
  }

  return {
    async accountQuota(principal, kind, name, choice) {
      assertInstanceAdmin(principal)
      const { id, name: exact } = await accountNamed(ctx.catalog.rows.accounts, kind, name)
      return quota(principal, { subject: 'account', id, name: exact, action: `${kind}.quota` }, choice)
    },

    async repoQuota(principal, { registry: name, ...named }, choice) {
      assertInstanceAdmin(principal)
      const registry = await registryFor(ctx, name)
      const repo = await repoFor(ctx, principal, { registry, ...named }, 'admin')
      const subject = {
        subject: 'repo',
        id: repo.id,
        name: formatRepoId(repo),
        action: 'repo.quota',
      } as const
      return quota(principal, subject, choice)
    },

    async stats(principal) {
      assertInstanceAdmin(principal)
      await measureGit(ctx, null)
      const { stats, quotas, audit } = ctx.catalog.rows
      const { repos, accounts, outbox } = await stats.counts()
      const { linked, lfs, xetFiles, xorbs } = await stats.storage()
      const git = await quotas.gitBytesTotal()
      const countOf = (kind: AccountKind) => accounts.find((one) => one.kind === kind)?.count ?? 0
      const lastOf = async (action: string): Promise<string | null> => {
        const [row] = await audit.list({ action, limit: 1 })
        return row === undefined ? null : formatDate(row.at)
      }
      const { waiting, slots } = loadOf(ctx)
      const failures = await stats.failedEvents(STATS_FAILED_EVENTS_MAX)
      return {
        repositories: {
          ...Object.fromEntries(repos.map(({ type, count }) => [type, count])),
          deleted: await stats.deletedRepos(),
        },
        users: countOf('user'),
        organizations: countOf('org'),
        storage: {
          logical: {
            git,
            lfs: linked.lfsBytes,
            xet: linked.xetBytes,
            total: git + linked.lfsBytes + linked.xetBytes,
          },
          physical: {
            git,
            lfs: lfs.bytes,
            xorbs: xorbs.storedBytes,
            total: git + lfs.bytes + xorbs.storedBytes,
          },
          lfsObjects: lfs.count,
          xetFiles: xetFiles.count,
          xorbs: xorbs.count,
          dedupRatio: ratio(linked.xetBytes, xorbs.rawBytes),
          compressionRatio: ratio(xorbs.rawBytes, xorbs.storedBytes),
        },
        quotas: {
          accountDefaultBytes: ctx.quotas.accountBytes,
          repoDefaultBytes: ctx.quotas.repoBytes,
          accountsChosen: (await quotas.list('account')).size,
          repositoriesChosen: (await quotas.list('repo')).size,
        },
        jobs: {
          ...outbox,
          failures: failures.map(({ retryAt, ...failure }) => ({
            ...failure,
            retryAt: retryAt === null ? null : formatDate(retryAt),
          })),
        },
        queues: waiting,
        slots,
        damaged: await ctx.catalog.rows.damage.count(),
        last: {
          collection: await lastOf(LAST_ACTIONS.collection),
          backup: await lastOf(LAST_ACTIONS.backup),
          verification: await lastOf(LAST_ACTIONS.verification),
        },
      }
    },
  }
}

function ratio(one: number, other: number): number | null {
  return other === 0 ? null : Math.round((one / other) * 1000) / 1000
}
