/** Names that repositories had before, domains that their contents came from, and likes. */
import type { Migration } from './migrations.ts'

export const lifecycle: Migration = ({ text, bigint, keyedTableEnd }) => [
  `alter table repos add column lfs_multipart_above_bytes ${bigint}`,
  `create index repos_deleted_at on repos (deleted_at, id) where deleted_at is not null`,

  `create table repo_old_names (
    registry_id ${text} not null references registries (id) on delete cascade,
    type ${text} not null,
    namespace_key ${text} not null,
    name_key ${text} not null,
    repo_id ${text} not null references repos (id) on delete cascade,
    created_at ${bigint} not null,
    primary key (registry_id, type, namespace_key, name_key)
  ) ${keyedTableEnd}`,
  `create index repo_old_names_repo on repo_old_names (repo_id, created_at)`,

  // Domains besides its own in which a repository has contents: those of earlier owners and of what it is a copy of.
  `create table repo_domains (
    repo_id ${text} not null references repos (id) on delete cascade,
    domain_id ${text} not null,
    primary key (repo_id, domain_id)
  ) ${keyedTableEnd}`,

  `create table likes (
    user_id ${text} not null references accounts (id) on delete cascade,
    repo_id ${text} not null references repos (id) on delete cascade,
    created_at ${bigint} not null,
    primary key (user_id, repo_id)
  ) ${keyedTableEnd}`,
  `create index likes_repo on likes (repo_id, created_at, user_id)`,
  `create index likes_user on likes (user_id, created_at, repo_id)`,
]
