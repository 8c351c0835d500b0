/** Rows of catalog.ts about what happens to repositories: names that they had, likes, links that are copied. */
import type { RepoType } from '@cairn/protocol/repo-id'

import type { AccountRow, RepoRow } from './catalog.ts'
import type { Visibility } from './listing-rows.ts'

/** A name that a repository had before. */
export interface OldName {
  registryId: string
  type: RepoType
  namespace: string
  name: string
}

interface LikeRow {
  userId: string
  repoId: string
  createdAt: number
}

export interface LinkPosition {
  kind: 'lfs' | 'xet'
  key: string
}

export interface OldNameRows {
  /** Without regard to case. The repository may have been deleted since. */
  find(name: OldName): Promise<{ repoId: string } | null>
  /** From now on the name leads to the repository, wherever it led before. At most `keptMax` lead to one. */
  insert(name: OldName, repoId: string, at: number, keptMax: number): Promise<void>
  /** The name belongs to somebody now. Idempotent. */
  delete(name: OldName): Promise<void>
}

export interface LikeRows {
  /** False when it was liked already. */
  insert(row: LikeRow): Promise<boolean>
  /** False when it was not liked. */
  delete(userId: string, repoId: string): Promise<boolean>
  count(repoId: string): Promise<number>
  /** How many public repositories a user likes. */
  countPublic(userId: string): Promise<number>
  /** Newest first; `before` is the last one of the page before. */
  likersOf(
    repoId: string,
    before: { at: number; id: string } | null,
    limit: number,
  ): Promise<{ user: AccountRow; at: number }[]>
  /** Living repositories of the registry that may be seen, newest like first. */
  likedBy(
    filter: { userId: string; registryId: string; visibility: Visibility },
    before: { at: number; id: string } | null,
    limit: number,
  ): Promise<{ repo: RepoRow; at: number }[]>
}
