/**
 * A whole catalog copied into an empty one of either engine, row for row. The source is read in one snapshot while no
 * hub can write to it; the target gets everything in one transaction, which commits only after each table was read
 * back and has the source's count and hash. Whatever fails before leaves the target empty.
 */
import { createHash } from 'node:crypto'
import type { Hash } from 'node:crypto'

import { sql } from 'kysely'
import type { Kysely } from 'kysely'

import { COPY_BATCH_ROWS } from '../../limits.ts'
import { CopyError, openEnd } from './copy-ends.ts'
import type { CatalogLocation, CopyEnd } from './copy-ends.ts'
import { insertSlices } from './queries/prepared.ts'
import type { Schema } from './schema.ts'

type TableName = Exclude<keyof Schema, 'meta'>
type Row = Readonly<Record<string, unknown>>

/** Every table with its primary key, parents first. `meta` is each database's own. */
const KEYS: { readonly [T in TableName]: readonly (keyof Schema[T] & string)[] } = {
  accounts: ['id'],
  org_members: ['org_id', 'user_id'],
  registries: ['id'],
  tokens: ['id'],
  repos: ['id'],
  repo_old_names: ['registry_id', 'type', 'namespace_key', 'name_key'],
  likes: ['user_id', 'repo_id'],
  lfs_locks: ['id'],
  refs: ['repo_id', 'name'],
  repo_index: ['repo_id'],
  repo_facts: ['repo_id'],
  repo_tags: ['repo_id', 'tag_key'],
  repo_links: ['repo_id', 'kind', 'target_key'],
  account_quotas: ['account_id'],
  repo_quotas: ['repo_id'],
  repo_git_sizes: ['repo_id'],
  retained_commits: ['repo_id', 'oid', 'reason'],
  lfs_objects: ['domain_id', 'oid'],
  repo_lfs_objects: ['repo_id', 'oid'],
  lfs_migrations: ['domain_id', 'oid'],
  xorbs: ['domain_id', 'hash'],
  xet_files: ['domain_id', 'hash'],
  xet_file_xorbs: ['domain_id', 'file_hash', 'xorb_hash'],
  repo_xet_files: ['repo_id', 'hash'],
  path_versions: ['repo_id', 'path_key', 'oid'],
  shards: ['id'],
  shard_xorbs: ['shard_id', 'position'],
  dedup_chunks: ['domain_id', 'chunk_hash', 'created_at', 'shard_id'],
  dedup_epochs: ['id'],
  doomed_blobs: ['kind', 'domain_id', 'name'],
  downloads_daily: ['repo_id', 'day'],
  damaged_blobs: ['key'],
  scrub_passes: ['id'],
  audit: ['id'],
  outbox: ['id'],
}
const TABLES = Object.keys(KEYS) as TableName[]

export interface TableProgress {
  table: string
  step: 'copied' | 'verified'
  /** Rows so far; all of them when `done`. */
  rows: number
  done: boolean
}

export interface CopyOptions {
  from: CatalogLocation
  /** A catalog without a row, or nothing yet. */
  to: CatalogLocation
  onProgress?: (progress: TableProgress) => void
}

/** Throws `CopyError`, or what opening a catalog throws. Returns the number of rows of each table. */
export async function copyCatalog({
  from,
  to,
  onProgress = () => {},
}: CopyOptions): Promise<ReadonlyMap<string, number>> {
  await using source = await openEnd(from, 'source')
  await using target = await openEnd(to, 'target')
  await assertEmpty(target.db)
  // Made with the schema; the source has its own.
  await target.db.deleteFrom('registries').where('id', '=', 'default').execute()

  const digests = new Map<TableName, Digest>()
  for (const table of TABLES) {
    const report = reporter(table, 'copied', onProgress)
    digests.set(table, await readTable(source, table, report, (rows) => insertRows(target, table, rows)))
  }
  for (const [table, expected] of digests) {
    const found = await readTable(target, table, reporter(table, 'verified', onProgress))
    if (found.rows !== expected.rows || found.hash !== expected.hash)
      throw new CopyError(
        `The copy of ${table} differs: ${found.rows} rows instead of ${expected.rows}, or other ones`,
      )
  }
  await target.commit()
  return new Map([...digests].map(([table, { rows }]) => [table, rows]))
}

interface Digest {
  rows: number
  /** Of all values in the order of the primary key. */
  hash: string
}

async function readTable(
  { db }: CopyEnd,
  table: TableName,
  report: (rows: number, done: boolean) => void,
  take?: (rows: readonly Row[]) => Promise<void>,
): Promise<Digest> {
  const hash = createHash('sha256')
  let count = 0
  let last: Row | undefined
  for (;;) {
    const rows = await pageAfter(db, table, last)
    for (const row of rows) hashRow(hash, row)
    if (rows.length > 0) await take?.(rows)
    count += rows.length
    last = rows.at(-1)
    report(count, rows.length < COPY_BATCH_ROWS)
    if (rows.length < COPY_BATCH_ROWS) return { rows: count, hash: hash.digest('hex') }
  }
}

/** Both engines sort by code point, so the order is the same. */
async function pageAfter(db: Kysely<Schema>, table: TableName, last: Row | undefined): Promise<Row[]> {
  const key = sql.join(KEYS[table].map((column) => sql.ref(column)))
  const after =
    last === undefined
      ? sql``
      : sql` where (${key}) > (${sql.join(KEYS[table].map((column) => last[column]))})`
  const query = sql<Row>`select * from ${sql.table(table)}${after} order by ${key} limit ${COPY_BATCH_ROWS}`
  return (await query.execute(db)).rows
}

async function insertRows({ db, place }: CopyEnd, table: TableName, rows: readonly Row[]): Promise<void> {
  try {
    for (const slice of insertSlices(rows))
      await db
        .insertInto(table)
        .values(slice as never)
        .execute()
  } catch (error) {
    throw new CopyError(`${place} does not take the rows of ${table}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

function hashRow(hash: Hash, row: Row): void {
  const values = Object.keys(row)
    .toSorted()
    .map((column) => [column, row[column] instanceof Uint8Array ? { hex: toHex(row[column]) } : row[column]])
  hash.update(`${JSON.stringify(values)}\n`)
}

function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

async function assertEmpty(db: Kysely<Schema>): Promise<void> {
  for (const table of TABLES) {
    const rows = await pageAfter(db, table, undefined)
    const own = table === 'registries' ? rows.filter((row) => row['id'] !== 'default') : rows
    if (own.length > 0) throw new CopyError(`The target is not empty: it has ${table}. Nothing was changed`)
  }
}

function reporter(
  table: TableName,
  step: TableProgress['step'],
  onProgress: (progress: TableProgress) => void,
): (rows: number, done: boolean) => void {
  return (rows, done) => onProgress({ table, step, rows, done })
}
