/** An operator moves a hub from its SQLite file to PostgreSQL and back, with the commands of the manual. */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { openDataDir } from '@cairn/server/data-dir'
import { testPostgres, withSchema } from '@cairn/testkit/test-postgres'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

const BIN = join(import.meta.dirname, '../bin/cairn.js')
const server = await testPostgres()
let dir: string

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'cairn-migrate-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

function cairn(
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; out: string; err: string }> {
  const options = { cwd: dir, env: { PATH: process.env['PATH'], ...env } }
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], options, (error, out, err) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, out, err }),
    )
  })
}

/** A data directory with a hub in it that has a user. */
async function makeHub(env: NodeJS.ProcessEnv = {}): Promise<void> {
  const dataDir = await openDataDir(join(dir, 'cairn-data'), { random: randomBytes })
  await dataDir[Symbol.asyncDispose]()
  expect(await cairn(['admin', 'user', 'create', 'alice'], env)).toMatchObject({ code: 0 })
}

describe.skipIf(server === null)('migrate-database', () => {
  test('the users are there on PostgreSQL, and after the way back on SQLite', async () => {
    const url = withSchema(server!)
    await makeHub()
    const there = await cairn(['admin', 'migrate-database', '--to', url])
    expect(there).toMatchObject({ code: 0 })
    expect(there.out).toMatch(/read back and is the same.*\n.*with --database/)
    expect(there.err).toContain('verified accounts: 1 rows')

    const env = { CAIRN_DATABASE: url }
    expect(await cairn(['admin', 'user', 'create', 'bob'], env)).toMatchObject({ code: 0 })
    expect((await cairn(['admin', 'user', 'list', '--json'], env)).out).toContain('"alice"')

    const full = await cairn(['admin', 'migrate-database', '--from', url])
    expect(full).toMatchObject({ code: 1 })
    expect(full.err).toContain('not empty')
    await rm(join(dir, 'cairn-data/catalog.db'))
    const back = await cairn(['admin', 'migrate-database', '--from', url])
    expect(back).toMatchObject({ code: 0 })
    expect(back.out).toContain('without --database')
    const users = (await cairn(['admin', 'user', 'list', '--json'])).out
    expect(users).toContain('"alice"')
    expect(users).toContain('"bob"')
  })
})

test('a database that is not there is one line without the password', async () => {
  await makeHub()
  const url = 'postgres://ann:s3cret@127.0.0.1:1/hub'
  const expected =
    /^cairn: the database 'hub' at 127\.0\.0\.1:1 \(schema cairn\) cannot be used: nothing listens there\n$/
  for (const words of [
    ['migrate-database', '--to', url],
    ['user', 'list'],
  ]) {
    const { code, out, err } = await cairn(['admin', ...words], { CAIRN_DATABASE: url })
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(err).toMatch(expected)
  }
  const served = await cairn(['serve', '--port', '0', '--database', url, '--log-level', 'trace'])
  expect(served.code).toBe(1)
  expect(served.err).toMatch(expected)
})

test.each([
  ['no end', [], /--to or --from/],
  ['a database of another kind', ['--to', 'mysql://u:s3cret@x/y'], /--to: give postgres/],
  ['a URL without a database', ['--to', 'postgres://u:s3cret@x'], /--to: the URL names no database/],
])('%s is a misuse', async (_, args, said) => {
  const { code, err } = await cairn(['admin', 'migrate-database', ...args])
  expect(code).toBe(2)
  expect(err).toMatch(said)
  expect(err).not.toContain('s3cret')
})
