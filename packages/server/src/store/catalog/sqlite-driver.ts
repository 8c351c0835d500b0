/**
 * Kysely on one `node:sqlite` handle. Statements are prepared once per SQL text. node:sqlite takes an object as the
 * first parameter for a map of names and silently binds NULL for what is missing, so only plain values pass.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

import { Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely'
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'
import { LRUCache } from 'lru-cache'

import { SQL_STATEMENTS_CACHED_MAX } from '../../limits.ts'
import { UniqueViolationError } from './catalog.ts'
import { uniqueMeaning } from './constraints.ts'
import type { Schema } from './schema.ts'

/** Kysely over a handle that the caller opened and closes. Concurrent queries are safe: each runs to its end at once. */
export function kyselyOnSqlite(handle: DatabaseSync): Kysely<Schema> {
  const connection = new SqliteConnection(handle)
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new SharedConnectionAdapter(),
      createDriver: () => new SqliteDriver(connection),
      createIntrospector: (db) => new SqliteIntrospector(db),
      createQueryCompiler: () => new SqliteQueryCompiler(),
    },
  })
}

class SharedConnectionAdapter extends SqliteAdapter {
  // Without this Kysely puts a mutex around the connection, which a synchronous one does not need.
  override get supportsMultipleConnections(): boolean {
    return true
  }
}

class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection

  constructor(connection: SqliteConnection) {
    this.#connection = connection
  }

  async init(): Promise<void> {}

  acquireConnection(): Promise<DatabaseConnection> {
    return Promise.resolve(this.#connection)
  }

  async releaseConnection(): Promise<void> {}

  beginTransaction(): Promise<void> {
    return Promise.reject(new Error('Transactions belong to Catalog.tx'))
  }

  async commitTransaction(): Promise<void> {}

  async rollbackTransaction(): Promise<void> {}

  async destroy(): Promise<void> {}
}

class SqliteConnection implements DatabaseConnection {
  readonly #handle: DatabaseSync
  readonly #statements = new LRUCache<string, { statement: StatementSync; returnsRows: boolean }>({
    max: SQL_STATEMENTS_CACHED_MAX,
  })

  constructor(handle: DatabaseSync) {
    this.#handle = handle
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const { statement, returnsRows } = this.#prepare(query.sql)
    const parameters = query.parameters.map(toInputValue)
    try {
      if (returnsRows) return { rows: statement.all(...parameters) as R[] }
      // Other databases cannot store it.
      if (parameters.some((value) => typeof value === 'string' && value.includes('\0')))
        throw new TypeError('Text cannot hold NUL')
      return { rows: [], numAffectedRows: BigInt(statement.run(...parameters).changes) }
    } catch (error) {
      throw meaningOf(error)
    }
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('The catalog does not stream rows')
  }

  #prepare(sql: string): { statement: StatementSync; returnsRows: boolean } {
    let prepared = this.#statements.get(sql)
    if (prepared === undefined) {
      const statement = this.#handle.prepare(sql)
      prepared = { statement, returnsRows: statement.columns().length > 0 }
      this.#statements.set(sql, prepared)
    }
    return prepared
  }
}

function toInputValue(value: unknown): SQLInputValue {
  if (typeof value === 'string' || value === null || value instanceof Uint8Array) return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'boolean') return value ? 1 : 0
  throw new TypeError(`SQLite cannot bind a value of type ${typeof value}`)
}

/** SQLITE_CONSTRAINT_UNIQUE; a repeated primary key has another code and stays an error of the caller. */
const UNIQUE_VIOLATION = 2067

function meaningOf(error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error) || error.errcode !== UNIQUE_VIOLATION) return error
  const table = /^UNIQUE constraint failed: (\w+)\./.exec(error.message)?.[1]
  const what = uniqueMeaning(table)
  return what === null ? error : new UniqueViolationError(what, { cause: error })
}
