/** Files that git-lfs users keep to themselves for a while. */
import type { Migration } from './migrations.ts'

export const lfsLocks: Migration = ({ text, bigint, keyedTableEnd }) => [
  `create table lfs_locks (
    id ${text} not null primary key,
    repo_id ${text} not null references repos (id) on delete cascade,
    path ${text} not null,
    owner_id ${text} not null references accounts (id) on delete cascade,
    locked_at ${bigint} not null
  ) ${keyedTableEnd}`,
  `create unique index lfs_locks_path on lfs_locks (repo_id, path)`,
  `create index lfs_locks_repo on lfs_locks (repo_id, id)`,
  `create index lfs_locks_owner on lfs_locks (owner_id)`,
]
