/**
 * What lists and searches need of each repository. Counts, sort keys and searchable text are apart from the facts,
 * so that sorting reads narrow rows. Repositories that are there already are indexed by their events.
 */
import type { Migration } from './migrations.ts'

export const repoIndex: Migration = ({ text, bigint, serialKey, tableEnd, keyedTableEnd, searchIndex }) => [
  `create table repo_index (
    seq ${serialKey},
    repo_id ${text} not null references repos (id) on delete cascade,
    registry_id ${text} not null,
    type ${text} not null,
    likes ${bigint} not null default 0,
    downloads ${bigint} not null default 0,
    downloads_all_time ${bigint} not null default 0,
    trending ${bigint} not null default 0,
    pipeline_tag ${text},
    num_parameters ${bigint},
    search_text ${text} not null
  ) ${tableEnd}`,
  `create unique index repo_index_repo on repo_index (repo_id)`,
  `create index repo_index_likes on repo_index (registry_id, type, likes, repo_id)`,
  `create index repo_index_downloads on repo_index (registry_id, type, downloads, repo_id)`,
  `create index repo_index_trending on repo_index (registry_id, type, trending, repo_id)`,
  `create index repos_created on repos (registry_id, type, created_at, id)`,
  `create index repos_modified on repos (registry_id, type, last_modified, id)`,
  `create index repos_namespace on repos (registry_id, type, namespace_key)`,

  `create table repo_facts (
    repo_id ${text} primary key references repos (id) on delete cascade,
    commit_oid ${text} not null,
    facts ${text} not null,
    files ${text}
  ) ${tableEnd}`,

  `create table repo_tags (
    repo_id ${text} not null references repos (id) on delete cascade,
    tag_key ${text} not null,
    tag ${text} not null,
    primary key (repo_id, tag_key)
  ) ${keyedTableEnd}`,
  `create index repo_tags_tag on repo_tags (tag_key, repo_id)`,

  `create table repo_links (
    repo_id ${text} not null references repos (id) on delete cascade,
    kind ${text} not null,
    target_key ${text} not null,
    primary key (repo_id, kind, target_key)
  ) ${keyedTableEnd}`,
  `create index repo_links_target on repo_links (kind, target_key, repo_id)`,

  ...searchIndex,

  `insert into repo_index (repo_id, registry_id, type, search_text)
    select id, registry_id, type, namespace_key || '/' || name_key from repos order by id`,
  `insert into outbox (event, created_at, due_at, attempts)
    select '{"type":"repo.created","repoId":"' || id || '"}', 0, 0, 0 from repos where deleted_at is null order by id`,
]
