/** How a hub is used, as rows: what an account owns, and how often its repositories are downloaded. */
import type { RepoType } from '@cairn/protocol/repo-id'

import type { RepoRow } from './catalog.ts'

/** How much living repositories have. */
export interface StoredSizes {
  /** Each content of each repository with its whole size. */
  logicalBytes: number
  /** Each blob that they need, once, as it is stored. */
  onDiskBytes: number
}

/** What belongs to one account within one registry. */
export interface OwnedRepoRows {
  counts(registryId: string, ownerId: string): Promise<{ type: RepoType; private: boolean; count: number }[]>
  /** By id, strictly after `after`; deleted ones are left out. */
  page(registryId: string, ownerId: string, after: string | null, limit: number): Promise<RepoRow[]>
  /** Bytes of the LFS and Xet files that each of the repositories has; one without any has 0. */
  storage(repoIds: readonly string[]): Promise<Map<string, number>>
  /** The same for all living repositories of an account. */
  storageTotal(registryId: string, ownerId: string): Promise<number>
  /** Of one repository, of all that an account owns, wherever, or of all there are. Goes through every content. */
  sizes(of: { repoId: string } | { ownerId: string } | null): Promise<StoredSizes>
}

export interface DownloadCount {
  repoId: string
  /** Days since 1970-01-01 in UTC. */
  day: number
  count: number
}

export interface DownloadRows {
  /** Adds to what is counted already. Repositories that are gone are passed over. */
  add(counts: readonly DownloadCount[]): Promise<void>
  /** `recent` counts from `sinceDay` on. Each of the repositories has an entry. */
  summary(
    repoIds: readonly string[],
    sinceDay: number,
  ): Promise<Map<string, { recent: number; allTime: number }>>
  /** Makes the index count as recent only what is from `sinceDay` on. Idempotent. */
  expire(sinceDay: number): Promise<void>
  /** Days with downloads, oldest first, both ends included. */
  history(repoId: string, sinceDay: number, untilDay: number): Promise<Omit<DownloadCount, 'repoId'>[]>
}
