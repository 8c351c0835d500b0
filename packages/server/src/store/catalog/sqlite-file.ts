/**
 * The database file before it is opened for writing: is it there, is it ours, which schema has it. Looking leaves
 * no trace. A new file is built under another name and appears complete or not at all.
 */
import { closeSync, existsSync, fsyncSync, openSync, readSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'

import { SQL_LOCK_WAIT_MS } from '../../limits.ts'
import { SchemaVersionError } from './catalog.ts'
import { migrateFrom, readSchemaVersion } from './migrations/migrations.ts'
import type { Migration } from './migrations/migrations.ts'
import { SQLITE_SEARCH_INDEX } from './search.ts'
import type { SqlDialect } from './sql-dialect.ts'
import { kyselyOnSqlite } from './sqlite-driver.ts'

/** `strict` makes SQLite as particular about types as PostgreSQL. */
const SQLITE: SqlDialect = {
  text: 'text',
  integer: 'integer',
  bigint: 'integer',
  blob: 'blob',
  serialKey: 'integer primary key autoincrement',
  tableEnd: 'strict',
  keyedTableEnd: 'strict, without rowid',
  searchIndex: SQLITE_SEARCH_INDEX,
}

/** 'CRN1' at offset 68 of the file: the sign that a hub made it. */
const APPLICATION_ID = 0x43524e31
const APPLICATION_ID_OFFSET = 68
const HEADER_BYTES = 100
const MAGIC = 'SQLite format 3\0'

/** Makes sure that `path` is a catalog with the schema that `migrations` lead to. */
export async function prepareFile(
  path: string,
  migrations: readonly Migration[],
  migrate: boolean,
): Promise<void> {
  const expected = String(migrations.length)
  if (sizeOf(path) === 0) {
    // Another database's log would be replayed into the new one.
    if (sizeOf(`${path}-wal`) > 0) throw new Error(`${path} is missing, but its write-ahead log is there`)
    await createFile(path, migrations)
    return
  }
  const found = await inspectFile(path)
  if (found === expected) return
  if (!migrate || !/^[1-9]\d{0,8}$/.test(found) || Number(found) > migrations.length) {
    throw new SchemaVersionError(found, expected)
  }
  await migrateFile(path, migrations)
}

/** Throws `SchemaVersionError` unless the file is a catalog with just this schema. Changes nothing. */
export async function assertCurrent(path: string, migrations: readonly Migration[]): Promise<void> {
  const expected = String(migrations.length)
  const found = await inspectFile(path)
  if (found !== expected) throw new SchemaVersionError(found, expected)
}

async function createFile(path: string, migrations: readonly Migration[]): Promise<void> {
  const draft = `${path}.new`
  for (const suffix of ['', '-journal', '-wal', '-shm']) rmSync(draft + suffix, { force: true })
  closeSync(openSync(draft, 'wx', 0o600)) // SQLite gives its side files the same mode.
  const handle = new DatabaseSync(draft)
  try {
    handle.exec(`pragma application_id = ${APPLICATION_ID}`)
    handle.exec('begin')
    await migrateFrom(kyselyOnSqlite(handle), SQLITE, migrations, 0)
    handle.exec('commit')
    handle.exec('pragma journal_mode = wal') // Remembered by the file.
  } finally {
    handle.close()
  }
  fsyncPath(draft)
  renameSync(draft, path)
  fsyncPath(dirname(path))
}

/** The schema of the file, without writing so much as a lock file beside it. */
async function inspectFile(path: string): Promise<string> {
  const header = Buffer.alloc(HEADER_BYTES)
  const file = openSync(path, 'r')
  try {
    readSync(file, header, 0, HEADER_BYTES, 0)
  } finally {
    closeSync(file)
  }
  const ours =
    header.toString('latin1', 0, MAGIC.length) === MAGIC &&
    header.readUInt32BE(APPLICATION_ID_OFFSET) === APPLICATION_ID
  if (!ours) return 'of another program'
  const handle = new DatabaseSync(readOnlyLocation(path), { readOnly: true, timeout: SQL_LOCK_WAIT_MS })
  try {
    return await readSchemaVersion(kyselyOnSqlite(handle))
  } finally {
    handle.close()
  }
}

/** Even to read, SQLite makes side files for a log; it does not when told that nobody can be writing. */
export function readOnlyLocation(path: string): string | URL {
  if (existsSync(`${path}-wal`)) return path
  const url = pathToFileURL(path)
  url.searchParams.set('immutable', '1')
  return url
}

async function migrateFile(path: string, migrations: readonly Migration[]): Promise<void> {
  const handle = new DatabaseSync(path, { timeout: SQL_LOCK_WAIT_MS })
  try {
    handle.exec('pragma synchronous = full')
    handle.exec('begin immediate')
    const db = kyselyOnSqlite(handle)
    // Read again under the lock: another process may have been first.
    await migrateFrom(db, SQLITE, migrations, Number(await readSchemaVersion(db)))
    handle.exec('commit')
  } finally {
    handle.close()
  }
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

function fsyncPath(path: string): void {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
