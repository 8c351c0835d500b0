/**
 * What an operator may choose, read once at the start: the only reader of process.env. Flags win over `CAIRN_*`
 * variables; an empty variable counts as absent. A bad value is one line that names where it came from.
 */
import { isIP } from 'node:net'
import { resolve } from 'node:path'

import { printable } from '@cairn/protocol/repo-id'

import {
  DELETE_GRACE_HOURS,
  DELETE_GRACE_MAX_HOURS,
  GC_GRACE_HOURS,
  GC_HOURS_MAX,
  GC_INTERVAL_HOURS,
  SCRUB_DAYS,
  SCRUB_DAYS_MAX,
} from './limits.ts'
import { parseBytes } from './ops/byte-size.ts'
import { FAILURES_ONLY, parseRateLimits, type RateLimits } from './ops/rate-limits.ts'
import { tokenProblem } from './ops/token-string.ts'
import { parseMigration, USUAL_MIGRATION, type MigrationPolicy } from './ops/xet/migration-policy.ts'
import { parsePostgresUrl } from './store/catalog/postgres-url.ts'

export interface Config {
  dataDir: string
  /** URL of PostgreSQL, perhaps with a password: never shown. Null: the data directory's own SQLite file. */
  databaseUrl: string | null
  host: string
  /** 0: the system picks one. */
  port: number
  /** Fixed external base without a trailing slash, perhaps with a path prefix; null: taken from each request. */
  publicUrl: string | null
  bootstrapFile: string | null
  adminToken: string | null
  /** CIDR ranges whose `X-Forwarded-*` headers are believed. */
  trustedProxies: string[]
  dedupDomain: 'owner' | 'instance'
  /** How long a deleted repository can be restored. */
  deleteGraceHours: number
  /** How long collection keeps a blob that nothing needs any more. */
  gcGraceHours: number
  /** From one run of collection to the next; 0: only by hand. */
  gcIntervalHours: number
  /** Bytes that an account, or a repository, may have when nothing else was chosen for it; null: any number. */
  accountQuotaBytes: number | null
  repoQuotaBytes: number | null
  /** Whether LFS objects become Xet files by themselves. */
  lfsMigration: MigrationPolicy
  /** Everything that is stored is read once in so many days; 0: never. */
  scrubDays: number
  rateLimits: RateLimits
  logLevel: LogLevel
  logFormat: LogFormat
}

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
/** `pretty` is for people. */
export const LOG_FORMATS = ['json', 'pretty'] as const
export type LogFormat = (typeof LOG_FORMATS)[number]
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface ConfigFlags {
  data?: string | undefined
  database?: string | undefined
  host?: string | undefined
  port?: string | undefined
  publicUrl?: string | undefined
  bootstrap?: string | undefined
  deleteGrace?: string | undefined
  gcGrace?: string | undefined
  gcInterval?: string | undefined
  accountQuota?: string | undefined
  repoQuota?: string | undefined
  lfsMigration?: string | undefined
  scrubDays?: string | undefined
  rateLimits?: string | undefined
  logLevel?: string | undefined
  logFormat?: string | undefined
}

export interface ConfigSources {
  flags: ConfigFlags
  env: NodeJS.ProcessEnv
  cwd: string
  /** Whether people read the log as it is written. */
  isLogWatched?: boolean
}

/** One or more values that cannot be used; one line each. */
export class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigError'
  }
}

export function readConfig({ flags, env, cwd, isLogWatched = false }: ConfigSources): Config {
  const problems: string[] = []

  /** The value of a flag, else of a variable, parsed; the default when both are absent or the value is bad. */
  function setting<T>(
    flag: string | undefined,
    flagName: string | null,
    variable: string,
    absent: T,
    parse: (text: string) => T,
  ): T {
    const text = flag ?? (env[variable] || undefined)
    if (text === undefined) return absent
    try {
      return parse(text)
    } catch (error) {
      const source = flag === undefined ? variable : flagName
      problems.push(`${source}: ${(error as Error).message}`)
      return absent
    }
  }
  const path = (text: string): string => resolve(cwd, nonEmpty(text))

  const config: Config = {
    dataDir: setting(flags.data, '--data', 'CAIRN_DATA', resolve(cwd, 'cairn-data'), path),
    databaseUrl: setting<string | null>(flags.database, '--database', 'CAIRN_DATABASE', null, parseDatabase),
    host: setting(flags.host, '--host', 'CAIRN_HOST', '127.0.0.1', parseHost),
    port: setting(flags.port, '--port', 'CAIRN_PORT', 8080, parsePort),
    publicUrl: setting<string | null>(
      flags.publicUrl,
      '--public-url',
      'CAIRN_PUBLIC_URL',
      null,
      parsePublicUrl,
    ),
    bootstrapFile: setting<string | null>(flags.bootstrap, '--bootstrap', 'CAIRN_BOOTSTRAP', null, path),
    adminToken: setting<string | null>(undefined, null, 'CAIRN_ADMIN_TOKEN', null, parseToken),
    trustedProxies: setting<string[]>(undefined, null, 'CAIRN_TRUSTED_PROXIES', [], parseProxies),
    dedupDomain: setting(undefined, null, 'CAIRN_DEDUP_DOMAIN', 'owner', oneOf(['owner', 'instance'])),
    accountQuotaBytes: setting<number | null>(
      flags.accountQuota,
      '--account-quota',
      'CAIRN_ACCOUNT_QUOTA',
      null,
      parseQuota,
    ),
    repoQuotaBytes: setting<number | null>(
      flags.repoQuota,
      '--repo-quota',
      'CAIRN_REPO_QUOTA',
      null,
      parseQuota,
    ),
    deleteGraceHours: setting(
      flags.deleteGrace,
      '--delete-grace',
      'CAIRN_DELETE_GRACE_HOURS',
      DELETE_GRACE_HOURS,
      hoursUpTo(DELETE_GRACE_MAX_HOURS),
    ),
    gcGraceHours: setting(
      flags.gcGrace,
      '--gc-grace',
      'CAIRN_GC_GRACE_HOURS',
      GC_GRACE_HOURS,
      hoursUpTo(GC_HOURS_MAX),
    ),
    gcIntervalHours: setting(
      flags.gcInterval,
      '--gc-interval',
      'CAIRN_GC_INTERVAL_HOURS',
      GC_INTERVAL_HOURS,
      hoursUpTo(GC_HOURS_MAX),
    ),
    lfsMigration: setting(
      flags.lfsMigration,
      '--lfs-migration',
      'CAIRN_LFS_MIGRATION',
      USUAL_MIGRATION,
      parseMigration,
    ),
    scrubDays: setting(flags.scrubDays, '--scrub-days', 'CAIRN_SCRUB_DAYS', SCRUB_DAYS, parseScrubDays),
    rateLimits: setting(
      flags.rateLimits,
      '--rate-limits',
      'CAIRN_RATE_LIMITS',
      FAILURES_ONLY,
      parseRateLimits,
    ),
    logFormat: setting<LogFormat>(
      flags.logFormat,
      '--log-format',
      'CAIRN_LOG_FORMAT',
      isLogWatched ? 'pretty' : 'json',
      oneOf(LOG_FORMATS),
    ),
    logLevel: setting<LogLevel>(flags.logLevel, '--log-level', 'CAIRN_LOG_LEVEL', 'warn', oneOf(LOG_LEVELS)),
  }
  if (problems.length > 0) throw new ConfigError(problems)
  return config
}

function nonEmpty(text: string): string {
  if (text.trim() === '' || text.includes('\0')) throw new Error('a path is needed')
  return text
}

function parseDatabase(text: string): string {
  parsePostgresUrl(text)
  return text
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new Error(`'${printable(text)}' is not a port: give a number from 0 to 65535 (0 picks a free one)`)
  return port
}

function hoursUpTo(max: number): (text: string) => number {
  return (text) => {
    const hours = Number(text)
    if (!/^\d{1,6}(?:\.\d{1,6})?$/.test(text) || hours > max)
      throw new Error(`'${printable(text)}' is not a time: give hours from 0 (none) to ${max}`)
    return hours
  }
}

function parseQuota(text: string): number | null {
  if (text === 'none') return null
  const bytes = parseBytes(text)
  if (bytes === null)
    throw new Error(`'${printable(text)}' is not a quota: give bytes like 500GB or 1.5TiB, or none`)
  return bytes
}

function parseScrubDays(text: string): number {
  const days = Number(text)
  if (text.trim() === '' || !(days >= 0 && days <= SCRUB_DAYS_MAX))
    throw new Error(`'${printable(text)}' is not a number of days from 0 (never) to ${SCRUB_DAYS_MAX}`)
  return days
}

function parseHost(text: string): string {
  const host = text.replace(/^\[(.*)\]$/, '$1')
  if (isIP(host) === 0 && !/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(host))
    throw new Error(
      `'${printable(text)}' is not an address to listen on: give one like 127.0.0.1, 0.0.0.0 or ::`,
    )
  return host
}

function parsePublicUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new Error(
      `'${printable(text)}' is not a URL: give one like https://hub.example.org or https://example.org/hub`,
    )
  if (url.username !== '' || url.password !== '')
    throw new Error('a public URL carries no user name or password')
  if (url.search !== '' || url.hash !== '') throw new Error('a public URL has no query and no fragment')
  const prefix = url.pathname.replace(/\/+$/, '')
  if (prefix.includes('//') || !/^[A-Za-z0-9/._~-]*$/.test(prefix))
    throw new Error(
      `the path '${printable(prefix)}' may hold letters, digits, '/', '.', '_', '~' and '-' only`,
    )
  return url.origin + prefix
}

function parseToken(text: string): string {
  const problem = tokenProblem(text)
  if (problem !== null) throw new Error(problem)
  return text
}

function parseProxies(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((range) => {
      const [address = '', bits, ...rest] = range.split('/')
      const bitsMax = isIP(address) === 6 ? 128 : 32
      const valid = isIP(address) !== 0 && rest.length === 0 && !address.includes('%')
      if (!valid || (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > bitsMax)))
        throw new Error(`'${printable(range)}' is not an address range: give a list like 10.0.0.0/8,fd00::/8`)
      return `${address}/${bits === undefined ? bitsMax : Number(bits)}`
    })
}

function oneOf<T extends string>(choices: readonly T[]): (text: string) => T {
  return (text) => {
    const choice = choices.find((c) => c === text)
    if (choice === undefined) throw new Error(`'${printable(text)}' is none of ${choices.join(', ')}`)
    return choice
  }
}
