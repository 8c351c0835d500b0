/**
 * A hub's life: configuration → data directory → hub → accounts → listening → signals. Also the hub without a
 * listener, for administration of a data directory that nobody serves.
 */
import { randomBytes } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { flushCompileCache } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'

import { formatBanner } from './banner.ts'
import type { Config } from './config.ts'
import { assertUsable, openDataDir } from './data-dir.ts'
import { createHub, type Hub } from './hub.ts'
import { BOOTSTRAP_FILE_MAX_BYTES, STOP_MS } from './limits.ts'
import { openLog, type LogChoice } from './log.ts'
import type { AdminRequest } from './ops/admin.ts'
import {
  applyBootstrap,
  BootstrapError,
  parseBootstrap,
  type Bootstrap,
  type GeneratedToken,
} from './ops/bootstrap.ts'
import { ensureAdmin } from './ops/first-admin.ts'
import { rateLimitsAsked } from './ops/rate-limits.ts'
import { writeFileDurable } from './store/durable.ts'

export interface ServeOutput {
  stdout: { write(text: string): unknown }
  isTty: boolean
}

/** Serves until SIGTERM or SIGINT, and resolves when everything is closed. Rejects when it cannot start. */
export async function serve(config: Config, { stdout, isTty }: ServeOutput): Promise<void> {
  // All that can be refused is looked at before anything is written.
  const bootstrap = config.bootstrapFile === null ? null : await readBootstrap(config.bootstrapFile)
  await assertUsable(config.dataDir)
  await assertListenable(config)

  const log = openLog(logOf(config))
  await using dataDir = await openDataDir(config.dataDir, { random: randomBytes })
  const hub = await createHub(
    { ...config, rateLimits: rateLimitsAsked(bootstrap?.rateLimits, config.rateLimits) },
    dataDir,
    log,
  )
  const stop = stopRequested()
  try {
    const generated = bootstrap === null ? [] : await applyBootstrap(hub.deps, bootstrap)
    const generatedPath = join(dataDir.path, 'bootstrap-tokens')
    if (generated.length > 0) await storeGenerated(generatedPath, generated)
    const adminToken = await ensureAdmin(hub.deps, {
      adminToken: config.adminToken,
      storedToken: await dataDir.readAdminToken(),
      store: (token) => dataDir.writeAdminToken(token),
    })
    const { url } = await hub.listen()
    const reachable = reachableUrl(url)
    await dataDir.announce(reachable)
    stdout.write(
      formatBanner({
        url: config.publicUrl ?? reachable,
        dataDir: dataDir.path,
        adminToken,
        adminTokenPath: dataDir.adminTokenPath,
        isTty,
        generated: generated.length === 0 ? null : { count: generated.length, path: generatedPath },
      }),
    )
    flushCompileCache()
    const signal = await stop.requested
    log.info({ signal }, 'draining')
  } finally {
    await closeWithin(hub, STOP_MS, () => log.warn({}, 'the hub did not close in time'))
    stop.forget()
  }
}

/** Takes requests to the hub of a data directory that no process serves. */
export interface Administration extends AsyncDisposable {
  admin(request: AdminRequest): Promise<unknown>
}

/** DataDirError when a process serves the directory. */
export async function openToAdminister(config: Config): Promise<Administration> {
  await using opening = new AsyncDisposableStack()
  const dataDir = opening.use(await openDataDir(config.dataDir, { random: randomBytes, mustExist: true }))
  const hub = await createHub(config, dataDir, openLog(logOf(config)))
  opening.defer(() => hub.close())
  const opened = opening.move()
  return {
    admin: (request) => hub.admin(request),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

function logOf({ logLevel, logFormat }: Config): LogChoice {
  return { level: logLevel, format: logFormat }
}

async function readBootstrap(path: string): Promise<Bootstrap> {
  let text: string
  try {
    if ((await stat(path)).size > BOOTSTRAP_FILE_MAX_BYTES)
      throw new BootstrapError([`${path} has more than ${BOOTSTRAP_FILE_MAX_BYTES} bytes`])
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof BootstrapError) throw error
    throw new BootstrapError([`${path} cannot be read: ${(error as Error).message}`], { cause: error })
  }
  try {
    return parseBootstrap(text)
  } catch (error) {
    if (!(error instanceof BootstrapError)) throw error
    throw new BootstrapError([`${path}: ${error.message}`], { cause: error })
  }
}

/** The strings are stored nowhere else: an operator reads and removes this file. */
async function storeGenerated(path: string, generated: readonly GeneratedToken[]): Promise<void> {
  const before = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const lines = generated.map(({ user, name, token }) => `${user}\t${name}\t${token}\n`)
  await writeFileDurable(path, Buffer.from(before + lines.join('')), 0o600)
}

/**
 * Rejects with the system's error when the hub could not listen there, before a data directory is made. Listening
 * itself may still fail: the port is free again in between.
 */
async function assertListenable({ host, port }: Config): Promise<void> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject)
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve()))
  })
}

/** An address that listens everywhere is no address to connect to. */
function reachableUrl(listening: string): string {
  const url = new URL(listening)
  if (url.hostname === '0.0.0.0') url.hostname = '127.0.0.1'
  if (url.hostname === '[::]') url.hostname = '[::1]'
  return url.origin
}

/** The first signal asks for a drain; the second one ends the process at once. */
function stopRequested(): { requested: Promise<NodeJS.Signals>; forget: () => void } {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let asked = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) process.exit(signal === 'SIGINT' ? 130 : 143)
    asked = true
    resolve(signal)
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  return { requested: promise, forget: () => process.off('SIGINT', onSignal).off('SIGTERM', onSignal) }
}

/** The hub cuts open requests off by itself at its own limit; this is the limit for everything else. */
async function closeWithin(hub: Hub, limitMs: number, onLimit: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      onLimit()
      resolve()
    }, limitMs)
  })
  await Promise.race([hub.close(), limit])
  clearTimeout(timer)
}
