/**
 * The shared catalog: one schema of a PostgreSQL database. A transaction holds an advisory lock of its schema from
 * its beginning to its end, so that all hubs on it together have one writer, as a SQLite file has: what a transaction
 * checked stays true until it commits, nothing deadlocks and no work runs twice. Reads use connections of their own
 * that cannot write. A commit whose connection breaks may have happened: its caller is told so.
 */
import { Pool } from 'pg'
import type { PoolClient } from 'pg'

import { POSTGRES_IDLE_MS, POSTGRES_READERS_MAX, POSTGRES_TRANSACTION_IDLE_MS } from '../../limits.ts'
import { CatalogUnavailableError } from './catalog.ts'
import type { Catalog, CatalogRows } from './catalog.ts'
import { MIGRATIONS } from './migrations/migrations.ts'
import type { Migration } from './migrations/migrations.ts'
import { prepareSchema } from './postgres-database.ts'
import { kyselyOnPostgres } from './postgres-driver.ts'
import type { RunQuery } from './postgres-driver.ts'
import { meaningOf } from './postgres-errors.ts'
import { beginAsWriter, sessionConfig } from './postgres-session.ts'
import { parsePostgresUrl } from './postgres-url.ts'
import type { PostgresPlace } from './postgres-url.ts'
import { insertEvents } from './queries/outbox.ts'
import { catalogRows } from './queries/rows.ts'
import { postgresSearch } from './search.ts'
import { runTransaction } from './transaction.ts'
import type { Session, Work } from './transaction.ts'
import { WriterQueue } from './writer-queue.ts'

export interface PostgresCatalogOptions {
  url: string
  /** Wins over the URL's. */
  schema?: string
  /** Brings an older schema forward; without it an older one is refused like a newer one. */
  migrate?: boolean
  clock?: () => number
  /** For tests of schema changes. */
  migrations?: readonly Migration[]
}

/**
 * Makes schema and tables when there are none. Throws `SchemaVersionError`, with nothing written, when they are not
 * for this hub, and `CatalogUnavailableError` when the server cannot be used.
 */
export async function openPostgresCatalog({
  url,
  schema,
  migrate = false,
  clock = Date.now,
  migrations = MIGRATIONS,
}: PostgresCatalogOptions): Promise<Catalog> {
  const parsed = parsePostgresUrl(url)
  const at = schema === undefined ? parsed : { ...parsed, schema }
  await prepareSchema(at, migrations, migrate ? 'migrate' : 'create')
  return new PostgresCatalog(at, clock)
}

class PostgresCatalog implements Catalog {
  readonly rows: CatalogRows
  readonly epoch = null
  readonly #at: PostgresPlace
  readonly #readers: Pool
  readonly #writer: PostgresWriter
  readonly #session: Session
  readonly #queue = new WriterQueue()
  #closed = false

  constructor(at: PostgresPlace, clock: () => number) {
    this.#at = at
    this.#readers = openPool(at, true, POSTGRES_READERS_MAX)
    this.#writer = new PostgresWriter(at)
    this.#session = postgresSession(this.#writer, clock)
    const read: RunQuery = async (query) => {
      if (this.#closed) throw new Error('The catalog is closed')
      try {
        return await this.#readers.query(query)
      } catch (error) {
        throw meaningOf(error, at.place)
      }
    }
    this.rows = catalogRows(kyselyOnPostgres(read), postgresSearch)
  }

  tx<T>(work: Work<T>): Promise<T> {
    return this.#queue.run(() => runTransaction(this.#session, work))
  }

  async copyTo(path: string): Promise<void> {
    const { copyCatalog } = await import('./copy.ts')
    await copyCatalog({ from: { kind: 'serving', at: this.#at }, to: { kind: 'sqlite', path } })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!(await this.#queue.close())) return
    this.#closed = true
    await Promise.all([this.#readers.end(), this.#writer.close()])
  }
}

/** One connection at a time, replaced when it breaks, and the transaction that runs on it. */
class PostgresWriter {
  readonly #pool: Pool
  readonly #at: PostgresPlace
  #client: PoolClient | null = null
  #last: Promise<unknown> = Promise.resolve()

  constructor(at: PostgresPlace) {
    this.#at = at
    this.#pool = openPool(at, false, 1)
  }

  async begin(): Promise<void> {
    let client: PoolClient | undefined
    try {
      client = await this.#pool.connect()
      await client.query(beginAsWriter(this.#at))
    } catch (error) {
      client?.release(true)
      throw meaningOf(error, this.#at.place)
    }
    this.#client = client
  }

  /** One after another: pg wants a connection's queries one at a time. */
  readonly query: RunQuery = (query) => {
    const result = this.#last.then(() => this.#run(query))
    this.#last = result.catch(() => {}) // Its caller gets the error.
    return result
  }

  async commit(): Promise<void> {
    const client = this.#client!
    let command: string
    try {
      ;({ command } = await client.query('commit'))
    } catch (error) {
      const meaning = meaningOf(error, this.#at.place)
      if (!(meaning instanceof CatalogUnavailableError)) throw meaning
      const reason = `${meaning.reason} while it committed: whether it did is not known`
      throw new CatalogUnavailableError(this.#at.place, reason, { cause: error })
    }
    // PostgreSQL answers so when a statement had failed.
    if (command !== 'COMMIT') throw new Error('The database rolled the transaction back')
    this.#client = null
    client.release()
  }

  async rollback(): Promise<void> {
    const client = this.#client!
    this.#client = null
    try {
      await client.query('rollback')
      client.release()
    } catch {
      // The transaction ends with its connection; the caller gets the error that came before.
      client.release(true)
    }
  }

  async close(): Promise<void> {
    await this.#pool.end()
  }

  async #run(query: Parameters<RunQuery>[0]): ReturnType<RunQuery> {
    if (this.#client === null) throw new Error('There is no transaction')
    try {
      return await this.#client.query(query)
    } catch (error) {
      throw meaningOf(error, this.#at.place)
    }
  }
}

function openPool(at: PostgresPlace, readOnly: boolean, max: number): Pool {
  const pool = new Pool({
    ...sessionConfig(at, readOnly),
    max,
    idleTimeoutMillis: POSTGRES_IDLE_MS,
    idle_in_transaction_session_timeout: POSTGRES_TRANSACTION_IDLE_MS,
  })
  // Without listeners a connection that breaks ends the process. The pool drops it, and whoever uses it hears of it.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  return pool
}

function postgresSession(writer: PostgresWriter, clock: () => number): Session {
  const db = kyselyOnPostgres(writer.query)
  return {
    rows: catalogRows(db, postgresSearch),
    begin: () => writer.begin(),
    insertEvents: (events) => insertEvents(db, events, clock()),
    commit: () => writer.commit(),
    rollback: () => writer.rollback(),
  }
}
