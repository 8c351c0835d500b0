/** What collection asks and removes. Pages are by key, strictly after a position, so that a run can stop anywhere. */

/** How a repository has a content: as an LFS object or as a Xet file. */
export type LinkKind = 'lfs' | 'xet'

/** A repository's right to a content. */
export interface ContentLink {
  /** The oid, or the Xet file's hash. */
  key: string
  /** Every sha256 by which a pointer may name it; none when nobody ever said one. */
  oids: string[]
  sizeBytes: number
  /** When it was made, or last asked for by an upload. */
  linkedAt: number
  /** When a run first found that nothing names it; null: something did, or no run looked. */
  unreferencedAt: number | null
}

/** What has rows of its own and lives by being referred to: recipes of Xet files, and three kinds of blobs. */
export type CollectedKind = 'files' | BlobRowKind
export type BlobRowKind = 'lfs' | 'xorbs' | 'shards'

export interface StoredRow {
  domainId: string
  /** The oid, the hash, or a shard's repository and id with a slash between. */
  name: string
  /** Shards have no size in the catalog: 0. */
  sizeBytes: number
}

/** A blob that nothing needed when it was last looked at. */
export interface DoomedBlob extends StoredRow {
  kind: BlobRowKind
  doomedAt: number
}

export interface CollectionRows {
  links(repoId: string, kind: LinkKind, after: string, limit: number): Promise<ContentLink[]>
  setUnreferenced(repoId: string, kind: LinkKind, keys: readonly string[], at: number | null): Promise<void>
  /** Those of the keys whose link was last asked for at that time or before. */
  linksUntil(repoId: string, kind: LinkKind, keys: readonly string[], at: number): Promise<string[]>
  /** An upload relies on these. */
  renewLinks(repoId: string, kind: LinkKind, keys: readonly string[], at: number): Promise<void>
  dropLinks(repoId: string, kind: LinkKind, keys: readonly string[]): Promise<void>

  /**
   * Rows in key order. Unneeded are those that nothing refers to, that were not used after `unusedSince` and are not
   * doomed already.
   */
  stored(
    kind: CollectedKind,
    after: { domainId: string; name: string },
    limit: number,
    unusedSince: number,
  ): Promise<(StoredRow & { isUnneeded: boolean })[]>
  /** Those of the names that have a row. */
  withRow(kind: BlobRowKind, domainId: string, names: readonly string[]): Promise<Set<string>>
  /** Removes the row unless something refers to it; a recipe takes its references to xorbs with it. */
  remove(kind: CollectedKind, domainId: string, name: string): Promise<boolean>

  /** Dooms a blob if it is unneeded. */
  doom(kind: BlobRowKind, blob: StoredRow, at: number, unusedSince: number): Promise<void>
  /** Dooms one that has no row. */
  doomStray(kind: BlobRowKind, blob: StoredRow, at: number): Promise<void>
  /** In key order. */
  doomed(after: Omit<DoomedBlob, 'sizeBytes' | 'doomedAt'> | null, limit: number): Promise<DoomedBlob[]>
  /** Rows of the dedup index that lead to a xorb; they go with its row. */
  countIndexed(domainId: string, xorbHash: string): Promise<number>
  /** Removes up to `limit` of them and says how many there were. */
  dropIndexed(domainId: string, xorbHash: string, limit: number): Promise<number>
  /** Removes the row; true when the blob has none now. False when it is not doomed as it was, or is needed again. */
  execute(blob: DoomedBlob): Promise<boolean>
  /** These are not doomed. */
  pardon(kind: BlobRowKind, domainId: string, names: readonly string[]): Promise<void>
}
