/**
 * Kysely on whatever runs one query on PostgreSQL. Only plain values pass, and what comes back has the types that
 * SQLite gives: `bigint` as a safe integer, `bytea` as a Uint8Array. Queries that come again are prepared by name.
 */
import { randomUUID } from 'node:crypto'

import { Kysely, PostgresAdapter, PostgresIntrospector, PostgresQueryCompiler } from 'kysely'
import type { CompiledQuery, DatabaseConnection, Driver, QueryResult } from 'kysely'
import { types } from 'pg'
import type { CustomTypesConfig, QueryConfig, QueryResult as PgResult } from 'pg'

import type { Schema } from './schema.ts'

/** Runs one query to its end; rejects with the catalog's own errors. */
export type RunQuery = (query: QueryConfig) => Promise<Pick<PgResult, 'command' | 'rowCount' | 'rows'>>

/** `run` must bear concurrent calls. The caller opens and closes what is behind it. */
export function kyselyOnPostgres(run: RunQuery): Kysely<Schema> {
  const connection = new PostgresConnection(run)
  return new Kysely<Schema>({
    dialect: {
      createAdapter: () => new PostgresAdapter(),
      createDriver: () => new PostgresDriver(connection),
      createIntrospector: (db) => new PostgresIntrospector(db),
      createQueryCompiler: () => new PostgresQueryCompiler(),
    },
  })
}

class PostgresDriver implements Driver {
  readonly #connection: PostgresConnection

  constructor(connection: PostgresConnection) {
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

let statementsNamed = 0

class PostgresConnection implements DatabaseConnection {
  readonly #run: RunQuery
  /**
   * Null after the first run, a name from the second on. `prepared` runs the same compiled query again and again; a
   * query that is built for one call never comes twice, so the server keeps no statement for it.
   */
  readonly #names = new WeakMap<object, string | null>()

  constructor(run: RunQuery) {
    this.#run = run
  }

  async executeQuery<R>(compiled: CompiledQuery): Promise<QueryResult<R>> {
    const name = this.#nameOf(compiled.query)
    const toValue = compiled.query.kind === 'SelectQueryNode' ? toSoughtValue : toInputValue
    const values = compiled.parameters.map(toValue)
    const { command, rowCount, rows } = await this.#run({
      text: compiled.sql,
      values,
      types: TYPES,
      ...(name !== null && { name }),
    })
    return command === 'SELECT' ? { rows } : { rows, numAffectedRows: BigInt(rowCount ?? 0) }
  }

  streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error('The catalog does not stream rows')
  }

  #nameOf(query: object): string | null {
    const known = this.#names.get(query)
    if (known === undefined) {
      this.#names.set(query, null)
      return null
    }
    const name = known ?? `cairn_${(statementsNamed += 1)}`
    this.#names.set(query, name)
    return name
  }
}

/** No text in the database: nobody can know it to store it. */
const NOWHERE = randomUUID()

/** PostgreSQL stores no NUL and refuses to look for it; what is asked for with one is simply not there. */
function toSoughtValue(value: unknown): unknown {
  return typeof value === 'string' && value.includes('\0') ? NOWHERE : toInputValue(value)
}

function toInputValue(value: unknown): unknown {
  if (typeof value === 'string' && value.includes('\0')) throw new TypeError('Text cannot hold NUL')
  if (typeof value === 'string' || value === null || value instanceof Uint8Array) return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  if (typeof value === 'boolean') return value ? 1 : 0
  throw new TypeError(`PostgreSQL cannot bind a value of type ${typeof value}`)
}

const parseBytea = types.getTypeParser(types.builtins.BYTEA) as (text: string) => Buffer

const TYPES: CustomTypesConfig = {
  getTypeParser(oid, format) {
    if (format !== 'binary' && oid === types.builtins.INT8) return parseSafeInteger
    if (format !== 'binary' && oid === types.builtins.BYTEA) return parseBytes
    return types.getTypeParser(oid, format)
  },
}

function parseSafeInteger(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new RangeError('The database holds an integer above 2^53')
  return value
}

function parseBytes(text: string): Uint8Array {
  const { buffer, byteOffset, byteLength } = parseBytea(text)
  return new Uint8Array(buffer, byteOffset, byteLength)
}
