/**
 * Substring search, the same on both engines. What is searched is one text for each repository, `repo_index.search_text`:
 * `namespace/name`, a line feed, and the card's text, in lower case. A repository matches when the text holds every
 * word of the search somewhere. SQLite finds words of three characters and more in an FTS5 index of trigrams, PostgreSQL
 * in a GIN index of them (pg_trgm); both compare the characters themselves, so the results are the same.
 */
import { sql } from 'kysely'
import type { Kysely, RawBuilder, SqlBool } from 'kysely'

import { INDEXED_MATCHES_MAX, SEARCH_TEXT_LENGTH_MAX } from '../../limits.ts'
import type { Schema } from './schema.ts'

export interface SearchSql {
  /** Conditions on `repo_index`, called `i`, that hold where its text has all words. Words are not empty. */
  conditions(db: Kysely<Schema>, words: readonly string[]): Promise<RawBuilder<SqlBool>[]>
}

/** As it is stored and as words are given: lower case, composed, no control characters. */
export function searchText(name: string, text: string): string {
  return foldText(`${name}\n${text}`).slice(0, SEARCH_TEXT_LENGTH_MAX).toWellFormed()
}

export function foldText(text: string): string {
  return text
    .toWellFormed()
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\P{Cc}\n]+/gu, ' ')
}

/** The triggers keep the index right whoever writes: the index job, a copy of a database, a cascading delete. */
export const SQLITE_SEARCH_INDEX: readonly string[] = [
  `create virtual table repo_search using fts5 (
    search_text, content = 'repo_index', content_rowid = 'seq', tokenize = 'trigram case_sensitive 1'
  )`,
  `create trigger repo_search_insert after insert on repo_index begin
    insert into repo_search (rowid, search_text) values (new.seq, new.search_text);
  end`,
  `create trigger repo_search_delete after delete on repo_index begin
    insert into repo_search (repo_search, rowid, search_text) values ('delete', old.seq, old.search_text);
  end`,
  `create trigger repo_search_update after update of search_text on repo_index begin
    insert into repo_search (repo_search, rowid, search_text) values ('delete', old.seq, old.search_text);
    insert into repo_search (rowid, search_text) values (new.seq, new.search_text);
  end`,
]

/**
 * An extension belongs to the database, not to the schema, and several hubs may make it at once. Without the right to
 * make it, or without it on the machine, searches read every row: slower, with the same results.
 */
export const POSTGRES_SEARCH_INDEX: readonly string[] = [
  `do $$ begin
    create extension if not exists pg_trgm with schema public;
  exception
    when unique_violation or duplicate_object then null;
    when insufficient_privilege or undefined_file or invalid_schema_name or feature_not_supported then
      raise warning 'pg_trgm cannot be made: searches will read every row';
  end $$`,
  `do $$ declare place text; begin
    select n.nspname into place from pg_extension e join pg_namespace n on n.oid = e.extnamespace
      where e.extname = 'pg_trgm';
    if place is not null then
      execute format('create index repo_index_search on repo_index using gin (search_text %I.gin_trgm_ops)', place);
    end if;
  end $$`,
]

const TRIGRAM_LENGTH = 3

export const sqliteSearch: SearchSql = {
  async conditions(db, words) {
    const scan = (list: readonly string[]) =>
      list.map((word) => sql<SqlBool>`instr(i.search_text, ${word}) > 0`)
    const long = words.filter((word) => Array.from(word).length >= TRIGRAM_LENGTH)
    if (long.length === 0) return scan(words)
    const query = long.map((word) => `"${word.replaceAll('"', '""')}"`).join(' AND ')
    const found = sql`select rowid from repo_search where repo_search match ${query}`
    // Of what matches often a page is full soon when rows are read in their order; sorting all matches would take longer.
    const probe = sql<{
      n: number
    }>`select count(*) as n from (${found} limit ${INDEXED_MATCHES_MAX + 1})`
    if (((await probe.execute(db)).rows[0]?.n ?? 0) > INDEXED_MATCHES_MAX) return scan(words)
    const short = words.filter((word) => !long.includes(word))
    return [sql<SqlBool>`i.seq in (${found})`, ...scan(short)]
  },
}

export const postgresSearch: SearchSql = {
  conditions: async (_, words) =>
    words.map(
      (word) => sql<SqlBool>`i.search_text like ${`%${word.replace(/[\\%_]/g, '\\$&')}%`} escape '\\'`,
    ),
}
