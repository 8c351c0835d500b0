/**
 * The data directory: one process at a time owns it. Who owns it is decided by an exclusive SQLite lock on the file
 * `lock`, which the kernel drops with the process however it dies; `server.json` only says who that is. Everything
 * is looked at before anything is made, so that a refused start leaves the disk as it was.
 *
 *     lock            empty, held while a hub runs
 *     server.json     {pid, url}: the running hub, for messages and for `cairn admin`
 *     secrets.json    signing secret, made at the first start
 *     admin-token     the first administrator's token
 *     catalog.db      rows, unless PostgreSQL holds them
 *     engine          which of the two it is
 *     repos/ blobs/   bare repositories, large contents
 *     snapshots/      the catalog at one moment, while a backup is taken
 *     restoring       until a backup has been brought back whole
 */
import { constants } from 'node:fs'
import { access, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { STATE_FILE_MAX_BYTES } from './limits.ts'
import { syncDir, writeFileDurable } from './store/durable.ts'

const SECRET_SIZE_BYTES = 32
/** SQLite's result code for a lock that somebody else holds. */
const SQLITE_BUSY = 5

export interface ServerInfo {
  pid: number
  /** Where the hub listens; null while it does not. */
  url: string | null
}

/** The directory cannot be used. Nothing was changed. */
export class DataDirError extends Error {
  /** The live process that owns the directory, when that is the reason. */
  readonly owner: ServerInfo | null

  constructor(message: string, options: ErrorOptions & { owner?: ServerInfo } = {}) {
    super(message, options)
    this.name = 'DataDirError'
    this.owner = options.owner ?? null
  }
}

export type CatalogEngine = 'sqlite' | 'postgres'

/** Its presence, with the id of the backup, keeps hubs away. */
export const RESTORING = 'restoring'

/** Where things are in a data directory. */
export function dataDirPaths(path: string): Record<'catalog' | 'repos' | 'blobs' | 'snapshots', string> {
  return {
    catalog: join(path, 'catalog.db'),
    repos: join(path, 'repos'),
    blobs: join(path, 'blobs'),
    snapshots: join(path, 'snapshots'),
  }
}

export interface DataDir extends AsyncDisposable {
  readonly path: string
  readonly secrets: { readonly signing: Uint8Array }
  readonly catalogPath: string
  readonly reposPath: string
  readonly blobsPath: string
  readonly snapshotsPath: string
  readonly adminTokenPath: string
  /** Where the rows of this directory are; null before the first start. Serving others with these files loses sight of them. */
  readEngine(): Promise<CatalogEngine | null>
  writeEngine(engine: CatalogEngine): Promise<void>
  /** Tells others on this machine where the hub listens, until disposal. */
  announce(url: string): Promise<void>
  /** The string in `admin-token`, or null. */
  readAdminToken(): Promise<string | null>
  writeAdminToken(token: string): Promise<void>
}

/** Takes the directory for this process, making it when it is missing unless `mustExist`. DataDirError. */
export async function openDataDir(
  path: string,
  options: { random: (sizeBytes: number) => Uint8Array; mustExist?: boolean },
): Promise<DataDir> {
  await assertUsable(path)
  if (options.mustExist && !(await exists(join(path, 'secrets.json'))))
    throw new DataDirError(`There is no hub in ${path}: start one with 'cairn serve --data DIR'`)
  await makeDir(path)
  const lock = await takeLock(path)
  try {
    const serverPath = join(path, 'server.json')
    const announce = (url: string | null): Promise<void> =>
      writeFileDurable(serverPath, toJson({ pid: process.pid, url } satisfies ServerInfo), 0o600)
    await announce(null)
    const secrets = await openSecrets(join(path, 'secrets.json'), options.random)
    const paths = dataDirPaths(path)
    await Promise.all([makeDir(paths.repos), makeDir(paths.blobs)])
    const adminTokenPath = join(path, 'admin-token')
    return {
      path,
      secrets,
      catalogPath: paths.catalog,
      reposPath: paths.repos,
      blobsPath: paths.blobs,
      snapshotsPath: paths.snapshots,
      adminTokenPath,
      announce,
      readEngine: async () => parseEngine(await readSmallFile(join(path, 'engine'))),
      writeEngine: (engine) => writeFileDurable(join(path, 'engine'), Buffer.from(`${engine}\n`), 0o600),
      readAdminToken: () => readAdminToken(path),
      writeAdminToken: (token) => writeFileDurable(adminTokenPath, Buffer.from(`${token}\n`), 0o600),
      async [Symbol.asyncDispose]() {
        if (!lock.isOpen) return
        await rm(serverPath, { force: true })
        lock.close()
      },
    }
  } catch (error) {
    await rm(join(path, 'server.json'), { force: true })
    lock.close()
    throw error
  }
}

/** Throws `DataDirError` if `openDataDir` would be refused now. Changes nothing. */
export async function assertUsable(path: string): Promise<void> {
  try {
    if (!(await stat(path)).isDirectory())
      throw new DataDirError(`${path} is not a directory: give another one with --data`)
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw refusal(path, error)
    await assertParentWritable(path)
    return
  }
  if (await exists(join(path, 'lock'))) (await takeLock(path)).close()
  if (await exists(join(path, RESTORING)))
    throw new DataDirError(
      `${path} has half of a backup: finish with 'cairn admin restore', or give another directory with --data`,
    )
}

/** The lock alone, for a folder that is filled rather than served. */
export async function lockDirectory(path: string): Promise<Disposable> {
  const lock = await takeLock(path)
  return { [Symbol.dispose]: () => lock.close() }
}

/** The administrator's token of a hub on this machine, for `cairn admin`. */
export async function readAdminToken(path: string): Promise<string | null> {
  return (await readSmallFile(join(path, 'admin-token')))?.trim() || null
}

function parseEngine(text: string | null): CatalogEngine | null {
  const word = text?.trim()
  return word === 'sqlite' || word === 'postgres' ? word : null
}

async function assertParentWritable(path: string): Promise<void> {
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    try {
      await access(parent, constants.W_OK | constants.X_OK)
      if (!(await stat(parent)).isDirectory())
        throw new DataDirError(`${parent} is not a directory: give another path with --data`)
      return
    } catch (error) {
      if (errorCode(error) !== 'ENOENT' || parent === dirname(parent)) throw refusal(path, error)
    }
  }
}

/**
 * 0700 when we make it; one that is there keeps the mode its owner chose. Parents are made one by one: Node's own
 * recursive mkdir never returns where the kernel answers ENOENT for a parent that exists, as below /proc.
 */
async function makeDir(path: string): Promise<void> {
  const missing: string[] = []
  for (let dir = path; !(await exists(dir)) && dir !== dirname(dir); dir = dirname(dir)) missing.unshift(dir)
  try {
    for (const dir of missing) {
      await mkdir(dir, { mode: 0o700 })
      await syncDir(dirname(dir))
    }
  } catch (error) {
    throw refusal(path, error)
  }
}

async function takeLock(path: string): Promise<DatabaseSync> {
  const lockPath = join(path, 'lock')
  try {
    await (await open(lockPath, 'wx', 0o600)).close()
  } catch (error) {
    // NOTE: an existing lock file is never opened by us, only by SQLite: closing any descriptor of it would drop
    // a lock that this very process holds (POSIX fcntl locks).
    if (errorCode(error) !== 'EEXIST') throw refusal(path, error)
  }
  let lock: DatabaseSync | null = null
  try {
    lock = new DatabaseSync(lockPath, { timeout: 0 })
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock?.close()
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw refusal(path, error)
    const owner = await readServerInfo(path)
    const who =
      owner === null
        ? 'another process'
        : `process ${owner.pid}${owner.url === null ? '' : ` at ${owner.url}`}`
    throw new DataDirError(
      `${path} is in use by ${who}: stop it first, or give another directory with --data`,
      owner === null ? {} : { owner },
    )
  }
}

async function readServerInfo(path: string): Promise<ServerInfo | null> {
  try {
    const info = JSON.parse(
      (await readSmallFile(join(path, 'server.json'))) ?? 'null',
    ) as Partial<ServerInfo> | null
    if (info === null || !Number.isSafeInteger(info.pid)) return null
    return { pid: info.pid as number, url: typeof info.url === 'string' ? info.url : null }
  } catch {
    // The file is for messages only: an unreadable one is as good as none.
    return null
  }
}

async function openSecrets(
  path: string,
  random: (sizeBytes: number) => Uint8Array,
): Promise<DataDir['secrets']> {
  const text = await readSmallFile(path)
  if (text === null) {
    const signing = random(SECRET_SIZE_BYTES)
    await writeFileDurable(path, toJson({ signing: Buffer.from(signing).toString('hex') }), 0o600)
    return { signing }
  }
  const hex = /^\s*\{\s*"signing"\s*:\s*"([0-9a-f]{64})"\s*\}\s*$/.exec(text)?.[1]
  if (hex === undefined)
    throw new DataDirError(
      `${path} is damaged: restore it from a backup, or move it away to have new secrets made (signed addresses then end)`,
    )
  return { signing: Buffer.from(hex, 'hex') }
}

async function readSmallFile(path: string): Promise<string | null> {
  try {
    if ((await stat(path)).size > STATE_FILE_MAX_BYTES)
      throw new DataDirError(`${path} is too large to be one of the hub's`)
    return await readFile(path, 'utf8')
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return null
    throw refusal(path, error)
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

function toJson(value: unknown): Uint8Array {
  return Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
}

function errorCode(error: unknown): unknown {
  return (error as { code?: unknown }).code
}

function refusal(path: string, cause: unknown): DataDirError {
  if (cause instanceof DataDirError) return cause
  switch (errorCode(cause)) {
    case 'EACCES':
    case 'EPERM':
      return new DataDirError(
        `${path} is not writable for this user: change its owner, or give another directory with --data`,
        { cause },
      )
    case 'EROFS':
      return new DataDirError(`${path} is on a read-only file system: give another directory with --data`, {
        cause,
      })
    case 'ENOTDIR':
    case 'EEXIST':
      return new DataDirError(`${path} is not a directory: give another one with --data`, { cause })
    default:
      return new DataDirError(`${path} cannot be used: ${(cause as Error).message}`, { cause })
  }
}
