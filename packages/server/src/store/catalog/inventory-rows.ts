/** What the catalog says that the disk has, for those who go through all of it: checks, backups, rebuilding. */

/** A place in the order of (domain, name). */
export interface ContentPlace {
  domainId: string
  /** An oid, a xet hash or the id of a shard. */
  name: string
}

export interface StoredBytes extends ContentPlace {
  sizeBytes: number
}

export type ContentKind = 'lfs' | 'xorbs'

export interface InventoryRows {
  /** Ids of all repositories, deleted ones included, in order and strictly after `after`. */
  repoIds(after: string | null, limit: number): Promise<string[]>
  /** Those of the ids that have a row. */
  knownRepos(ids: readonly string[]): Promise<Set<string>>
  /** LFS objects or xorbs with their stored sizes, in order and strictly after `after`. */
  contents(kind: ContentKind, after: ContentPlace | null, limit: number): Promise<StoredBytes[]>
  /** Those of the names that have a row in this domain. */
  knownContents(kind: ContentKind, domainId: string, names: readonly string[]): Promise<Set<string>>
  totals(): Promise<Record<ContentKind, { count: number; sizeBytes: number }> & { repos: number }>
}
