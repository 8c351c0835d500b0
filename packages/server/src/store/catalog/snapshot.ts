/** A file with one state of a whole catalog, as `Catalog.copyTo` writes it: rows that are only read. */
import { DatabaseSync } from 'node:sqlite'

import type { CatalogRows } from './catalog.ts'
import { MIGRATIONS } from './migrations/migrations.ts'
import { catalogRows } from './queries/rows.ts'
import { sqliteSearch } from './search.ts'
import { kyselyOnSqlite } from './sqlite-driver.ts'
import { assertCurrent, readOnlyLocation } from './sqlite-file.ts'

export interface Snapshot extends Disposable {
  rows: CatalogRows
}

/** Throws `SchemaVersionError` when the file is not one of this version. */
export async function openSnapshot(path: string): Promise<Snapshot> {
  await assertCurrent(path, MIGRATIONS)
  const handle = new DatabaseSync(readOnlyLocation(path), { readOnly: true })
  return {
    rows: catalogRows(kyselyOnSqlite(handle), sqliteSearch),
    [Symbol.dispose]: () => handle.close(),
  }
}
