/** Xorbs, Xet files, what repositories claim of them, and the index for deduplication, as rows. */

export interface XorbRow {
  domainId: string
  /** String form of xet.md §2.1. */
  hash: string
  chunkCount: number
  rawBytes: number
  storedBytes: number
  /** chunkCount × 40 bytes: chunk hash (32), physical end (u32 LE), raw end (u32 LE). */
  chunks: Uint8Array
  storedAt: number
  touchedAt: number
}

export interface XetFileRow {
  domainId: string
  /** Xet file id, string form. */
  hash: string
  sizeBytes: number
  termCount: number
  /** termCount × 48 bytes as in a shard: xorb hash (32), flags, raw bytes, chunk start, chunk end, 4 × u32 LE. */
  terms: Uint8Array
  /** Hex sha256 that the hub has computed; null as long as it has not. */
  sha256: string | null
  createdAt: number
}

/** A Xet file as one repository has it. */
export interface LinkedXetFile extends XetFileRow {
  /** Hex sha256 by which the repository's uploader named it; null when the shard carried none. */
  claimedSha256: string | null
}

/** What an upload needs to know of a file that may be there already. */
export interface KnownXetFile {
  sha256: string | null
  /** Whether the repository has it from its own domain. */
  isLinked: boolean
  /** What the repository calls it, if it has it. */
  claimedSha256: string | null
}

/** A claim that proved false: what the repository calls by one sha256 has another. */
export interface FalseClaim {
  repoId: string
  claimedSha256: string
  xetHash: string
  sha256: string
}

export interface ShardRow {
  id: string
  domainId: string
  repoId: string
  createdAt: number
  /** Xorbs of that upload, in the shard's order. */
  xorbHashes: string[]
  /** Dedup-eligible chunks (xet.md §2.3), raw 32-byte hashes in string form, with the xorb they lie in. */
  chunks: { hash: string; xorbHash: string }[]
}

export interface PathVersion {
  /** Hex sha256 of the path. */
  pathKey: string
  /** Hex sha256 of the content. */
  oid: string
  landedAt: number
}

export interface XetRows {
  /** False when the xorb was there already; then it is touched. */
  insertXorb(row: XorbRow): Promise<boolean>
  /** Somebody relies on the xorb: it is doomed no more. False when it is gone. `touchedAt` is brought up now and then. */
  touchXorb(domainId: string, hash: string, at: number): Promise<boolean>
  getXorbs(domainId: string, hashes: readonly string[]): Promise<Map<string, XorbRow>>
  /**
   * Registers a file and the xorbs it uses, which must be stored, and links it to the repository. False when the
   * repository had it already, with a claim if there is one now. What was claimed or proven first stays. The xorbs are
   * touched; `XorbMissingError` names one that is gone.
   */
  insertFile(repoId: string, row: LinkedXetFile, xorbHashes: readonly string[]): Promise<boolean>
  /** Null when the repository may not see it. */
  getFile(repoId: string, hash: string): Promise<LinkedXetFile | null>
  /** What the domain's file is made of, whoever has it. */
  getRecipe(domainId: string, hash: string): Promise<{ terms: Uint8Array; sha256: string | null } | null>
  /** What is known of those files that the repository's own domain has. */
  knownFiles(repoId: string, hashes: readonly string[]): Promise<Map<string, KnownXetFile>>
  /** Notes what the hub has computed, and returns the claims that it refutes. */
  prove(domainId: string, hash: string, sha256: string): Promise<FalseClaim[]>
  /** Why `contentOf` left out some of these: by the claimed sha256. */
  falseClaims(repoId: string, oids: readonly string[]): Promise<Map<string, FalseClaim>>
  insertShard(row: ShardRow): Promise<void>
  /** The newest shard of the domain that registered this eligible chunk: its xorbs, the chunk's own first. */
  findShardByChunk(
    domainId: string,
    chunkHash: string,
    /** Of uploads to this repository only; null: of all. */
    repoId: string | null,
  ): Promise<{ repoId: string; xorbHashes: string[] } | null>
  /** Notes that contents lie at paths now, LFS or Xet. What is noted already stays. */
  notePathVersions(repoId: string, versions: readonly PathVersion[]): Promise<void>
  /**
   * Xorbs of the files that came, in this repository, after a file of this xorb to the same path, the last to come
   * first; each once and not this one. At most `limit`, of a few files.
   */
  xorbsOfLaterVersions(repoId: string, domainId: string, xorbHash: string, limit: number): Promise<string[]>
  /** The epoch's key for dedup replies; made by the caller when the newest one has ended. */
  currentEpoch(at: number): Promise<{ id: string; key: Uint8Array; endsAt: number } | null>
  insertEpoch(row: { id: string; key: Uint8Array; endsAt: number }): Promise<void>
}
