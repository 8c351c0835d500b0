/** How much there is of everything, for operators. */
import type { RepoType } from '@cairn/protocol/repo-id'

import type { AccountKind } from './catalog.ts'

export interface CatalogCounts {
  /** Without deleted ones. */
  repos: { type: RepoType; count: number }[]
  accounts: { kind: AccountKind; count: number }[]
  /** Events that wait: for the first time, after a failure, and those that were given up. */
  outbox: { waiting: number; failing: number; givenUp: number }
}

export interface StorageTotals {
  /** What repositories have, each for itself; deleted ones are left out. */
  linked: { lfsBytes: number; xetBytes: number }
  lfs: { count: number; bytes: number }
  /** Each file once in its domain. */
  xetFiles: { count: number; bytes: number }
  xorbs: { count: number; rawBytes: number; storedBytes: number }
}

export interface FailedEvent {
  type: string
  attempts: number
  /** Null: it is not tried again. */
  retryAt: number | null
  reason: string
}

export interface StatsRows {
  /** Cheap: tables with a row for each repository or account, and the outbox. */
  counts(): Promise<CatalogCounts>
  deletedRepos(): Promise<number>
  /** Goes through every content. */
  storage(): Promise<StorageTotals>
  /** The newest. */
  failedEvents(limit: number): Promise<FailedEvent[]>
}
