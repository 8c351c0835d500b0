import type { Kysely } from 'kysely'
/**
 * How the catalog's connections to PostgreSQL are set up, and the single ones that work for longer than a request.
 * Nobody else's tables or functions are in their sight.
 */
import { Client } from 'pg'
import type { ClientConfig } from 'pg'

import { kyselyOnPostgres } from './postgres-driver.ts'
import { meaningOf } from './postgres-errors.ts'
import { writerLock } from './postgres-url.ts'
import type { PostgresPlace } from './postgres-url.ts'
import type { Schema } from './schema.ts'

export function sessionConfig({ connection, schema }: PostgresPlace, readOnly: boolean): ClientConfig {
  const settings = [`search_path=${schema}`, `default_transaction_read_only=${readOnly ? 'on' : 'off'}`]
  return { ...connection, options: settings.map((setting) => `-c ${setting}`).join(' ') }
}

/** Starts a transaction that waits for its turn among the writers of all hubs, and whose commit is on disk. */
export function beginAsWriter({ schema }: PostgresPlace): string {
  // Replication's levels above `on` stay as they are.
  const durable = `select set_config('synchronous_commit', 'on', true) where current_setting('synchronous_commit') = 'off'`
  return `begin; ${durable}; select pg_advisory_xact_lock(${writerLock(schema)})`
}

/** A connection outside any pool, without a limit on what a statement may take. The caller ends it. */
export async function connect(at: PostgresPlace, readOnly: boolean): Promise<Client> {
  const client = new Client({ ...sessionConfig(at, readOnly), statement_timeout: 0, query_timeout: 0 })
  client.on('error', () => {}) // The query that is running says so too.
  try {
    await client.connect()
    return client
  } catch (error) {
    throw meaningOf(error, at.place)
  }
}

/** One transaction on a connection of its own. Disposal without a commit undoes it. */
export interface LoneTransaction extends AsyncDisposable {
  db: Kysely<Schema>
  commit(): Promise<void>
}

/** All rows as they are at one moment; `alone`: with every writer kept out until disposal. */
export function openSnapshot(at: PostgresPlace, alone: boolean): Promise<LoneTransaction> {
  const lock = alone ? [`select pg_advisory_lock(${writerLock(at.schema)})`] : []
  return openTransaction(at, true, [...lock, 'begin isolation level repeatable read'], [])
}

/** The writer's, for as many rows as it takes. */
export function openFilling(at: PostgresPlace): Promise<LoneTransaction> {
  // Rows that came with their numbers do not move the counter on.
  const count = (table: string, column: string) =>
    `select setval(pg_get_serial_sequence('${table}', '${column}'),
      (select coalesce(max(${column}), 0) + 1 from ${table}), false)`
  return openTransaction(at, false, [beginAsWriter(at)], [count('outbox', 'id'), count('repo_index', 'seq')])
}

async function openTransaction(
  at: PostgresPlace,
  readOnly: boolean,
  before: readonly string[],
  after: readonly string[],
): Promise<LoneTransaction> {
  const client = await connect(at, readOnly)
  const run = async (statements: readonly string[]): Promise<void> => {
    try {
      for (const statement of statements) await client.query(statement)
    } catch (error) {
      throw meaningOf(error, at.place)
    }
  }
  try {
    await run(before)
  } catch (error) {
    await client.end()
    throw error
  }
  return {
    db: kyselyOnPostgres(async (query) => {
      try {
        return await client.query(query)
      } catch (error) {
        throw meaningOf(error, at.place)
      }
    }),
    commit: () => run([...after, 'commit']),
    [Symbol.asyncDispose]: () => client.end(),
  }
}
