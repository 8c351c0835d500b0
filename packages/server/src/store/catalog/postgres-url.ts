/**
 * Where a PostgreSQL catalog is: `postgres://user:password@host:port/database`, with `?schema=` (default `cairn`),
 * `?host=/folder` of a unix socket, `?sslmode=disable|require|verify-full` and `?sslrootcert=file`. What is left out
 * comes from libpq's PG… variables. The password is in `connection` and in nothing that is shown.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

import type { ClientConfig } from 'pg'

import { POSTGRES_CONNECT_MS, POSTGRES_STATEMENT_MS, SQL_LOCK_WAIT_MS } from '../../limits.ts'

export interface PostgresPlace {
  connection: ClientConfig
  schema: string
  /** For people: host, database and schema. */
  place: string
}

const DEFAULT_SCHEMA = 'cairn'
/** Never quoted, so never in need of it. */
const SCHEMA_NAME = /^[a-z_][a-z0-9_]{0,62}$/
const PARAMETERS: ReadonlySet<string> = new Set(['schema', 'host', 'user', 'sslmode', 'sslrootcert'])
const POSTGRES_URL = /^postgres(?:ql)?:/

export function isPostgresUrl(text: string): boolean {
  return POSTGRES_URL.test(text)
}

/** Throws an Error that says what is wrong with the URL without repeating any of it. Reads the certificate file. */
export function parsePostgresUrl(text: string): PostgresPlace {
  if (!isPostgresUrl(text) || !URL.canParse(text))
    throw new Error('not a URL of PostgreSQL: give one like postgres://user@db.example.org:5432/cairn')
  const url = new URL(text)
  const parameters = url.searchParams
  for (const name of parameters.keys())
    if (!PARAMETERS.has(name) || parameters.getAll(name).length > 1)
      throw new Error(`the URL may hold each of ${[...PARAMETERS].join(', ')} once, and nothing else`)
  const database = decode(url.pathname.slice(1))
  if (database === '' || database.includes('/')) throw new Error('the URL names no database')
  if (url.hash !== '') throw new Error('the URL has a fragment: write # in a password as %23')
  const schema = parameters.get('schema') ?? DEFAULT_SCHEMA
  if (!SCHEMA_NAME.test(schema) || schema.startsWith('pg_'))
    throw new Error('the schema may hold lower-case letters, digits and _ only, and does not begin with pg_')
  const host = parameters.get('host') ?? decode(url.hostname.replace(/^\[(.*)\]$/, '$1'))
  const user = decode(url.username) || parameters.get('user')
  const connection: ClientConfig = {
    ...(host && { host }),
    ...(url.port && { port: Number(url.port) }),
    ...(user && { user }),
    ...(url.password && { password: decode(url.password) }),
    ...tls(parameters.get('sslmode'), parameters.get('sslrootcert')),
    database,
    application_name: 'cairn',
    keepAlive: true,
    connectionTimeoutMillis: POSTGRES_CONNECT_MS,
    statement_timeout: POSTGRES_STATEMENT_MS,
    // The server ends a long statement by itself; this is for a server that is gone.
    query_timeout: POSTGRES_STATEMENT_MS + POSTGRES_CONNECT_MS,
    lock_timeout: SQL_LOCK_WAIT_MS,
  }
  const address = `${host || 'localhost'}${url.port && `:${url.port}`}`
  return { connection, schema, place: `'${database}' at ${address} (schema ${schema})` }
}

/** The two numbers of the advisory lock that makes one writer of all hubs on a schema. */
export function writerLock(schema: string): string {
  const hash = createHash('sha256').update(schema).digest().readInt32BE(0)
  return `${0x43524e31}, ${hash}` // 'CRN1'
}

function tls(mode: string | null, rootFile: string | null): Pick<ClientConfig, 'ssl'> {
  switch (mode) {
    case null:
      return {}
    case 'disable':
      return { ssl: false }
    case 'require':
      return { ssl: { rejectUnauthorized: false } }
    case 'verify-full':
      return { ssl: { rejectUnauthorized: true, ...(rootFile && { ca: readFileSync(rootFile, 'utf8') }) } }
    default:
      throw new Error('sslmode is none of disable, require, verify-full')
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part)
  } catch {
    // Its own message would repeat the part, which may be the password.
    throw new Error('the URL has a % that encodes nothing: write % itself as %25')
  }
}
