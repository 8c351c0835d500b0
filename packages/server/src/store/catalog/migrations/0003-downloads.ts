/** Downloads by day, and an index for reading the audit by who acted. Days count from 1970-01-01, in UTC. */
import type { Migration } from './migrations.ts'

export const downloads: Migration = ({ text, integer, bigint, keyedTableEnd }) => [
  `create table downloads_daily (
    repo_id ${text} not null references repos (id) on delete cascade,
    day ${integer} not null,
    count ${bigint} not null,
    primary key (repo_id, day)
  ) ${keyedTableEnd}`,
  `create index audit_actor on audit (actor_id, at, id)`,
]
