/** A whole hub inside the test's process, on a free port and a directory of its own. */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { readConfig } from '@cairn/server/config'
import { openDataDir } from '@cairn/server/data-dir'
import { createHub, type Hub, type HubOptions } from '@cairn/server/hub'
import { openLog } from '@cairn/server/log'
import { applyBootstrap, parseBootstrap } from '@cairn/server/ops/bootstrap'

import { chosenDatabase } from './test-postgres.ts'

export interface TestHub extends AsyncDisposable {
  hub: Hub
  /** No trailing slash. */
  url: string
  dataDir: string
  /** Of PostgreSQL; null when the catalog is the directory's SQLite file. */
  databaseUrl: string | null
  /** A request with this account's token, with a token, or without one for null. */
  fetch(
    account: keyof typeof TOKENS | `hf_${string}` | null,
    path: string,
    init?: RequestInit,
  ): Promise<Response>
}

/** Write tokens, but for `reader`, whose account is alice's. */
export const TOKENS = {
  alice: `hf_alice${'0'.repeat(30)}`,
  bob: `hf_bob${'0'.repeat(32)}`,
  reader: `hf_reader${'0'.repeat(29)}`,
  root: `hf_root${'0'.repeat(31)}`,
} as const

const BOOTSTRAP = {
  users: [
    {
      name: 'alice',
      tokens: [
        { name: 'write', role: 'write', token: TOKENS.alice },
        { name: 'read', role: 'read', token: TOKENS.reader },
      ],
    },
    { name: 'bob', tokens: [{ name: 'write', role: 'write', token: TOKENS.bob }] },
    { name: 'root', tokens: [{ name: 'write', role: 'write', token: TOKENS.root }] },
  ],
  orgs: [{ name: 'acme', members: [{ user: 'alice', role: 'admin' }] }],
}

export interface StartHubOptions extends HubOptions {
  /** As the command line's flags. */
  flags?: Parameters<typeof readConfig>[0]['flags']
  /** As the environment. Without a word of it nothing is limited: tests send many wrong credentials from one address. */
  env?: Record<string, string>
  /** Takes up an earlier hub's directory instead of a fresh one; it is then left in place. */
  dataDir?: string
  /** Gets log lines; standard error when absent. */
  writeLog?: (line: string) => void
  /**
   * URL of PostgreSQL; null for SQLite. When absent, `CAIRN_TEST_DATABASE` decides: `postgres` gives every data
   * directory a schema of its own in the run's PostgreSQL.
   */
  database?: string | null
}

export async function startHub({
  flags,
  env,
  dataDir: given,
  database,
  writeLog,
  ...options
}: StartHubOptions = {}): Promise<TestHub> {
  const path = given ?? (await mkdtemp(join(tmpdir(), 'cairn-test-')))
  const databaseUrl = database === undefined ? await chosenDatabase(path) : database
  const config = readConfig({
    flags: { port: '0', database: databaseUrl ?? undefined, ...flags, data: path },
    env: {
      CAIRN_LOG_LEVEL: process.env['CAIRN_LOG_LEVEL'] ?? 'fatal',
      CAIRN_RATE_LIMITS: 'off',
      ...env,
    },
    cwd: path,
  })
  const dataDir = await openDataDir(path, { random: options.random ?? randomBytes })
  const hub = await createHub(
    config,
    dataDir,
    openLog({ level: config.logLevel, format: config.logFormat }, writeLog),
    options,
  )
  await applyBootstrap(hub.deps, parseBootstrap(JSON.stringify(BOOTSTRAP)))
  const root = await hub.ops.catalog.rows.accounts.getByName('root')
  if (root !== null) await hub.ops.catalog.tx((rows) => rows.accounts.update(root.id, { isAdmin: true }))
  const { url } = await hub.listen()
  return {
    hub,
    url,
    dataDir: path,
    databaseUrl: config.databaseUrl,
    fetch(account, target, init = {}) {
      const headers = new Headers(init.headers)
      if (account !== null)
        headers.set('Authorization', `Bearer ${account in TOKENS ? TOKENS[account as 'alice'] : account}`)
      return fetch(url + target, { ...init, headers })
    },
    async [Symbol.asyncDispose]() {
      await hub.close()
      await dataDir[Symbol.asyncDispose]()
      if (given === undefined) await rm(path, { recursive: true, force: true })
    },
  }
}
