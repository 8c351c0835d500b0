/** What an operator types, and what the hub makes of it. */
import { expect, test } from 'vitest'

import { ConfigError, readConfig, type ConfigFlags } from './config.ts'

function read(flags: ConfigFlags = {}, env: NodeJS.ProcessEnv = {}): ReturnType<typeof readConfig> {
  return readConfig({ flags, env, cwd: '/home/ada' })
}

function problemsOf(flags: ConfigFlags, env: NodeJS.ProcessEnv = {}): string[] {
  try {
    read(flags, env)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as ConfigError).message.split('\n')
  }
  throw new Error('the configuration was accepted')
}

test('without any choice the hub serves this machine only, from the current directory', () => {
  expect(read()).toEqual({
    dataDir: '/home/ada/cairn-data',
    databaseUrl: null,
    host: '127.0.0.1',
    port: 8080,
    publicUrl: null,
    bootstrapFile: null,
    adminToken: null,
    trustedProxies: [],
    dedupDomain: 'owner',
    deleteGraceHours: 72,
    gcGraceHours: 672,
    gcIntervalHours: 24,
    lfsMigration: { isOn: true, delayHours: 24, graceHours: 168 },
    scrubDays: 30,
    rateLimits: { windowS: 300, failures: 100, quotas: null },
    logLevel: 'warn',
    logFormat: 'json',
    accountQuotaBytes: null,
    repoQuotaBytes: null,
  })
})

test('variables choose, flags win, empty variables are absent', () => {
  const env = {
    CAIRN_DATA: '/srv/cairn',
    CAIRN_DATABASE: 'postgres://cairn:s3cret@db.example.org/hub?sslmode=require',
    CAIRN_HOST: '0.0.0.0',
    CAIRN_PORT: '9000',
    CAIRN_PUBLIC_URL: 'https://hub.example.org/',
    CAIRN_BOOTSTRAP: 'users.json',
    CAIRN_ADMIN_TOKEN: 'hf_chosen',
    CAIRN_TRUSTED_PROXIES: '10.0.0.0/8, ::1',
    CAIRN_DEDUP_DOMAIN: 'instance',
    CAIRN_DELETE_GRACE_HOURS: '0.5',
    CAIRN_GC_GRACE_HOURS: '1000',
    CAIRN_GC_INTERVAL_HOURS: '0',
    CAIRN_LFS_MIGRATION: 'delay=0,grace=0.5',
    CAIRN_RATE_LIMITS: 'off',
    CAIRN_LOG_LEVEL: '',
  }
  expect(read({ port: '0', data: 'elsewhere' }, env)).toEqual({
    dataDir: '/home/ada/elsewhere',
    databaseUrl: 'postgres://cairn:s3cret@db.example.org/hub?sslmode=require',
    host: '0.0.0.0',
    port: 0,
    publicUrl: 'https://hub.example.org',
    bootstrapFile: '/home/ada/users.json',
    adminToken: 'hf_chosen',
    trustedProxies: ['10.0.0.0/8', '::1/128'],
    dedupDomain: 'instance',
    deleteGraceHours: 0.5,
    gcGraceHours: 1000,
    gcIntervalHours: 0,
    lfsMigration: { isOn: true, delayHours: 0, graceHours: 0.5 },
    scrubDays: 30,
    rateLimits: { windowS: 300, failures: null, quotas: null },
    logLevel: 'warn',
    logFormat: 'json',
    accountQuotaBytes: null,
    repoQuotaBytes: null,
  })
})

test.each([
  ['https://example.org/models/hub///', 'https://example.org/models/hub'],
  ['http://localhost:8080', 'http://localhost:8080'],
  ['HTTPS://Hub.Example.org:443/', 'https://hub.example.org'],
])('the public URL %s is the base %s', (given, base) => {
  expect(read({ publicUrl: given }).publicUrl).toBe(base)
})

test.each<[string, ConfigFlags, NodeJS.ProcessEnv, string]>([
  ['a port above the last', { port: '65536' }, {}, '--port'],
  ['a port with a sign', {}, { CAIRN_PORT: '+80' }, 'CAIRN_PORT'],
  ['an empty port flag', { port: '' }, {}, '--port'],
  ['a host with a scheme', { host: 'http://x' }, {}, '--host'],
  ['a public URL of another scheme', { publicUrl: 'ftp://x' }, {}, '--public-url'],
  ['a public URL with a query', { publicUrl: 'http://x/?a' }, {}, '--public-url'],
  ['a public URL with credentials', { publicUrl: 'http://u:p@x' }, {}, '--public-url'],
  ['a public URL with an inner double slash', { publicUrl: 'http://x/a//b' }, {}, '--public-url'],
  ['a host name as proxy', {}, { CAIRN_TRUSTED_PROXIES: 'proxy.local' }, 'CAIRN_TRUSTED_PROXIES'],
  ['a proxy range too narrow', {}, { CAIRN_TRUSTED_PROXIES: '10.0.0.0/33' }, 'CAIRN_TRUSTED_PROXIES'],
  ['a database of another kind', { database: 'mysql://x/hub' }, {}, '--database'],
  ['a database without a name', { database: 'postgres://x' }, {}, '--database'],
  ['a schema that needs quotes', {}, { CAIRN_DATABASE: 'postgres://x/hub?schema=A' }, 'CAIRN_DATABASE'],
  ['an unknown parameter', {}, { CAIRN_DATABASE: 'postgres://x/hub?ssl=1' }, 'CAIRN_DATABASE'],
  ['an unknown domain', {}, { CAIRN_DEDUP_DOMAIN: 'repo' }, 'CAIRN_DEDUP_DOMAIN'],
  ['a token that clients refuse', {}, { CAIRN_ADMIN_TOKEN: 'api_org_x' }, 'CAIRN_ADMIN_TOKEN'],
  ['an unknown rate limit', { rateLimits: 'apis=5' }, {}, '--rate-limits'],
  ['a rate limit of nothing', {}, { CAIRN_RATE_LIMITS: 'api=0' }, 'CAIRN_RATE_LIMITS'],
  ['an unknown level', { logLevel: 'loud' }, {}, '--log-level'],
])('%s is refused by the name of its source', (_, flags, env, source) => {
  expect(problemsOf(flags, env)).toEqual([expect.stringMatching(new RegExp(`^${source}: .+`))])
})

test('every bad value has its own line, and a secret is in none', () => {
  const problems = problemsOf(
    { port: 'x' },
    {
      CAIRN_DATABASE: 'postgres://u:s%cret@x/hub',
      CAIRN_ADMIN_TOKEN: 'se cret',
      CAIRN_DEDUP_DOMAIN: 'line\nbreak',
    },
  )
  expect(problems.map((line) => line.split(':')[0])).toEqual([
    'CAIRN_DATABASE',
    '--port',
    'CAIRN_ADMIN_TOKEN',
    'CAIRN_DEDUP_DOMAIN',
  ])
  expect(problems.join()).not.toContain('cret')
})
