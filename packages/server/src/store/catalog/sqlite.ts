/**
 * The embedded catalog: one SQLite file, one handle that writes and one that reads. Transactions run one after
 * another in the order they were asked for; reads never wait for them.
 */
import { open } from 'node:fs/promises'
import { backup, DatabaseSync } from 'node:sqlite'
import { setImmediate } from 'node:timers/promises'

import type { Kysely } from 'kysely'

import {
  SQL_LOCK_WAIT_MS,
  SQLITE_CACHE_MAX_BYTES,
  SQLITE_WAL_KEPT_MAX_BYTES,
  TRANSACTION_BURST_MS,
} from '../../limits.ts'
import type { Catalog, CatalogRows } from './catalog.ts'
import { MIGRATIONS } from './migrations/migrations.ts'
import type { Migration } from './migrations/migrations.ts'
import { insertEvents } from './queries/outbox.ts'
import { remember, RowMemory } from './queries/row-memory.ts'
import { catalogRows } from './queries/rows.ts'
import type { Schema } from './schema.ts'
import { sqliteSearch } from './search.ts'
import { kyselyOnSqlite } from './sqlite-driver.ts'
import { prepareFile } from './sqlite-file.ts'
import { runTransaction } from './transaction.ts'
import type { Session, Work } from './transaction.ts'
import { WriterQueue } from './writer-queue.ts'

export interface SqliteCatalogOptions {
  path: string
  /** Brings an older schema forward; without it an older one is refused like a newer one. */
  migrate?: boolean
  clock?: () => number
  /** For tests of schema changes. */
  migrations?: readonly Migration[]
}

/** Creates the file when there is none. Throws `SchemaVersionError`, with nothing written, when it is not for this hub. */
export async function openSqliteCatalog({
  path,
  migrate = false,
  clock = Date.now,
  migrations = MIGRATIONS,
}: SqliteCatalogOptions): Promise<Catalog> {
  await prepareFile(path, migrations, migrate)
  const writer = openHandle(path, false)
  const reader = openHandle(path, true)
  return new SqliteCatalog(path, writer, reader, clock)
}

function openHandle(path: string, readOnly: boolean): DatabaseSync {
  const handle = new DatabaseSync(path, {
    readOnly,
    timeout: SQL_LOCK_WAIT_MS,
    enableForeignKeyConstraints: true,
  })
  handle.exec(`pragma cache_size = ${-SQLITE_CACHE_MAX_BYTES / 1024}`)
  if (!readOnly) {
    handle.exec('pragma synchronous = full')
    handle.exec(`pragma journal_size_limit = ${SQLITE_WAL_KEPT_MAX_BYTES}`)
  }
  return handle
}

const ALL_PAGES = 2 ** 31 - 1

class SqliteCatalog implements Catalog {
  readonly rows: CatalogRows
  readonly #path: string
  readonly #writer: DatabaseSync
  readonly #reader: DatabaseSync
  readonly #session: Session
  readonly #memory = new RowMemory()
  readonly #queue = new WriterQueue()
  #yieldedAt = performance.now()

  constructor(path: string, writer: DatabaseSync, reader: DatabaseSync, clock: () => number) {
    this.#path = path
    this.#writer = writer
    this.#reader = reader
    const reading = kyselyOnSqlite(reader)
    remember(reading, this.#memory)
    this.rows = catalogRows(reading, sqliteSearch)
    this.#session = sqliteSession(writer, kyselyOnSqlite(writer), clock, this.#memory)
  }

  get epoch(): number {
    return this.#memory.epoch
  }

  tx<T>(work: Work<T>): Promise<T> {
    return this.#queue.run(async () => {
      if (performance.now() - this.#yieldedAt > TRANSACTION_BURST_MS) {
        await setImmediate()
        this.#yieldedAt = performance.now()
      }
      return runTransaction(this.#session, work)
    })
  }

  async copyTo(path: string): Promise<void> {
    const handle = openHandle(this.#path, true)
    try {
      // In one piece, on a thread of its own: a copy in several would begin anew after each write in between.
      await backup(handle, path, { rate: ALL_PAGES })
    } finally {
      handle.close()
    }
    await using file = await open(path, 'r')
    await file.sync()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!(await this.#queue.close())) return
    this.#reader.close()
    this.#writer.close()
  }
}

function sqliteSession(
  handle: DatabaseSync,
  db: Kysely<Schema>,
  clock: () => number,
  memory: RowMemory,
): Session {
  return {
    rows: catalogRows(db, sqliteSearch),
    begin: async () => handle.exec('begin immediate'),
    insertEvents: (events) => insertEvents(db, events, clock()),
    async commit() {
      handle.exec('commit')
      // One process owns the file and writes to it here only, so nothing else makes an answer untrue.
      memory.forget()
    },
    rollback: async () => {
      // A full disk or an I/O error makes SQLite roll back by itself.
      if (handle.isTransaction) handle.exec('rollback')
    },
  }
}
