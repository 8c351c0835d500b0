/** Bounded caches of facts that never change, keyed by content. Only `resolved` knows who may see what. */
import type { TreeEntry } from '@cairn/protocol/git/objects'
import type { ChunkTable } from '@cairn/protocol/xet/chunk-table'
import { LRUCache } from 'lru-cache'

import type { CommitRecord } from '../git/git-store.ts'
import {
  BLOB_FACTS_CACHE_MAX,
  COMMIT_CACHE_MAX,
  DOWNLOAD_CHECKED_MAX,
  HISTORY_POINTERS_CACHE_ENTRIES_MAX,
  HISTORY_POINTERS_CACHE_MAX,
  LAST_COMMITS_CACHE_MAX,
  FACTS_CACHE_MAX,
  HEADS_CACHE_MAX,
  PULL_CACHE_FILES_MAX,
  SMALL_BLOBS_CACHE_MAX_BYTES,
  TREE_CACHE_ENTRIES_MAX,
  XORB_TABLE_CACHE_MAX_BYTES,
} from '../limits.ts'
import { Answers } from './answers.ts'
import type { ResolvedFile } from './files.ts'
import type { PullSource } from './gguf-layers.ts'
import type { RepoFacts } from './repo-facts.ts'

/** What the listing of a file says about it. */
export interface BlobFacts {
  /** Of the git blob itself. */
  sizeBytes: number
  /** Set when the blob is an LFS pointer. */
  lfs: { oid: string; sizeBytes: number } | null
}

/** The LFS pointers that a repository's refs reach. */
export interface HistoryPointers {
  /** The refs at that time. */
  state: string
  /** sha256 by the oid of each pointer's blob. */
  blobs: Map<string, string>
  /** One path of each sha256, and the ref it is reachable from, where that is the default one. */
  places: Map<string, { path: string; ref: string | null }>
}

export class Caches {
  /** By `repoId/treeOid`. */
  readonly trees = new LRUCache<string, TreeEntry[]>({
    maxSize: TREE_CACHE_ENTRIES_MAX,
    sizeCalculation: (entries) => entries.length + 1,
  })
  /** By `repoId/blobOid`. */
  readonly blobs = new LRUCache<string, BlobFacts>({ max: BLOB_FACTS_CACHE_MAX })
  /** Bytes of small git blobs, by `repoId/blobOid`. An entry takes some memory of its own. */
  readonly smallBlobs = new LRUCache<string, Uint8Array>({
    maxSize: SMALL_BLOBS_CACHE_MAX_BYTES,
    sizeCalculation: (bytes) => bytes.length + 500,
  })
  /** By `repoId/oid` of a commit or of an annotated tag that leads to it. */
  readonly commits = new LRUCache<string, CommitRecord>({ max: COMMIT_CACHE_MAX })
  /** By `repoId/commit/folder`: the last commit of each path in it. Sized by paths. */
  readonly lastCommits = new LRUCache<string, Promise<Map<string, CommitRecord>>>({
    maxSize: LAST_COMMITS_CACHE_MAX,
  })
  /** By repository. Sized by pointers. */
  readonly historyPointers = new LRUCache<string, HistoryPointers>({
    max: HISTORY_POINTERS_CACHE_MAX,
    maxSize: HISTORY_POINTERS_CACHE_ENTRIES_MAX,
  })
  /** By `domainId/xorbHash`. A full xorb's table has some 40 KB. */
  readonly chunkTables = new LRUCache<string, ChunkTable>({
    maxSize: XORB_TABLE_CACHE_MAX_BYTES,
    sizeCalculation: (table) => table.count * 40 + 100,
  })
  /** Of the blobs that a whole pass has found sound, by key (`stored-content.ts`). */
  readonly fingerprints = new LRUCache<string, string>({ max: DOWNLOAD_CHECKED_MAX })
  /** By `repoId/commitOid`. */
  readonly facts = new LRUCache<string, RepoFacts>({ max: FACTS_CACHE_MAX })
  /** What the head of a weight file says, by `repoId/blobOid`. */
  readonly heads = new LRUCache<string, object>({ max: HEADS_CACHE_MAX })
  /** By who asks for which file at which revision, until the next transaction. */
  readonly resolved = new Answers<ResolvedFile>()
  /** By `repoId/commitOid`. */
  readonly pulls = new LRUCache<string, PullSource>({
    maxSize: PULL_CACHE_FILES_MAX,
    sizeCalculation: ({ ggufs }) => ggufs.length + 1,
  })

  /** What was removed from a repository must not be found here either. */
  forget(repoId: string): void {
    this.resolved.clear()
    for (const cache of [this.trees, this.blobs, this.smallBlobs, this.commits])
      for (const key of cache.keys()) if (key.startsWith(`${repoId}/`)) cache.delete(key)
  }
}
