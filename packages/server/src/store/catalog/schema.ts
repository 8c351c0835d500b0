/** The catalog's tables as Kysely sees them. migrations/ makes them, queries/ maps them to the rows of catalog.ts. */
import type { RepoType } from '@cairn/protocol/repo-id'
import type { Generated } from 'kysely'

import type { AccountKind, JobQueue, OrgRole, RepoLinkKind, TokenKind, TokenRole } from './catalog.ts'
import type { BlobRowKind } from './collection-rows.ts'
import type { Flag } from './sql-dialect.ts'

export interface Schema {
  meta: { key: string; value: string }
  accounts: {
    id: string
    kind: AccountKind
    name: string
    name_key: string
    fullname: string | null
    email: string | null
    is_admin: Flag
    created_at: number
  }
  org_members: { org_id: string; user_id: string; role: OrgRole }
  registries: { id: string; org_id: string | null; slug: string; slug_key: string; created_at: number }
  tokens: {
    id: string
    kind: TokenKind
    account_id: string
    name: string
    hash: string
    role: TokenRole
    grants: string | null
    created_at: number
    expires_at: number | null
    last_used_at: number | null
  }
  repos: {
    id: string
    registry_id: string
    owner_id: string
    domain_id: string
    type: RepoType
    namespace: string
    namespace_key: string
    name: string
    name_key: string
    private: Flag
    disabled: Flag
    default_ref: string
    sdk: string | null
    lfs_multipart_above_bytes: number | null
    created_by: string | null
    created_at: number
    last_modified: number
    refs_dirty: Flag
    deleted_at: number | null
  }
  repo_old_names: {
    registry_id: string
    type: RepoType
    namespace_key: string
    name_key: string
    repo_id: string
    created_at: number
  }
  likes: { user_id: string; repo_id: string; created_at: number }
  lfs_locks: { id: string; repo_id: string; path: string; owner_id: string; locked_at: number }
  refs: { repo_id: string; name: string; oid: string; updated_at: number }
  repo_index: {
    seq: Generated<number>
    repo_id: string
    registry_id: string
    type: RepoType
    likes: Generated<number>
    downloads: Generated<number>
    downloads_all_time: Generated<number>
    trending: Generated<number>
    pipeline_tag: string | null
    num_parameters: number | null
    search_text: string
  }
  repo_facts: { repo_id: string; commit_oid: string; facts: string; files: string | null }
  repo_tags: { repo_id: string; tag_key: string; tag: string }
  repo_links: { repo_id: string; kind: RepoLinkKind; target_key: string }
  account_quotas: { account_id: string; bytes: number | null }
  repo_quotas: { repo_id: string; bytes: number | null }
  repo_git_sizes: { repo_id: string; bytes: number }
  retained_commits: { repo_id: string; oid: string; reason: string; created_at: number }
  lfs_objects: { domain_id: string; oid: string; size_bytes: number; created_at: number }
  repo_lfs_objects: {
    repo_id: string
    domain_id: string
    oid: string
    linked_at: number
    unreferenced_at: number | null
  }
  lfs_migrations: {
    domain_id: string
    oid: string
    received_at: number
    not_before: number
    attempts: number
    replaced_at: number | null
    xet_hash: string | null
  }
  xorbs: {
    domain_id: string
    hash: string
    chunk_count: number
    raw_bytes: number
    stored_bytes: number
    chunks: Uint8Array
    stored_at: number
    touched_at: number
  }
  xet_files: {
    domain_id: string
    hash: string
    size_bytes: number
    term_count: number
    terms: Uint8Array
    sha256: string | null
    created_at: number
  }
  xet_file_xorbs: { domain_id: string; file_hash: string; xorb_hash: string }
  repo_xet_files: {
    repo_id: string
    domain_id: string
    hash: string
    sha256: string | null
    linked_at: number
    unreferenced_at: number | null
  }
  path_versions: { repo_id: string; path_key: string; oid: string; landed_at: number }
  shards: { id: string; domain_id: string; repo_id: string; created_at: number }
  shard_xorbs: { shard_id: string; position: number; domain_id: string; xorb_hash: string }
  dedup_chunks: {
    domain_id: string
    chunk_hash: string
    created_at: number
    shard_id: string
    xorb_hash: string
  }
  dedup_epochs: { id: string; key: Uint8Array; ends_at: number }
  doomed_blobs: {
    kind: BlobRowKind
    domain_id: string
    name: string
    size_bytes: number
    doomed_at: number
  }
  audit: {
    id: string
    at: number
    actor_id: string | null
    action: string
    repo_id: string | null
    subject: string
    details: string
  }
  downloads_daily: { repo_id: string; day: number; count: number }
  damaged_blobs: { key: string; problem: string; found_at: number }
  scrub_passes: { id: string; after_key: string | null; started_at: number }
  outbox: {
    id: Generated<number>
    queue: JobQueue
    event: string
    created_at: number
    /** Due, or claimed until then. Null: set aside because it cannot be read. */
    due_at: number | null
    attempts: number
    last_error: string | null
  }
}
