/** Quotas, and the measured sizes of git repositories, which change with every commit and so stand by themselves. */
import type { Migration } from './migrations.ts'

export const quotas: Migration = ({ text, bigint, keyedTableEnd }) => [
  `create table account_quotas (
    account_id ${text} not null primary key references accounts (id) on delete cascade,
    bytes ${bigint}
  ) ${keyedTableEnd}`,
  `create table repo_quotas (
    repo_id ${text} not null primary key references repos (id) on delete cascade,
    bytes ${bigint}
  ) ${keyedTableEnd}`,
  `create table repo_git_sizes (
    repo_id ${text} not null primary key references repos (id) on delete cascade,
    bytes ${bigint} not null
  ) ${keyedTableEnd}`,
]
