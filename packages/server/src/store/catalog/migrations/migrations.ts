/**
 * Every schema change, in order, as a static record: what a migration's number was it stays. `meta` holds the
 * number of the last one; a hub refuses a database with a higher one.
 */
import { sql } from 'kysely'
import type { Kysely } from 'kysely'

import type { Schema } from '../schema.ts'
import type { SqlDialect } from '../sql-dialect.ts'
import { initial } from './0001-initial.ts'
import { lifecycle } from './0002-lifecycle.ts'
import { downloads } from './0003-downloads.ts'
import { repoIndex } from './0004-repo-index.ts'
import { lfsLocks } from './0005-lfs-locks.ts'
import { xetClaims } from './0006-xet-claims.ts'
import { quotas } from './0007-quotas.ts'
import { collection } from './0008-collection.ts'
import { lfsMigrations } from './0009-lfs-migrations.ts'
import { damage } from './0010-damage.ts'
import { proofQueue } from './0011-proof-queue.ts'

/** Statements that bring the schema from the number before to this one. */
export type Migration = (dialect: SqlDialect) => string[]

export const MIGRATIONS: readonly Migration[] = [
  initial,
  lifecycle,
  downloads,
  repoIndex,
  lfsLocks,
  xetClaims,
  quotas,
  collection,
  lfsMigrations,
  damage,
  proofQueue,
]

/** Schema number of the open database, as it is written there. */
export async function readSchemaVersion(db: Kysely<Schema>): Promise<string> {
  const row = await db
    .selectFrom('meta')
    .select('value')
    .where('key', '=', 'schema_version')
    .executeTakeFirst()
  return row?.value ?? 'without a number'
}

/** Runs the migrations after number `from`. The caller holds a transaction around it. */
export async function migrateFrom(
  db: Kysely<Schema>,
  dialect: SqlDialect,
  migrations: readonly Migration[],
  from: number,
): Promise<void> {
  if (from === 0) {
    const { text, keyedTableEnd } = dialect
    await sql
      .raw(`create table meta (key ${text} primary key, value ${text} not null) ${keyedTableEnd}`)
      .execute(db)
    await db.insertInto('meta').values({ key: 'schema_version', value: '0' }).execute()
  }
  for (const migration of migrations.slice(from)) {
    for (const statement of migration(dialect)) await sql.raw(statement).execute(db)
  }
  await db
    .updateTable('meta')
    .set({ value: String(migrations.length) })
    .where('key', '=', 'schema_version')
    .execute()
}
