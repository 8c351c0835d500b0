/**
 * The first schema. Rows that hang on a repository go with it; rows that others rely on (an owner, a linked object,
 * a xorb in use) cannot be removed before those who rely on them. Every child key has an index, so that removing a
 * parent never scans a table.
 */
import type { Migration } from './migrations.ts'

export const initial: Migration = ({ text, integer, bigint, blob, serialKey, tableEnd, keyedTableEnd }) => [
  `create table accounts (
    id ${text} primary key,
    kind ${text} not null,
    name ${text} not null,
    name_key ${text} not null,
    fullname ${text},
    email ${text},
    is_admin ${integer} not null,
    created_at ${bigint} not null
  ) ${tableEnd}`,
  `create unique index accounts_name on accounts (name_key)`,

  `create table org_members (
    org_id ${text} not null references accounts (id) on delete cascade,
    user_id ${text} not null references accounts (id) on delete cascade,
    role ${text} not null,
    primary key (org_id, user_id)
  ) ${keyedTableEnd}`,
  `create index org_members_user on org_members (user_id)`,

  `create table registries (
    id ${text} primary key,
    org_id ${text} references accounts (id),
    slug ${text} not null,
    slug_key ${text} not null,
    created_at ${bigint} not null
  ) ${tableEnd}`,
  `create unique index registries_slug on registries (org_id, slug_key)`,
  `insert into registries (id, org_id, slug, slug_key, created_at) values ('default', null, '', '', 0)`,

  `create table tokens (
    id ${text} primary key,
    kind ${text} not null,
    account_id ${text} not null references accounts (id) on delete cascade,
    name ${text} not null,
    hash ${text} not null,
    role ${text} not null,
    grants ${text},
    created_at ${bigint} not null,
    expires_at ${bigint},
    last_used_at ${bigint}
  ) ${tableEnd}`,
  `create unique index tokens_hash on tokens (hash)`,
  `create index tokens_account on tokens (account_id)`,

  `create table repos (
    id ${text} primary key,
    registry_id ${text} not null references registries (id),
    owner_id ${text} not null references accounts (id),
    domain_id ${text} not null,
    type ${text} not null,
    namespace ${text} not null,
    namespace_key ${text} not null,
    name ${text} not null,
    name_key ${text} not null,
    private ${integer} not null,
    disabled ${integer} not null,
    default_ref ${text} not null,
    sdk ${text},
    created_by ${text} references accounts (id) on delete set null,
    created_at ${bigint} not null,
    last_modified ${bigint} not null,
    refs_dirty ${integer} not null,
    deleted_at ${bigint}
  ) ${tableEnd}`,
  `create unique index repos_name on repos (registry_id, type, namespace_key, name_key) where deleted_at is null`,
  `create index repos_registry on repos (registry_id, id)`,
  `create index repos_owner on repos (owner_id)`,
  `create index repos_created_by on repos (created_by)`,
  `create index repos_dirty on repos (id) where refs_dirty = 1`,
  `create index repos_deleted on repos (id) where deleted_at is not null`,

  `create table refs (
    repo_id ${text} not null references repos (id) on delete cascade,
    name ${text} not null,
    oid ${text} not null,
    updated_at ${bigint} not null,
    primary key (repo_id, name)
  ) ${keyedTableEnd}`,

  `create table retained_commits (
    repo_id ${text} not null references repos (id) on delete cascade,
    oid ${text} not null,
    reason ${text} not null,
    created_at ${bigint} not null,
    primary key (repo_id, oid, reason)
  ) ${keyedTableEnd}`,

  `create table lfs_objects (
    domain_id ${text} not null,
    oid ${text} not null,
    size_bytes ${bigint} not null,
    created_at ${bigint} not null,
    primary key (domain_id, oid)
  ) ${keyedTableEnd}`,
  `create table repo_lfs_objects (
    repo_id ${text} not null references repos (id) on delete cascade,
    domain_id ${text} not null,
    oid ${text} not null,
    primary key (repo_id, oid),
    foreign key (domain_id, oid) references lfs_objects (domain_id, oid)
  ) ${keyedTableEnd}`,
  `create index repo_lfs_objects_object on repo_lfs_objects (domain_id, oid)`,

  `create table xorbs (
    domain_id ${text} not null,
    hash ${text} not null,
    chunk_count ${integer} not null,
    raw_bytes ${bigint} not null,
    stored_bytes ${bigint} not null,
    chunks ${blob} not null,
    stored_at ${bigint} not null,
    touched_at ${bigint} not null,
    primary key (domain_id, hash)
  ) ${tableEnd}`,

  `create table xet_files (
    domain_id ${text} not null,
    hash ${text} not null,
    size_bytes ${bigint} not null,
    term_count ${integer} not null,
    terms ${blob} not null,
    sha256 ${text},
    sha256_state ${text} not null,
    created_at ${bigint} not null,
    primary key (domain_id, hash)
  ) ${tableEnd}`,
  `create index xet_files_sha256 on xet_files (domain_id, sha256)`,
  `create table xet_file_xorbs (
    domain_id ${text} not null,
    file_hash ${text} not null,
    xorb_hash ${text} not null,
    primary key (domain_id, file_hash, xorb_hash),
    foreign key (domain_id, file_hash) references xet_files (domain_id, hash) on delete cascade,
    foreign key (domain_id, xorb_hash) references xorbs (domain_id, hash)
  ) ${keyedTableEnd}`,
  `create index xet_file_xorbs_xorb on xet_file_xorbs (domain_id, xorb_hash)`,
  `create table repo_xet_files (
    repo_id ${text} not null references repos (id) on delete cascade,
    domain_id ${text} not null,
    hash ${text} not null,
    primary key (repo_id, hash),
    foreign key (domain_id, hash) references xet_files (domain_id, hash)
  ) ${keyedTableEnd}`,
  `create index repo_xet_files_file on repo_xet_files (domain_id, hash)`,

  `create table shards (
    id ${text} primary key,
    domain_id ${text} not null,
    repo_id ${text} not null references repos (id) on delete cascade,
    created_at ${bigint} not null
  ) ${tableEnd}`,
  `create index shards_repo on shards (repo_id)`,
  `create table shard_xorbs (
    shard_id ${text} not null references shards (id) on delete cascade,
    position ${integer} not null,
    domain_id ${text} not null,
    xorb_hash ${text} not null,
    primary key (shard_id, position),
    foreign key (domain_id, xorb_hash) references xorbs (domain_id, hash) on delete cascade
  ) ${keyedTableEnd}`,
  `create index shard_xorbs_xorb on shard_xorbs (domain_id, xorb_hash)`,
  // A chunk is advertised only as long as its xorb is there: both parents take it with them.
  `create table dedup_chunks (
    domain_id ${text} not null,
    chunk_hash ${text} not null,
    created_at ${bigint} not null,
    shard_id ${text} not null references shards (id) on delete cascade,
    xorb_hash ${text} not null,
    primary key (domain_id, chunk_hash, created_at, shard_id),
    foreign key (domain_id, xorb_hash) references xorbs (domain_id, hash) on delete cascade
  ) ${keyedTableEnd}`,
  `create index dedup_chunks_shard on dedup_chunks (shard_id)`,
  `create index dedup_chunks_xorb on dedup_chunks (domain_id, xorb_hash)`,
  `create table dedup_epochs (
    id ${text} primary key,
    key ${blob} not null,
    ends_at ${bigint} not null
  ) ${tableEnd}`,
  `create index dedup_epochs_end on dedup_epochs (ends_at)`,

  // The audit outlives what it speaks of: no foreign keys.
  `create table audit (
    id ${text} primary key,
    at ${bigint} not null,
    actor_id ${text},
    action ${text} not null,
    repo_id ${text},
    subject ${text} not null,
    details ${text} not null
  ) ${tableEnd}`,
  `create index audit_time on audit (at, id)`,
  `create index audit_repo on audit (repo_id, at, id)`,

  `create table outbox (
    id ${serialKey},
    event ${text} not null,
    created_at ${bigint} not null,
    due_at ${bigint},
    attempts ${integer} not null,
    last_error ${text}
  ) ${tableEnd}`,
  `create index outbox_due on outbox (due_at, id) where due_at is not null`,
]
