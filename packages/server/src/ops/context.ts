/** What every operation works with. Built once in hub.ts. */
import type { Primitives } from '@cairn/protocol/primitives'

import type { GitStore } from '../git/git-store.ts'
import type { BlobStore } from '../store/blobs/blob-store.ts'
import type { Catalog } from '../store/catalog/catalog.ts'
import type { DocumentReader } from '../workers/document-reader.ts'
import type { XorbPool } from '../workers/xorb-pool.ts'
import type { Budgets } from './byte-budget.ts'
import type { Caches } from './caches.ts'
import type { DownloadCounter } from './downloads.ts'
import type { KeyedQueue } from './keyed-queue.ts'
import type { PendingUploads } from './quotas.ts'
import type { RemovalGate } from './removal-gate.ts'
import type { Signer } from './signer.ts'
import type { Traffic } from './traffic.ts'

export interface OpsContext {
  catalog: Catalog
  blobs: BlobStore
  git: GitStore
  xorbs: XorbPool
  documents: DocumentReader
  primitives: Primitives
  signer: Signer
  caches: Caches
  budgets: Budgets
  /** Serialises changes of one repository's refs. */
  repoQueue: KeyedQueue
  /** Every removal of stored bytes goes through it. */
  removals: RemovalGate
  downloads: DownloadCounter
  traffic: Traffic
  /** Objects above `basicMaxBytes` are uploaded in parts, where the client can. */
  lfs: { basicMaxBytes: number; partBytes: number }
  /** `instance`: one deduplication domain for everybody, the operator's choice (xet.md §8.3). */
  dedupDomain: 'owner' | 'instance'
  /** Of accounts and repositories for which nothing else was chosen; null: none. */
  quotas: { accountBytes: number | null; repoBytes: number | null }
  pendingUploads: PendingUploads
  /** How long a deleted repository can be restored. */
  deleteGraceMs: number
  /** How long a blob that nothing needs any more is kept. */
  collectGraceMs: number
  /** Milliseconds since the epoch. */
  clock: () => number
  random: (sizeBytes: number) => Uint8Array
  log: Log
}

export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** 24 hex digits, as the Hub's object ids. */
export function newId(ctx: Pick<OpsContext, 'random'>): string {
  return Buffer.from(ctx.random(12)).toString('hex')
}
