/** The composition root: the only file that knows which backends were chosen. */
import { randomBytes } from 'node:crypto'
import { isIPv6, type AddressInfo } from 'node:net'

import type { Config } from './config.ts'
import { DataDirError, type DataDir } from './data-dir.ts'
import { openGitStore } from './git/store.ts'
import { createApp } from './http/app.ts'
import { trustedPeers } from './http/urls.ts'
import { startCollection } from './jobs/collection.ts'
import { startHousekeeping } from './jobs/housekeeping.ts'
import { startLfsMigration } from './jobs/lfs-migration.ts'
import { startJobs } from './jobs/outbox.ts'
import { startPurge } from './jobs/purge.ts'
import { startScrub } from './jobs/scrub.ts'
import { DRAIN_MS, LFS_BASIC_MAX_BYTES, LFS_PART_BYTES } from './limits.ts'
import { adminRepos } from './ops/admin-repos.ts'
import { adminStorage } from './ops/admin-storage.ts'
import { hubWork } from './ops/admin-work.ts'
import { admin, type AdminDeps } from './ops/admin.ts'
import { Backups } from './ops/backup.ts'
import { Budgets } from './ops/byte-budget.ts'
import { Caches } from './ops/caches.ts'
import type { AccountDeps } from './ops/change.ts'
import type { Log, OpsContext } from './ops/context.ts'
import { DownloadCounter } from './ops/downloads.ts'
import { KeyedQueue } from './ops/keyed-queue.ts'
import { repairDirty } from './ops/land.ts'
import { PendingUploads } from './ops/quotas.ts'
import { RemovalGate } from './ops/removal-gate.ts'
import { Signer } from './ops/signer.ts'
import { Traffic } from './ops/traffic.ts'
import { nativePrimitives } from './primitives.ts'
import { DiskBlobStore } from './store/blobs/disk.ts'
import type { Catalog } from './store/catalog/catalog.ts'
import { DocumentReader } from './workers/document-reader.ts'
import { XorbPool } from './workers/xorb-pool.ts'

export interface Hub {
  readonly deps: AccountDeps
  readonly ops: OpsContext
  /** The address it listens on, e.g. `http://0.0.0.0:8080`. */
  listen(): Promise<{ url: string }>
  /** As the operator. */
  admin(request: unknown): Promise<unknown>
  /** Lets open requests end, within `DRAIN_MS`, then closes everything. */
  close(): Promise<void>
}

/** What tests and unusual installations set apart. */
export interface HubOptions {
  clock?: () => number
  random?: (sizeBytes: number) => Uint8Array
  lfs?: Partial<OpsContext['lfs']>
}

export async function createHub(
  config: Config,
  dataDir: DataDir,
  log: Log,
  options: HubOptions = {},
): Promise<Hub> {
  const clock = options.clock ?? Date.now
  const random = options.random ?? randomBytes
  await using opening = new AsyncDisposableStack()
  const catalog = opening.use(await openCatalog(config, dataDir, clock))
  const blobs = opening.use(await DiskBlobStore.open(dataDir.blobsPath))
  const git = opening.use(await openGitStore({ root: dataDir.reposPath, primitives: nativePrimitives }))
  const xorbs = opening.use(new XorbPool())
  const documents = opening.use(new DocumentReader())
  const downloads = opening.use(new DownloadCounter({ catalog, clock, log }))
  const ops: OpsContext = {
    catalog,
    blobs,
    git,
    xorbs,
    documents,
    primitives: nativePrimitives,
    signer: new Signer(dataDir.secrets.signing),
    caches: new Caches(),
    budgets: new Budgets(),
    repoQueue: new KeyedQueue(),
    removals: new RemovalGate(clock),
    downloads,
    traffic: new Traffic(),
    lfs: { basicMaxBytes: LFS_BASIC_MAX_BYTES, partBytes: LFS_PART_BYTES, ...options.lfs },
    dedupDomain: config.dedupDomain,
    quotas: { accountBytes: config.accountQuotaBytes, repoBytes: config.repoQuotaBytes },
    pendingUploads: new PendingUploads(clock),
    deleteGraceMs: config.deleteGraceHours * 3600_000,
    collectGraceMs: config.gcGraceHours * 3600_000,
    clock,
    random,
    log,
  }
  await repairDirty(ops)
  const backups = opening.use(await Backups.open(ops, dataDir.snapshotsPath))
  const deps: AdminDeps = {
    catalog,
    clock,
    random,
    repos: adminRepos(ops),
    work: hubWork(ops),
    storage: adminStorage(ops),
    backups,
  }
  const app = createApp(ops, deps, {
    publicUrl: config.publicUrl,
    isTrustedPeer: trustedPeers(config.trustedProxies),
    rateLimits: config.rateLimits,
    logRequests: ['info', 'debug', 'trace'].includes(config.logLevel),
  })
  const housekeeping = opening.use(startHousekeeping(ops))
  const jobs = opening.use(startJobs(ops, housekeeping.note))
  const purge = opening.use(startPurge(ops))
  const collection = opening.use(startCollection(ops, config.gcIntervalHours * 3600_000))
  const migration = opening.use(startLfsMigration(ops, config.lfsMigration))
  const scrub = opening.use(startScrub(ops, config.scrubDays))
  const backends = opening.move()

  return {
    deps,
    ops,
    async listen() {
      await app.listen({ host: config.host, port: config.port })
      const { port } = app.server.address() as AddressInfo
      return { url: `http://${isIPv6(config.host) ? `[${config.host}]` : config.host}:${port}` }
    },
    admin: (request) => admin(deps, { kind: 'operator' }, request),
    async close() {
      // Node keeps a connection that was busy at this moment for its whole keep-alive time.
      const idle = setInterval(() => app.server.closeIdleConnections(), 200)
      const limit = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
      try {
        await app.close()
      } finally {
        clearInterval(idle)
        clearTimeout(limit)
      }
      await Promise.all([
        jobs.stop(),
        housekeeping.stop(),
        purge.stop(),
        collection.stop(),
        migration.stop(),
        scrub.stop(),
      ])
      await backends.disposeAsync()
    },
  }
}

/** Only the chosen engine is loaded. Repositories and blobs without their rows would be a hub that lost everything. */
async function openCatalog(config: Config, dataDir: DataDir, clock: () => number): Promise<Catalog> {
  const wanted = config.databaseUrl === null ? 'sqlite' : 'postgres'
  const engine = await dataDir.readEngine()
  if (engine !== null && engine !== wanted)
    throw new DataDirError(
      engine === 'postgres'
        ? `The catalog of ${dataDir.path} is in PostgreSQL: give its address with --database`
        : `The catalog of ${dataDir.path} is the file in it: leave --database out, or move it with 'cairn admin migrate-database --to …'`,
    )
  const catalog = await openEngine(config, dataDir, clock)
  if (engine === null) await dataDir.writeEngine(wanted)
  return catalog
}

async function openEngine(config: Config, dataDir: DataDir, clock: () => number): Promise<Catalog> {
  if (config.databaseUrl === null) {
    const { openSqliteCatalog } = await import('./store/catalog/sqlite.ts')
    return openSqliteCatalog({ path: dataDir.catalogPath, migrate: true, clock })
  }
  const { openPostgresCatalog } = await import('./store/catalog/postgres.ts')
  return openPostgresCatalog({ url: config.databaseUrl, migrate: true, clock })
}
