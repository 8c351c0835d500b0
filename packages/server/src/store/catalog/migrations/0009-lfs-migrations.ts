/** LFS objects that are to be stored as Xet files, and those that were and are kept for a while. */
import type { Migration } from './migrations.ts'

export const lfsMigrations: Migration = ({ text, integer, bigint, keyedTableEnd }) => [
  `create table lfs_migrations (
    domain_id ${text} not null,
    oid ${text} not null,
    received_at ${bigint} not null,
    not_before ${bigint} not null,
    attempts ${integer} not null,
    replaced_at ${bigint},
    xet_hash ${text},
    primary key (domain_id, oid),
    foreign key (domain_id, oid) references lfs_objects (domain_id, oid) on delete cascade
  ) ${keyedTableEnd}`,
  `create index lfs_migrations_waiting on lfs_migrations (received_at) where replaced_at is null`,
  `create index lfs_migrations_replaced on lfs_migrations (replaced_at) where replaced_at is not null`,
  `insert into lfs_migrations (domain_id, oid, received_at, not_before, attempts)
    select domain_id, oid, created_at, 0, 0 from lfs_objects where size_bytes >= 1048576`,
]
