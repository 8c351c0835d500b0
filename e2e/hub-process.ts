/**
 * A real hub: its own process, its own data directory, real accounts. Knows the command line and the standard
 * streams of `cairn serve` and nothing of its insides. Its end throws when the hub has left anything that it must not.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

import { chosenDatabase } from '@cairn/testkit/test-postgres'
import { afterEach } from 'vitest'

import { complaintsAbout } from './left-behind.ts'

export const cairnBin = join(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  'packages',
  'cli',
  'bin',
  'cairn.js',
)

/** Chosen tokens: the hub must take them exactly as given. */
export const tokens = {
  alice: 'hf_aliceWrites0123456789abcdefghijklmnopq',
  aliceReader: 'hf_aliceReads00123456789abcdefghijklmnopq',
  bob: 'hf_bobWrites000123456789abcdefghijklmnopq',
}

const bootstrap = {
  users: [
    {
      name: 'alice',
      fullname: 'Alice Liddell',
      email: 'alice@example.org',
      tokens: [
        { name: 'write', role: 'write', token: tokens.alice },
        { name: 'read', role: 'read', token: tokens.aliceReader },
      ],
    },
    { name: 'bob', tokens: [{ name: 'write', role: 'write', token: tokens.bob }] },
  ],
  orgs: [{ name: 'acme', fullname: 'Acme', members: [{ user: 'alice', role: 'admin' }] }],
  rateLimits: false,
}

const startMaxMs = 30_000
const stopMaxMs = 20_000

export interface HubProcess extends AsyncDisposable {
  /** Without a trailing slash. */
  readonly url: string
  readonly dataDir: string
  readonly pid: number
  /** Alice's write token. */
  readonly token: string
  /** Everything the process wrote to its standard streams, restarts included. */
  log(): string
  /** Sends the signal and resolves with the exit code once the process is gone; null when a signal ended it. */
  kill(signal: NodeJS.Signals): Promise<number | null>
  /** Stops by SIGTERM, when still running, and starts on the same data directory and port. */
  restart(): Promise<void>
}

export interface HubOptions {
  /** An existing data directory, left in place at the end. By default a fresh one that is removed. */
  dataDir?: string
  env?: Record<string, string>
  /** Lines at error level that the test provokes; any other one fails it when the hub ends. */
  expectedErrors?: RegExp
}

export async function startHub(options: HubOptions = {}): Promise<HubProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-e2e-'))
  const dataDir = options.dataDir ?? join(folder, 'data')
  const bootstrapFile = join(folder, 'bootstrap.json')
  const outside = join(folder, 'outside')
  await mkdir(outside)
  await writeFile(bootstrapFile, JSON.stringify(bootstrap))
  const database = await chosenDatabase(dataDir)
  let log = ''
  let hub: { process: ChildProcess; url: string }

  async function start(port: string): Promise<void> {
    const args = [cairnBin, 'serve', '--port', port, '--data', dataDir, '--bootstrap', bootstrapFile]
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: outside,
      env: cleanEnv({
        HOME: outside,
        TMPDIR: outside,
        // Code that Node has compiled, which is no file of the hub's, stays where each hub of the run finds it.
        NODE_COMPILE_CACHE: join(tmpdir(), 'node-compile-cache'),
        ...(database === null ? {} : { CAIRN_DATABASE: database }),
        ...options.env,
      }),
    })
    child.stdout.on('data', (text: Buffer) => (log += text.toString()))
    child.stderr.on('data', (text: Buffer) => (log += text.toString()))
    try {
      hub = { process: child, url: await waitForUrl(child) }
      await waitForHealth(hub.url)
    } catch (error) {
      child.kill('SIGKILL')
      throw new Error(`the hub did not start:\n${log}`, { cause: error })
    }
  }

  async function kill(signal: NodeJS.Signals): Promise<number | null> {
    const { process: child } = hub
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const exit = once(child, 'exit')
    child.kill(signal)
    const escalation = setTimeout(() => child.kill('SIGKILL'), stopMaxMs)
    const [code] = (await exit) as [number | null]
    clearTimeout(escalation)
    return code
  }

  await start('0')
  return {
    get url() {
      return hub.url
    },
    get pid() {
      return hub.process.pid ?? 0
    },
    dataDir,
    token: tokens.alice,
    log: () => log,
    kill,
    async restart() {
      await kill('SIGTERM')
      await start(new URL(hub.url).port)
    },
    async [Symbol.asyncDispose]() {
      await kill('SIGTERM')
      const { expectedErrors = null } = options
      const complaints = await complaintsAbout({ log, dataDir, outside, expectedErrors })
      await rm(folder, { recursive: true, force: true })
      if (complaints.length > 0) throw new Error(`the hub left behind:\n${complaints.join('\n')}`)
    },
  }
}

/** Call while tests are collected: a failed test of the file then ends with these words. */
export function printOnFailure(report: () => string): void {
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(`--- ${task.name}\n${report()}`)
  })
}

/** The machine's own settings for the hub, its clients or proxies must not leak into a test. */
export function cleanEnv(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(?:HF_|HUGGING|CAIRN_|XDG_|NODE_OPTIONS$|VITEST|.*_PROXY$)/i.test(name),
  )
  return { ...Object.fromEntries(kept), ...extra }
}

/** The URL that a starting hub prints, from its standard output. */
export async function waitForUrl(child: ChildProcess): Promise<string> {
  const { stdout } = child
  if (stdout === null) throw new Error('its standard output is not piped')
  let printed = ''
  const url = new Promise<string>((resolve, reject) => {
    stdout.on('data', (text: Buffer) => {
      printed += text.toString()
      const match = /http:\/\/127\.0\.0\.1:\d+(?=\D)/.exec(printed)
      if (match !== null) resolve(match[0])
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`exit ${code ?? signal} before a URL was printed`)))
  })
  const timer = new AbortController()
  const tooLate = delay(startMaxMs, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`no URL within ${startMaxMs} ms`)
  })
  tooLate.catch(() => {})
  try {
    return await Promise.race([url, tooLate])
  } finally {
    timer.abort()
  }
}

export async function waitForHealth(url: string): Promise<void> {
  const deadline = Date.now() + startMaxMs
  for (;;) {
    const response = await fetch(`${url}/health`).catch(() => null)
    await response?.body?.cancel()
    if (response?.ok === true) return
    if (Date.now() > deadline) throw new Error(`GET /health: ${response?.status ?? 'no answer'}`)
    await delay(20)
  }
}
