/**
 * Rows by aggregate: the seam between operations and the database. Everything done inside one `tx` commits together
 * with its events and audit rows, or not at all. Reads outside a transaction use a connection of their own and never
 * wait for one. Times are milliseconds since the epoch, ids 24 hex digits unless an operator chose them.
 */
import type { RepoType } from '@cairn/protocol/repo-id'

import type { AuditRows } from './audit-rows.ts'
import type { CollectionRows } from './collection-rows.ts'
import type { DamageRows, InventoryRows } from './inventory-rows.ts'
import type { LfsMigrationRows } from './lfs-migration-rows.ts'
import type { IndexRows, ListingRows } from './listing-rows.ts'
import type { LfsLockRows } from './lock-rows.ts'
import type { QuotaRows } from './quota-rows.ts'
import type { LikeRows, LinkPosition, OldName, OldNameRows } from './repo-life.ts'
import type { StatsRows } from './stats-rows.ts'
import type { DownloadRows, OwnedRepoRows } from './usage.ts'
import type { XetRows } from './xet-rows.ts'

export {
  SchemaVersionError,
  CatalogUnavailableError,
  UniqueViolationError,
  XorbMissingError,
  type UniqueName,
} from './catalog-errors.ts'
export type { AuditFilter, AuditRows } from './audit-rows.ts'
export type {
  BlobRowKind,
  CollectedKind,
  CollectionRows,
  ContentLink,
  DoomedBlob,
  LinkKind,
  StoredRow,
} from './collection-rows.ts'
export type {
  IndexEntry,
  IndexRows,
  ListedRepo,
  ListingRows,
  RepoCounts,
  RepoFilter,
  RepoLinkKind,
  RepoSort,
  Visibility,
} from './listing-rows.ts'
export type { QuotaRows, QuotaSubject } from './quota-rows.ts'
export type {
  ContentKind,
  ContentPlace,
  DamageRows,
  InventoryRows,
  ScrubState,
  ShardPlace,
  StoredBytes,
  XetRecipe,
} from './inventory-rows.ts'
export type { LfsMigrationRow, LfsObjectName } from './lfs-migration-rows.ts'
export type { LikeRows, LinkPosition, OldName, OldNameRows } from './repo-life.ts'
export type { CatalogCounts, FailedEvent, StatsRows, StorageTotals } from './stats-rows.ts'
export type { DownloadCount, DownloadRows, OwnedRepoRows, StoredSizes } from './usage.ts'
export type {
  FalseClaim,
  KnownXetFile,
  LinkedXetFile,
  PathVersion,
  ShardRow,
  XetFileRow,
  XetRows,
  XorbRow,
} from './xet-rows.ts'

export type AccountKind = 'user' | 'org'
export type OrgRole = 'admin' | 'write' | 'contributor' | 'read'
export type TokenRole = 'read' | 'write' | 'fineGrained'
export type TokenKind = 'access_token'

export interface AccountRow {
  id: string
  kind: AccountKind
  name: string
  fullname: string | null
  email: string | null
  /** Administers the instance. Users only. */
  isAdmin: boolean
  createdAt: number
}

export interface MemberRow {
  orgId: string
  userId: string
  role: OrgRole
}

export interface RegistryRow {
  id: string
  /** null for the default registry, which is served at `/`. */
  orgId: string | null
  /** Empty for the default registry. */
  slug: string
  createdAt: number
}

export interface TokenRow {
  id: string
  kind: TokenKind
  accountId: string
  name: string
  /** Hex sha256 of the token string, which is stored nowhere. */
  hash: string
  role: TokenRole
  /** JSON of fine-grained grants (permission × resource); null for read and write tokens. */
  grants: string | null
  createdAt: number
  expiresAt: number | null
  lastUsedAt: number | null
}

export interface RepoRow {
  id: string
  registryId: string
  /** Who owns it: an account in the default registry, the registry's organization elsewhere. */
  ownerId: string
  /** Deduplication domain: every blob row and physical key of this repository carries it. */
  domainId: string
  type: RepoType
  namespace: string
  name: string
  private: boolean
  disabled: boolean
  /** Full name of the default branch's ref. */
  defaultRef: string
  /** Spaces only. */
  sdk: string | null
  /** LFS objects above it go up in parts; null: the hub's own limit. */
  lfsMultipartAboveBytes: number | null
  createdBy: string | null
  createdAt: number
  lastModified: number
  /** The projection in the bare repository may lag behind the refs table. */
  refsDirty: boolean
  /** A deleted repository keeps its row, without its name, until its files are removed. */
  deletedAt: number | null
}

export interface RefRow {
  repoId: string
  /** Full name: `refs/heads/main`. */
  name: string
  oid: string
  updatedAt: number
}

export interface LfsObjectRow {
  domainId: string
  /** Hex sha256. */
  oid: string
  sizeBytes: number
  createdAt: number
}

/** What a file with this sha256 is stored as, seen from one repository. */
export type StoredContent =
  | { kind: 'lfs'; domainId: string; oid: string; sizeBytes: number }
  | {
      kind: 'xet'
      domainId: string
      oid: string
      sizeBytes: number
      xetHash: string
      /** The hub itself has computed its sha256; else this repository's uploader claims it. */
      isProven: boolean
    }

export interface AuditRow {
  id: string
  at: number
  /** null: the operator or the hub itself. */
  actorId: string | null
  /** e.g. `repo.create`, `ref.update`, `token.delete`. */
  action: string
  repoId: string | null
  /** What it was done to, readable: a repository id, a ref, an account name. */
  subject: string
  /** JSON; never a secret. */
  details: string
}

/** What happened, for jobs. Written to the outbox in the transaction that made it happen. */
export type HubEvent =
  | {
      type: 'repo.created' | 'repo.moved' | 'repo.updated' | 'repo.deleted' | 'repo.restored'
      repoId: string
    }
  | { type: 'refs.updated'; repoId: string; refs: { name: string; old: string | null; new: string | null }[] }
  | { type: 'xet.file-registered'; repoId: string; domainId: string; hash: string }

/** Of events: each is worked off in its order, and does not wait for the other. */
export type JobQueue = 'changes' | 'proofs'

export interface OutboxRow {
  id: number
  event: HubEvent
  /** How often it was claimed, this time included. */
  attempts: number
}

export interface AccountRows {
  insert(row: AccountRow): Promise<void>
  update(id: string, change: Partial<Pick<AccountRow, 'fullname' | 'email' | 'isAdmin'>>): Promise<void>
  get(id: string): Promise<AccountRow | null>
  /** Without regard to case. */
  getByName(name: string): Promise<AccountRow | null>
  list(kind: AccountKind): Promise<AccountRow[]>
  delete(id: string): Promise<void>
  setMember(row: MemberRow): Promise<void>
  removeMember(orgId: string, userId: string): Promise<void>
  role(orgId: string, userId: string): Promise<OrgRole | null>
  /** Organizations of a user, by name. */
  orgsOf(userId: string): Promise<{ org: AccountRow; role: OrgRole }[]>
  membersOf(orgId: string): Promise<{ user: AccountRow; role: OrgRole }[]>
}

export interface TokenRows {
  insert(row: TokenRow): Promise<void>
  getByHash(hash: string): Promise<{ token: TokenRow; account: AccountRow } | null>
  get(id: string): Promise<{ token: TokenRow; account: AccountRow } | null>
  list(accountId: string): Promise<TokenRow[]>
  touch(id: string, lastUsedAt: number): Promise<void>
  /** The token keeps everything but its string. */
  setHash(id: string, hash: string): Promise<void>
  delete(id: string): Promise<void>
}

export interface RegistryRows {
  insert(row: RegistryRow): Promise<void>
  get(id: string): Promise<RegistryRow | null>
  /** Without regard to case; the organization by its name. */
  getBySlug(orgName: string, slug: string): Promise<(RegistryRow & { orgName: string }) | null>
  list(): Promise<(RegistryRow & { orgName: string | null })[]>
  delete(id: string): Promise<void>
}

export interface RepoRows {
  insert(row: RepoRow): Promise<void>
  update(
    id: string,
    change: Partial<Pick<RepoRow, 'private' | 'lastModified' | 'refsDirty' | 'disabled' | 'sdk'>>,
  ): Promise<void>
  /** Deleted ones are found until they are purged. */
  get(id: string): Promise<RepoRow | null>
  /** Without regard to case; deleted ones are not found. */
  getByName(registryId: string, type: RepoType, namespace: string, name: string): Promise<RepoRow | null>
  /** By name; deleted ones are left out. */
  listByOwner(ownerId: string): Promise<RepoRow[]>
  /** By id, strictly after `after`, of one registry or (null) of all; deleted ones are left out. */
  list(registryId: string | null, after: string | null, limit: number): Promise<RepoRow[]>
  /** How many `list` would find, without a limit. */
  count(registryId: string | null, after: string | null): Promise<number>
  /** Ids of those whose projection may lag; deleted ones are left out. */
  listDirty(): Promise<string[]>
  listDeleted(): Promise<string[]>
  /** Those deleted at that time or earlier, the first deleted first. */
  listDeletedUntil(at: number, limit: number): Promise<RepoRow[]>
  /** Deleted ones that had this name, the last deleted first. */
  listDeletedByName(name: OldName): Promise<RepoRow[]>
  markDeleted(id: string, at: number): Promise<void>
  /** A deleted one lives again, under this name. */
  restore(id: string, name: Pick<RepoRow, 'namespace' | 'name'>): Promise<void>
  /** Gives another name, owner and deduplication domain; what it has in its domain so far stays its own. */
  move(id: string, to: Pick<RepoRow, 'ownerId' | 'domainId' | 'namespace' | 'name'>): Promise<void>
  /** Removes the row and everything that hangs on it. */
  purge(id: string): Promise<void>
}

export interface RefRows {
  get(repoId: string, name: string): Promise<RefRow | null>
  list(repoId: string): Promise<RefRow[]>
  /**
   * Compare-and-swap of one ref: true when the ref had the oid `old` (null: did not exist) and now has `next`
   * (null: is gone); false when it had another.
   */
  swap(repoId: string, name: string, old: string | null, next: string | null, at: number): Promise<boolean>
}

export interface RetainedCommitRows {
  /** Idempotent. */
  insert(row: { repoId: string; oid: string; reason: string; createdAt: number }): Promise<void>
  /** Oldest first. */
  list(repoId: string): Promise<{ oid: string; reason: string }[]>
}

export interface BlobRows {
  /** Idempotent: the first row stays. */
  insertLfs(row: LfsObjectRow): Promise<void>
  getLfs(domainId: string, oid: string): Promise<LfsObjectRow | null>
  /**
   * Gives a repository the right to an LFS object of this domain (or its own), which must be there and is doomed no
   * more. Idempotent.
   */
  linkLfs(repoId: string, oid: string, at: number, domainId?: string): Promise<void>
  /**
   * Gives one repository the rights to all contents that another has, LFS and Xet, wherever they lie; in steps of at
   * most `limit` rows, each beginning after the position that the step before returned. Null: all is done.
   */
  copyLinks(
    fromRepoId: string,
    toRepoId: string,
    after: LinkPosition | null,
    limit: number,
  ): Promise<LinkPosition | null>
  /**
   * How each of the given sha256 is stored for this repository; unknown ones are left out, and so are those that
   * only a false claim speaks of. Proven Xet wins over LFS, LFS over a claim; of several Xet files the one with the
   * fewest terms.
   */
  contentOf(repoId: string, oids: readonly string[]): Promise<Map<string, StoredContent>>
  /** What `contentOf` knows of the repository, each sha256 once, in its order and strictly after `after`. */
  listContent(
    repoId: string,
    after: string | null,
    limit: number,
  ): Promise<{ oid: string; sizeBytes: number; createdAt: number }[]>
  /** Takes from the repository its right to contents with these sha256, however they are stored. Idempotent. */
  unlinkContent(repoId: string, oids: readonly string[]): Promise<void>
}

export interface OutboxRows {
  /** Claims up to `limit` due events of a queue until `leaseUntil`; an event whose lease ended can be claimed again. */
  claim(queue: JobQueue, now: number, leaseUntil: number, limit: number): Promise<OutboxRow[]>
  done(id: number): Promise<void>
  /** Ends a claim as if it had not been made. */
  giveBack(id: number, dueAt: number): Promise<void>
  /** Puts an event back, due at `retryAt`. The reason is cut to a sensible length. */
  fail(id: number, retryAt: number, reason: string): Promise<void>
  /** Events not done, those included that could not be read and were set aside; of one queue or of both. */
  count(queue?: JobQueue): Promise<number>
}

export interface CatalogRows {
  accounts: AccountRows
  registries: RegistryRows
  tokens: TokenRows
  repos: RepoRows
  oldNames: OldNameRows
  likes: LikeRows
  refs: RefRows
  index: IndexRows
  listing: ListingRows
  retained: RetainedCommitRows
  blobs: BlobRows
  locks: LfsLockRows
  lfsMigrations: LfsMigrationRows
  xet: XetRows
  collection: CollectionRows
  audit: AuditRows
  owned: OwnedRepoRows
  downloads: DownloadRows
  outbox: OutboxRows
  quotas: QuotaRows
  stats: StatsRows
  inventory: InventoryRows
  damage: DamageRows
}

export interface Catalog extends AsyncDisposable {
  /** Reads outside any transaction; what was committed before the call. Writing through them fails. */
  readonly rows: CatalogRows
  /** As long as it stays, every row stays as it is. Null where another process may write, too. */
  readonly epoch: number | null
  /**
   * Runs `work` once, on the single writer, first come first served; hubs that share a database share the writer. Inside, await nothing but rows: the writer is held.
   * Never use `catalog.rows` inside; a nested `tx` and rows used after the end are refused. When a call of rows failed
   * the transaction can no longer commit, even if `work` caught the error. Events passed to `emit` are in the outbox exactly when the transaction commits.
   */
  tx<T>(work: (rows: CatalogRows, emit: (event: HubEvent) => void) => Promise<T>): Promise<T>
  /** Writes all rows of one moment into a new SQLite file, durably, beside readers and writers (snapshot.ts opens it). */
  copyTo(path: string): Promise<void>
}
