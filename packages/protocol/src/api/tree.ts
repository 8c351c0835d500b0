/**
 * Shapes of the replies that describe a repository's content, as they stand on the wire (hub-api.md §4.1, §5). Dates are
 * those of `formatDate`. Optional members are left out, never null.
 */

/** `lastCommit` of a tree entry; only with `expand`. */
export interface LastCommit {
  id: string
  title: string
  date: string
}

export interface TreeFile {
  type: 'file'
  path: string
  /** Git blob id; of the pointer for LFS files. */
  oid: string
  /** Real size, for LFS files too. */
  size: number
  lfs?: { oid: string; size: number; pointerSize: number }
  xetHash?: string
  lastCommit?: LastCommit
}

export interface TreeFolder {
  type: 'directory'
  path: string
  /** Git tree id. */
  oid: string
  size: 0
  lastCommit?: LastCommit
}

export type TreeEntry = TreeFile | TreeFolder

/** A file in repository info. `size` and what follows only with `blobs=true`; here the sha256 is not called `oid`. */
export interface Sibling {
  rfilename: string
  size?: number
  blobId?: string
  lfs?: { sha256: string; size: number; pointerSize: number }
}

export interface CommitEntry {
  id: string
  title: string
  /** What follows the title. */
  message: string
  date: string
  authors: { user: string; avatar?: string }[]
  /** HTML; only with `expand[]=formatted`. */
  formatted?: { title: string; message: string }
}

export interface RefEntry {
  /** Short: `main`, `v1`, `parquet`, `3`. */
  name: string
  /** Full: `refs/heads/main`, `refs/pr/3`. */
  ref: string
  targetCommit: string
}

export interface RefsReply {
  branches: RefEntry[]
  converts: RefEntry[]
  tags: RefEntry[]
  /** Only with `include_prs`. */
  pullRequests?: RefEntry[]
}

export interface CommitReply {
  success: true
  commitOid: string
  /** Ends in `/commit/{oid}`; clients cut the repository's address out of it. */
  commitUrl: string
  hookOutput: string
  pullRequestUrl?: string
}
