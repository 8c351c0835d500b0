/**
 * Makes a data directory from a backup. While this goes on, and after it was interrupted, no hub starts on the
 * directory; done again with the same backup, it goes on.
 */
import { copyFile, open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { dataDirPaths, lockDirectory, RESTORING } from '../data-dir.ts'
import { INVENTORY_PAGE } from '../limits.ts'
import { copyContents, type CopyReport, type CopyWatch } from '../ops/copy-contents.ts'
import { DiskBlobStore } from '../store/blobs/disk.ts'
import { openSnapshot } from '../store/catalog/snapshot.ts'
import { openSqliteCatalog } from '../store/catalog/sqlite.ts'
import { hasCode, makeDirDurable, syncDir, unlinkIfPresent, writeFileDurable } from '../store/durable.ts'
import { XorbPool } from '../workers/xorb-pool.ts'
import { BackupError, readManifest, sha256OfFile } from './manifest.ts'

export interface RestoreOptions {
  from: string
  dataDir: string
  /** Of PostgreSQL; null: SQLite in the data directory. */
  databaseUrl: string | null
}

/** BackupError, with nothing written, when the backup or the directory is not what it should be. */
export async function restoreBackup(
  { from, dataDir, databaseUrl }: RestoreOptions,
  watch: CopyWatch,
): Promise<CopyReport> {
  const manifest = await readManifest(from)
  if (manifest === null)
    throw new BackupError(`${from} holds no backup, or one that was not finished: back up into it again`)
  const catalogFile = join(from, manifest.catalog.file)
  const sum = await sha256OfFile(catalogFile).catch((cause: unknown) => {
    throw new BackupError(`${catalogFile} cannot be read: ${(cause as Error).message}`, { cause })
  })
  if (sum !== manifest.catalog.sha256)
    throw new BackupError(`${catalogFile} is not what the backup wrote: take another backup`)
  await assertPlaceForHub(dataDir, manifest.id)

  await makeDirDurable(dataDir)
  const to = dataDirPaths(dataDir)
  await writeFileDurable(join(dataDir, RESTORING), Buffer.from(`${manifest.id}\n`), 0o600)
  using _ = await lockDirectory(dataDir)
  await takeCatalog(catalogFile, to.catalog)
  using snapshot = await openSnapshot(to.catalog)
  await using xorbs = new XorbPool()
  await using source = DiskBlobStore.besideItsOwner(join(from, 'blobs'))
  await using target = await DiskBlobStore.open(to.blobs)
  await makeDirDurable(to.repos)
  const report = await copyContents(
    snapshot.rows,
    { blobs: source, reposPath: join(from, 'repos') },
    { blobs: target, reposPath: to.repos },
    xorbs,
    watch,
  )
  if (databaseUrl !== null) {
    const { copyCatalog } = await import('../store/catalog/copy.ts')
    await copyCatalog({
      from: { kind: 'sqlite', path: to.catalog },
      to: { kind: 'postgres', url: databaseUrl },
    })
    for (const end of ['', '-wal', '-shm']) await unlinkIfPresent(to.catalog + end)
  }
  for (const [name, text] of Object.entries(manifest.secrets))
    await writeFileDurable(join(dataDir, name), Buffer.from(text!), 0o600)
  const engine = databaseUrl === null ? 'sqlite' : 'postgres'
  await writeFileDurable(join(dataDir, 'engine'), Buffer.from(`${engine}\n`), 0o600)
  await unlinkIfPresent(join(dataDir, RESTORING))
  await syncDir(dataDir)
  return report
}

/** Of this version's schema, and with every repository marked: git's refs are made anew from the rows at the start. */
async function takeCatalog(from: string, to: string): Promise<void> {
  for (const end of ['', '-wal', '-shm']) await unlinkIfPresent(to + end)
  await copyFile(from, to)
  {
    await using file = await open(to, 'r')
    await file.sync()
  }
  await using catalog = await openSqliteCatalog({ path: to, migrate: true })
  let after: string | null = null
  for (;;) {
    const ids: string[] = await catalog.rows.inventory.repoIds(after, INVENTORY_PAGE)
    await catalog.tx(async (rows) => {
      for (const id of ids) await rows.repos.update(id, { refsDirty: true })
    })
    after = ids.at(-1) ?? null
    if (ids.length < INVENTORY_PAGE) return
  }
}

async function assertPlaceForHub(dataDir: string, id: string): Promise<void> {
  try {
    if ((await readdir(dataDir)).length === 0) return
    const begun = await readFile(join(dataDir, RESTORING), 'utf8').catch(() => null)
    if (begun?.trim() === id) return
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw new BackupError(`${dataDir} is no place for a hub: ${(error as Error).message}`, { cause: error })
  }
  throw new BackupError(`${dataDir} is not empty: give a new directory with --data`)
}
