/**
 * What a repository claims a Xet file's sha256 to be is the link's; the file keeps only what the hub has computed. And
 * which contents followed one another at a path, for deduplication.
 */
import type { Migration } from './migrations.ts'

export const xetClaims: Migration = ({ text, bigint, keyedTableEnd }) => [
  `alter table repo_xet_files add column sha256 ${text}`,
  `update repo_xet_files set sha256 = (
    select file.sha256 from xet_files as file
      where file.domain_id = repo_xet_files.domain_id and file.hash = repo_xet_files.hash
  )`,
  // A claim that was found false says nothing of what is true: such a file is read once more.
  `insert into outbox (event, created_at, due_at, attempts)
    select '{"type":"xet.file-registered","repoId":"' || link.repo_id || '","domainId":"' || link.domain_id
        || '","hash":"' || link.hash || '"}', 0, 0, 0
      from repo_xet_files as link join xet_files as file
        on file.domain_id = link.domain_id and file.hash = link.hash
      where file.sha256_state = 'mismatch'`,
  `update xet_files set sha256 = null where sha256_state <> 'verified'`,
  `alter table xet_files drop column sha256_state`,
  `drop index xet_files_sha256`,
  `create index xet_files_sha256 on xet_files (sha256, domain_id)`,
  `create index repo_xet_files_sha256 on repo_xet_files (repo_id, sha256)`,
  // Every link names its domain, and a look-up by sha256 no longer asks domain by domain.
  `drop table repo_domains`,

  `create table path_versions (
    repo_id ${text} not null references repos (id) on delete cascade,
    path_key ${text} not null,
    oid ${text} not null,
    landed_at ${bigint} not null,
    primary key (repo_id, path_key, oid)
  ) ${keyedTableEnd}`,
  `create index path_versions_oid on path_versions (repo_id, oid)`,
]
