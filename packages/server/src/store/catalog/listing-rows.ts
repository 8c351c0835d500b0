/** Rows for lists and searches: what is known about repositories beside their names. */

import type { RepoType } from '@cairn/protocol/repo-id'

import type { RepoRow } from './catalog.ts'

/** Which repositories of other types, or which base models, a card names. */
export type RepoLinkKind = 'base_model' | 'dataset' | 'model'

/** What the default branch of a repository says about it, to be listed and searched. */
export interface IndexEntry {
  repoId: string
  commitOid: string
  pipelineTag: string | null
  numParameters: number | null
  /** What is searched besides the name. */
  text: string
  tags: readonly string[]
  links: readonly { kind: RepoLinkKind; target: string }[]
  /** JSON that only its writer reads. */
  facts: string
  /** Paths, as JSON; null when they are too many to be kept. */
  files: string | null
}

export interface RepoCounts {
  likes: number
  downloads: number
  downloadsAllTime: number
  /** Likes and downloads of late, each worth half as much a week later. */
  trendingScore: number
}

/** Every repository has counts and a searchable name from its insertion on; facts come with its first indexing. */
export interface IndexRows {
  /** Takes the place of what was known before, and takes over the repository's present name. */
  put(entry: IndexEntry): Promise<void>
  facts(repoId: string): Promise<Pick<IndexEntry, 'commitOid' | 'facts' | 'files'> | null>
  counts(repoId: string, at: number): Promise<RepoCounts>
  /** Adds to the counts; below zero for what is taken back. */
  addCounts(
    repoId: string,
    add: { likes?: number; downloads?: number; downloadsAllTime?: number },
    at: number,
  ): Promise<void>
  /** Bytes of LFS and Xet content that each repository holds, in any revision. */
  storedBytes(repoIds: readonly string[]): Promise<Map<string, number>>
}

/** Whose private repositories are seen: everybody's, or those of these owners. */
export type Visibility = 'all' | { ownerIds: readonly string[] }

export type RepoSort = 'createdAt' | 'lastModified' | 'likes' | 'downloads' | 'trendingScore'

/** All conditions hold together. Names and tags are compared without regard to case. */
export interface RepoFilter {
  registryId: string
  type: RepoType
  visibility: Visibility
  /** Words, each of which the name or the text holds somewhere. Lower case. */
  words: readonly string[]
  namespace: string | null
  tags: readonly string[]
  /** For each list, one of its tags at least. */
  anyTags: readonly (readonly string[])[]
  pipelineTag: string | null
  parameters: { min: number | null; max: number | null } | null
  /** Links that the card has, each to this target. */
  links: readonly { kind: RepoLinkKind; target: string }[]
  /** Whether the card names any model or dataset. */
  linked: boolean
}

export interface ListedRepo {
  repo: RepoRow
  /** Head of the default branch; null before the first commit. */
  head: string | null
  facts: Pick<IndexEntry, 'commitOid' | 'facts' | 'files'> | null
  counts: RepoCounts
}

export interface ListingRows {
  /** A page in the order of `sort`, ties by id, strictly after `after`, which is a position that `positionOf` made. */
  page(
    filter: RepoFilter,
    order: { sort: RepoSort; descending: boolean; after: string | null; limit: number },
    at: number,
  ): Promise<{ repos: ListedRepo[]; next: string | null }>
  count(filter: RepoFilter, max: number): Promise<number>
  /** Tags with the number of repositories that have them, the most frequent first. */
  tags(registryId: string, type: RepoType, visibility: Visibility, limit: number): Promise<string[]>
  /** Of repositories of a type that name these targets: at most `limit` ids (`ns/name`) for each target, by name, and all counted. */
  linking(
    registryId: string,
    type: RepoType,
    visibility: Visibility,
    kind: RepoLinkKind,
    targets: readonly string[],
    limit: number,
  ): Promise<Map<string, { count: number; ids: string[] }>>
}
