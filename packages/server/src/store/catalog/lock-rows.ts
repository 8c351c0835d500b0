/** Rows of catalog.ts about locks of git-lfs: one path of a repository, one owner. */
export interface LfsLockRow {
  id: string
  repoId: string
  /** As git spells it, whether or not there is such a file. */
  path: string
  ownerId: string
  lockedAt: number
}

export interface LfsLock extends LfsLockRow {
  ownerName: string
}

export interface LfsLockRows {
  /** False when the path is locked already, by whomever. */
  insert(row: LfsLockRow): Promise<boolean>
  get(repoId: string, id: string): Promise<LfsLock | null>
  getByPath(repoId: string, path: string): Promise<LfsLock | null>
  /** By id, strictly after `after`. */
  list(repoId: string, after: string | null, limit: number): Promise<LfsLock[]>
  count(repoId: string): Promise<number>
  /** False when it was gone already. */
  delete(repoId: string, id: string): Promise<boolean>
}
