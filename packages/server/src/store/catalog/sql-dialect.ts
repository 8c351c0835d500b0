/**
 * What differs between the databases behind the catalog. Everything else, migrations included, is SQL that both
 * SQLite and PostgreSQL read the same way: flags are the integers 0 and 1, times are milliseconds in a `bigint`,
 * uniqueness without regard to case is a lower-case `…_key` column, conditional uniqueness a partial index.
 */
export interface SqlDialect {
  /** Compares and sorts by code point on every database. */
  text: string
  integer: string
  bigint: string
  blob: string
  /** Type and constraints of a primary key that counts by itself. */
  serialKey: string
  /** Stands after the closing bracket of `create table`. */
  tableEnd: string
  /** The same for a table of small rows that is only ever reached through its primary key. */
  keyedTableEnd: string
  /** Statements that make `repo_index.search_text` searchable by any part of it (search.ts). */
  searchIndex: readonly string[]
}

/** Key under which names are compared without regard to case. */
export function nameKey(name: string): string {
  return name.toLowerCase()
}

/** Text from a card or a query as both engines take it: PostgreSQL stores no NUL, and neither half a character. */
export function storable(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd')
}

/** A flag as it is stored. */
export type Flag = 0 | 1

export function flag(value: boolean): Flag {
  return value ? 1 : 0
}
