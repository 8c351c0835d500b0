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

export interface ShardPlace {
  id: string
  domainId: string
  repoId: string
}

/** A file's recipe, and the xorbs that its rows say it uses. */
export interface XetRecipe extends StoredBytes {
  terms: Uint8Array
  xorbs: Set<string>
}

export interface InventoryRows {
  /** Ids of all repositories, deleted ones included, in order and strictly after `after`. */
  repoIds(after: string | null, limit: number): Promise<string[]>
  /** Those of the ids that have a row. */
  knownRepos(ids: readonly string[]): Promise<Set<string>>
  /** LFS objects or xorbs with their stored sizes, in order and strictly after `after`. */
  contents(kind: ContentKind, after: ContentPlace | null, limit: number): Promise<StoredBytes[]>
  /** Those of the names that have a row in this domain. */
  knownContents(
    kind: ContentKind | 'shards',
    domainId: string,
    names: readonly string[],
  ): Promise<Set<string>>
  /** In the order of their ids. */
  shards(after: string | null, limit: number): Promise<ShardPlace[]>
  xetFiles(after: ContentPlace | null, limit: number): Promise<XetRecipe[]>
  /** Files whose sha256 the hub has not computed yet. */
  unprovenFiles(after: ContentPlace | null, limit: number): Promise<(ContentPlace & { terms: Uint8Array })[]>
  /** A file of the domain for each of these sha256 that the hub has computed. */
  provenFiles(domainId: string, oids: readonly string[]): Promise<Map<string, ContentPlace>>
  totals(): Promise<
    Record<ContentKind, { count: number; sizeBytes: number }> & {
      repos: number
      xetFiles: number
      shards: number
    }
  >
  /** Who has files that need these bytes, and by which sha256 they know them; some of them when there are more. */
  usersOf(kind: ContentKind, place: ContentPlace, limit: number): Promise<{ repoId: string; oid: string }[]>
}

export interface DamageRow {
  /** In the blob store. */
  key: string
  problem: string
  foundAt: number
}

/** Where the scrub is. */
export interface ScrubState {
  /** The last key that was read; null: a pass begins. */
  after: string | null
  startedAt: number
}

/** Blobs that are known not to hold what they should, and rows that are mended or given up. */
export interface DamageRows {
  note(row: DamageRow): Promise<void>
  clear(key: string): Promise<void>
  list(after: string | null, limit: number): Promise<DamageRow[]>
  count(): Promise<number>
  /** The xorb's chunks are no longer offered for deduplication. */
  forgetChunks(xorb: ContentPlace): Promise<void>
  /** Removes the row, and the rights to what needs it: an upload begins anew. */
  drop(kind: ContentKind, place: ContentPlace): Promise<void>
  /** A file needs these xorbs. Idempotent. */
  noteUses(domainId: string, fileHash: string, xorbs: readonly string[]): Promise<void>
  /** Gives a repository the right to a Xet file, under this sha256. Idempotent. */
  link(repoId: string, file: ContentPlace, sha256: string, at: number): Promise<void>
  scrub(): Promise<ScrubState | null>
  setScrub(state: ScrubState): Promise<void>
}
