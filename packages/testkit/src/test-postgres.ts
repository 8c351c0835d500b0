/**
 * One PostgreSQL server for a whole run of the tests, started when the first test asks for it. The run's main process
 * offers it on a unix socket (`offerPostgres`); test processes ask there (`testPostgres`). Each test takes a schema.
 */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'

import { findPostgres, startPostgres } from './start-postgres.ts'
import type { TestPostgres } from './start-postgres.ts'

const OFFER = 'CAIRN_TEST_POSTGRES_OFFER'

/** Returns what ends the offer and the server. Processes started from now on can ask. */
export async function offerPostgres(): Promise<() => Promise<void>> {
  // Several projects of one run, one server.
  if (process.env[OFFER] !== undefined) return async () => {}
  const folder = await mkdtemp(join(tmpdir(), 'cairn-offer-'))
  let started: Promise<TestPostgres | null> | undefined
  const server = createServer((socket) => {
    started ??= findPostgres().then((bin) => (bin === null ? null : startPostgres(bin)))
    started.then(
      (postgres) => socket.end(JSON.stringify({ url: postgres?.url ?? null })),
      (error: Error) => socket.end(JSON.stringify({ error: error.message })),
    )
    socket.on('error', () => {}) // Who asked has gone.
  })
  server.listen((process.env[OFFER] = join(folder, 'offer')))
  await once(server, 'listening')
  return async () => {
    server.close()
    await (await started?.catch(() => null))?.[Symbol.asyncDispose]()
    await rm(folder, { recursive: true, force: true })
  }
}

/** URL of the run's server; null where PostgreSQL is not installed, which CI does not forgive. */
export async function testPostgres(): Promise<string | null> {
  const path = process.env[OFFER]
  if (path === undefined) throw new Error('Nobody offers PostgreSQL: run this with vitest')
  const answer = JSON.parse(await text(connect(path))) as { url?: string | null; error?: string }
  if (answer.error !== undefined) throw new Error(answer.error)
  const url = answer.url ?? null
  if (url === null && process.env['CI'] === 'true') throw new Error('PostgreSQL is not installed')
  return url
}

/** A schema of this name's own; one that nobody had before without a name. */
export function withSchema(url: string, name: string = randomBytes(16).toString('hex')): string {
  const schema = `t_${createHash('sha256').update(name).digest('hex').slice(0, 20)}`
  return `${url}&schema=${schema}`
}
