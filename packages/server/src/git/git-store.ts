/**
 * The seam between operations and git. Objects are addressed by oid, repositories by the id of their catalog row.
 * Refs here are a projection of the catalog's refs table: operations write them through `projectRefs` only.
 */
import type { GitObjectType, NewObject } from '@cairn/protocol/git/objects'

import type { ChangedFile } from './compare.ts'
import type { Clutter } from './housekeeping.ts'
import type { Incoming } from './incoming.ts'
import type { SmallBlob, Walk } from './reachable.ts'
import type { SlotsLoad } from './slots.ts'
import type { FetchCall } from './transport.ts'

export type { ChangedFile }

export interface GitObject {
  type: GitObjectType
  bytes: Uint8Array
}

export interface CommitRecord {
  oid: string
  treeOid: string
  parents: string[]
  authorName: string
  authorEmail: string
  /** Milliseconds since the epoch. */
  date: number
  message: string
}

export class GitObjectNotFoundError extends Error {
  constructor(oid: string, options?: ErrorOptions) {
    super(`No git object ${oid}`, options)
    this.name = 'GitObjectNotFoundError'
  }
}

/** The pack is not one that the hub takes. The message is for whoever pushed. */
export class PackRefusedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PackRefusedError'
  }
}

/** How much git is at work. */
export interface GitLoad {
  /** Null between a death of the helper and the next call. */
  helperPid: number | null
  /** All processes, those included that live as long as somebody reads. */
  processes: number
  /** What is bounded, by name. */
  slots: Record<'processes' | 'fetches' | 'walks' | 'pushes', SlotsLoad>
}

export interface GitStore extends AsyncDisposable {
  /** Ids of the repositories that have a folder, in groups. */
  repositories(): AsyncIterable<string[]>
  /** Creates an empty bare repository. Idempotent. */
  create(repoId: string): Promise<void>
  /** Removes a repository; its files are first renamed out of the way, so that a crash leaves no half of one. */
  remove(repoId: string): Promise<void>
  /** Takes away the locks of refs that a killed process left. Only at start, while nothing works on it. */
  releaseLocks(repoId: string): Promise<void>
  /** Reads one object whole. Throws `GitObjectNotFoundError`, or RangeError when larger than `sizeMaxBytes`. */
  read(repoId: string, oid: string, sizeMaxBytes?: number): Promise<GitObject>
  /** Type and size without the bytes; null when absent. */
  stat(repoId: string, oid: string): Promise<{ type: GitObjectType; sizeBytes: number } | null>
  /** The one oid that starts with these 4 to 40 hex digits and is a commit, or null when none or several do. */
  expand(repoId: string, prefix: string): Promise<string | null>
  /** Writes objects so that they survive power loss before the promise resolves. Objects already there are fine. */
  write(repoId: string, objects: readonly NewObject[]): Promise<void>
  /** Brings these commits and tags of one repository, with everything that they lead to, durably into another. */
  copyHistory(fromRepoId: string, toRepoId: string, oids: readonly string[]): Promise<void>
  /**
   * Sets or deletes (null) refs of the projection in one `update-ref --stdin` transaction. `head` also points HEAD
   * at that full ref name. Never rejects because of an old value: the catalog already decided.
   */
  projectRefs(
    repoId: string,
    refs: readonly { name: string; oid: string | null }[],
    head?: string,
  ): Promise<void>
  /** All refs of the projection, for fsck. */
  listRefs(repoId: string): Promise<{ name: string; oid: string }[]>
  /** Commits reachable from `from`, newest first as `git log` orders them. `skip` and `limit` count commits. */
  log(repoId: string, from: string, options: { skip?: number; limit?: number }): Promise<CommitRecord[]>
  countCommits(repoId: string, from: string): Promise<number>
  /** True when `ancestor` is reachable from `descendant`. */
  isAncestor(repoId: string, ancestor: string, descendant: string): Promise<boolean>
  /**
   * The newest commit that touched each of the given paths (files or folders), seen from `from`, following first
   * the same order as `git log -- path`. Paths that never existed are left out.
   */
  lastCommits(repoId: string, from: string, paths: readonly string[]): Promise<Map<string, CommitRecord>>
  /** The best common ancestor of two commits, or null when their histories have nothing in common. */
  mergeBase(repoId: string, one: string, other: string): Promise<string | null>
  /** Unified diff of two trees; null when it is too large or takes too long. Large files are only said to differ. */
  diff(repoId: string, fromTree: string, toTree: string): Promise<Uint8Array | null>
  /** Files that differ between two trees, by path; null as above. */
  changedFiles(repoId: string, fromTree: string, toTree: string): Promise<ChangedFile[] | null>
  /** Oids of the commits that `roots` reach, parents before their children. */
  commitsFrom(repoId: string, roots: readonly string[]): Promise<string[]>
  /** Blobs small enough for an LFS pointer that `roots` reach and `except` do not, each with one of its paths. */
  smallBlobs(repoId: string, roots: readonly string[], except: readonly string[]): Promise<SmallBlob[]>
  /** What has gathered in a repository since it was last packed. */
  clutter(repoId: string): Promise<Clutter>
  /** Rolls loose objects and small packs into one pack, beside readers and writers. Loses nothing. */
  repack(repoId: string, signal?: AbortSignal): Promise<void>
  /** Puts refs that lie in files of their own into one file. */
  packRefs(repoId: string): Promise<void>
  /** When the repository was last packed whole, in milliseconds since the epoch; before that, when it was made. */
  lastFullRepack(repoId: string): Promise<number>
  /**
   * Packs all anew, without what no ref reaches and nobody wrote or packed since `expireBefore`. Call the returned
   * function while no ref can move, and only when none has moved: it deletes what was replaced. Without it all stays.
   */
  repackWhole(repoId: string, expireBefore: number, signal?: AbortSignal): Promise<() => Promise<void>>
  /** Those of the commits that the tips do not reach; ids of nothing are left out. */
  unreachedCommits(repoId: string, commits: readonly string[], walk: Walk): Promise<string[]>
  /** Whether the tips reach all of these objects, of any type. A walk over history. */
  reachObjects(repoId: string, oids: readonly string[], walk: Walk): Promise<boolean>
  /** What `git upload-pack` answers to a client. Leaving the iteration early ends git. */
  serveFetch(repoId: string, call: FetchCall): Promise<AsyncIterable<Uint8Array>>
  /** A place for what a client's push brings. Disposing of it takes away what was not accepted. */
  receive(repoId: string, client: string, signal: AbortSignal): Promise<Incoming>
  load(): GitLoad
  /** Bytes of its objects on disk. */
  sizeOf(repoId: string): Promise<number>
  /** Runs `git fsck --strict --full`; the lines it complained with, empty when clean. */
  fsck(repoId: string): Promise<string[]>
}
