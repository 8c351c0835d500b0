/**
 * The two ends of a copy: a catalog that is only read, in one snapshot, and one that is filled in one transaction.
 * While an end is open no hub writes to it, unless the source is said to be serving.
 */
import { existsSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

import type { Kysely } from 'kysely'

import { SQL_LOCK_WAIT_MS } from '../../limits.ts'
import { MIGRATIONS } from './migrations/migrations.ts'
import type { PostgresPlace } from './postgres-url.ts'
import type { Schema } from './schema.ts'
import { kyselyOnSqlite } from './sqlite-driver.ts'
import { assertCurrent, prepareFile, readOnlyLocation } from './sqlite-file.ts'

export type CatalogLocation =
  | { kind: 'sqlite'; path: string }
  | { kind: 'postgres'; url: string }
  /** A source only: hubs go on writing to it while it is read. */
  | { kind: 'serving'; at: PostgresPlace }

/** The copy cannot be made, or is not what the source is. Nothing of it is in the target. */
export class CopyError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'CopyError'
  }
}

export interface CopyEnd extends AsyncDisposable {
  db: Kysely<Schema>
  /** For people. */
  place: string
  /** Without it, disposal leaves a target as it was. */
  commit(): Promise<void>
}

/**
 * A source has to be there and to have this hub's schema; it is not written to. A target is made when it is missing.
 * Throws `CopyError`, `SchemaVersionError` and `CatalogUnavailableError` as the engines do.
 */
export async function openEnd(location: CatalogLocation, role: 'source' | 'target'): Promise<CopyEnd> {
  if (location.kind === 'sqlite') return openFile(location.path, role)
  if (location.kind === 'serving') {
    const { openSnapshot } = await import('./postgres-session.ts')
    return { ...(await openSnapshot(location.at, false)), place: location.at.place }
  }
  const { parsePostgresUrl } = await import('./postgres-url.ts')
  return openSchema(parsePostgresUrl(location.url), role)
}

async function openFile(path: string, role: 'source' | 'target'): Promise<CopyEnd> {
  const isSource = role === 'source'
  if (isSource && !existsSync(path)) throw new CopyError(`There is no catalog at ${path}`)
  if (isSource) await assertCurrent(path, MIGRATIONS)
  else await prepareFile(path, MIGRATIONS, false)
  const handle = new DatabaseSync(isSource ? readOnlyLocation(path) : path, {
    readOnly: isSource,
    timeout: SQL_LOCK_WAIT_MS,
    enableForeignKeyConstraints: true,
  })
  if (!isSource) handle.exec('pragma synchronous = full')
  handle.exec(isSource ? 'begin' : 'begin immediate')
  return {
    db: kyselyOnSqlite(handle),
    place: path,
    commit: async () => handle.exec('commit'),
    [Symbol.asyncDispose]: async () => handle.close(),
  }
}

async function openSchema(at: PostgresPlace, role: 'source' | 'target'): Promise<CopyEnd> {
  const { prepareSchema } = await import('./postgres-database.ts')
  const { openFilling, openSnapshot } = await import('./postgres-session.ts')
  const isSource = role === 'source'
  if (!(await prepareSchema(at, MIGRATIONS, isSource ? 'look' : 'create')))
    throw new CopyError(`There is no catalog in the database ${at.place}`)
  return { ...(await (isSource ? openSnapshot(at, true) : openFilling(at))), place: at.place }
}
