/**
 * Writes a backup from a snapshot that a hub made, beside that hub. Into the folder of an earlier backup only what is
 * new is copied; that one stays good until `backup.json` names the new catalog, and only then goes what it alone needs.
 */
import { copyFile, open, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { dataDirPaths, lockDirectory } from '../data-dir.ts'
import { listRepositories, removeRepository } from '../git/copy-files.ts'
import { INVENTORY_PAGE } from '../limits.ts'
import { copyContents, type CopyReport, type CopyWatch } from '../ops/copy-contents.ts'
import { DiskBlobStore } from '../store/blobs/disk.ts'
import type { CatalogRows } from '../store/catalog/catalog.ts'
import { openSnapshot } from '../store/catalog/snapshot.ts'
import { hasCode, makeDirDurable, syncDir, unlinkIfPresent, writeFileDurable } from '../store/durable.ts'
import { keyPrefix, parseKey } from '../store/keys.ts'
import { XorbPool } from '../workers/xorb-pool.ts'
import { BackupError, readManifest, sha256OfFile, writeManifest, type BackupManifest } from './manifest.ts'

export interface WriteOptions {
  dataDir: string
  /** The file's name among the data directory's snapshots, and what to call the backup. */
  snapshot: string
  id: string
  to: string
  createdAt: Date
}

const UNDER_WAY = 'under-way'

/** BackupError when `to` holds something else; throws what the watch throws. */
export async function writeBackup(options: WriteOptions, watch: CopyWatch): Promise<CopyReport> {
  const { to, id } = options
  const from = dataDirPaths(options.dataDir)
  await assertPlaceForBackup(to)
  await makeDirDurable(to)
  using _ = await lockDirectory(to)
  await writeFileDurable(join(to, UNDER_WAY), Buffer.from(`${id}\n`), 0o600)
  const catalogFile = `catalog-${id}.db`
  await copyFile(join(from.snapshots, options.snapshot), join(to, catalogFile))
  await syncFile(join(to, catalogFile))

  using snapshot = await openSnapshot(join(to, catalogFile))
  await using xorbs = new XorbPool()
  await using source = DiskBlobStore.besideItsOwner(from.blobs)
  await using target = await DiskBlobStore.open(join(to, 'blobs'))
  const reposPath = join(to, 'repos')
  await makeDirDurable(reposPath)
  const { rows } = snapshot
  const report = await copyContents(
    rows,
    { blobs: source, reposPath: from.repos },
    { blobs: target, reposPath },
    xorbs,
    watch,
  )
  const { repos, lfs, xorbs: xorbTotal } = await rows.inventory.totals()
  await writeManifest(to, {
    id,
    createdAt: options.createdAt.toISOString(),
    catalog: { file: catalogFile, sha256: await sha256OfFile(join(to, catalogFile)) },
    contents: { repos, lfs, xorbs: xorbTotal },
    damaged: report.findings.length,
    secrets: await readSecrets(options.dataDir),
  })

  for (const name of await readdir(to))
    if (/^catalog-.*\.db$/.test(name) && name !== catalogFile) await unlinkIfPresent(join(to, name))
  for (const path of report.replaced) await rm(path, { force: true })
  await removeUnnamed(rows, target, reposPath)
  await unlinkIfPresent(join(to, UNDER_WAY))
  await syncDir(to)
  return report
}

async function assertPlaceForBackup(to: string): Promise<void> {
  let names: string[]
  try {
    names = await readdir(to)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw new BackupError(`${to} is no place for a backup: ${(error as Error).message}`, { cause: error })
  }
  const isOurs = names.includes(UNDER_WAY) || (await readManifest(to)) !== null
  if (names.length > 0 && !isOurs)
    throw new BackupError(`${to} holds something else: give an empty folder, or that of an earlier backup`)
}

async function readSecrets(dataDir: string): Promise<BackupManifest['secrets']> {
  const secrets: BackupManifest['secrets'] = {}
  for (const name of ['secrets.json', 'admin-token'] as const)
    try {
      secrets[name] = await readFile(join(dataDir, name), 'utf8')
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error
    }
  return secrets
}

/** What earlier backups needed, or one that was not finished. */
async function removeUnnamed(rows: CatalogRows, blobs: DiskBlobStore, reposPath: string): Promise<void> {
  for (const kind of ['lfs', 'xorbs', 'shards'] as const) {
    let domainId = ''
    let names = new Map<string, Parameters<typeof blobs.delete>[0]>()
    const removeUnknown = async (): Promise<void> => {
      const known = await rows.inventory.knownContents(kind, domainId, [...names.keys()])
      for (const [name, key] of names) if (!known.has(name)) await blobs.delete(key)
      names = new Map()
    }
    for await (const { key } of blobs.list(keyPrefix(kind))) {
      const parts = parseKey(key)!
      if (parts.domainId !== domainId || names.size === INVENTORY_PAGE) await removeUnknown()
      domainId = parts.domainId
      names.set(parts.name, key)
    }
    await removeUnknown()
  }
  for await (const ids of listRepositories(reposPath)) {
    const known = await rows.inventory.knownRepos(ids)
    for (const id of ids) if (!known.has(id)) await removeRepository(reposPath, id)
  }
}

async function syncFile(path: string): Promise<void> {
  await using file = await open(path, 'r')
  await file.sync()
}
