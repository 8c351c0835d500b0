/** What collection must remember: how old links are, since when nothing names them, and which blobs are about to go. */
import type { Migration } from './migrations.ts'

export const collection: Migration = ({ text, bigint, keyedTableEnd }) => [
  ...['repo_lfs_objects', 'repo_xet_files'].flatMap((links) => [
    `alter table ${links} add column linked_at ${bigint} not null default 0`,
    `alter table ${links} add column unreferenced_at ${bigint}`,
  ]),
  `create index shards_key on shards (domain_id, repo_id, id)`,

  // No foreign keys: also blobs that have no row any more, or never had one.
  `create table doomed_blobs (
    kind ${text} not null,
    domain_id ${text} not null,
    name ${text} not null,
    size_bytes ${bigint} not null,
    doomed_at ${bigint} not null,
    primary key (kind, domain_id, name)
  ) ${keyedTableEnd}`,
]
