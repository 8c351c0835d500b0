/** The SQLite catalog keeps the contract, and keeps its file safe. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { afterAll, describe, expect, test } from 'vitest'

import { catalogContract } from './catalog.contract.ts'
import { SchemaVersionError } from './catalog.ts'
import { repo, user } from './contract/fixtures.ts'
import { MIGRATIONS } from './migrations/migrations.ts'
import type { Migration } from './migrations/migrations.ts'
import { openSqliteCatalog } from './sqlite.ts'

const root = mkdtempSync(join(tmpdir(), 'cairn-catalog-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const newFolder = () => mkdtempSync(join(root, 'db-'))

catalogContract('SQLite', (clock) =>
  openSqliteCatalog({ path: join(newFolder(), 'hub.db'), ...(clock && { clock }) }),
)

/** Names and bytes of everything in a folder. */
function contentsOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'base64')]),
  )
}

/** Numbers of this hub's schema and of the one after it. */
const NUMBER = String(MIGRATIONS.length)
const NEXT_NUMBER = String(MIGRATIONS.length + 1)
const NEXT: readonly Migration[] = [
  ...MIGRATIONS,
  ({ text }) => [`alter table accounts add column avatar ${text}`],
]

describe('the SQLite file', () => {
  test('all its files are for the owner only, and it writes ahead', async () => {
    const folder = newFolder()
    const path = join(folder, 'hub #1?.db')
    await using catalog = await openSqliteCatalog({ path })
    await catalog.tx((rows) => rows.accounts.insert(user('ann')))
    const modes = readdirSync(folder).map(
      (name) => `${name} ${(statSync(join(folder, name)).mode & 0o777).toString(8)}`,
    )
    expect(modes.toSorted()).toEqual(['hub #1?.db 600', 'hub #1?.db-shm 600', 'hub #1?.db-wal 600'])
    const other = new DatabaseSync(path, { readOnly: true })
    expect(other.prepare('pragma journal_mode').get()).toMatchObject({ journal_mode: 'wal' })
    other.close()
  })

  test('its epoch changes with each transaction that commits', async () => {
    await using catalog = await openSqliteCatalog({ path: join(newFolder(), 'hub.db') })
    const before = catalog.epoch
    await catalog.rows.accounts.get('nobody')
    await expect(catalog.tx(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(catalog.epoch).toBe(before)
    await catalog.tx((rows) => rows.accounts.insert(user('ann')))
    expect(catalog.epoch).not.toBe(before)
  })

  test('what was committed is there after closing and opening', async () => {
    const path = join(newFolder(), 'hub.db')
    {
      await using catalog = await openSqliteCatalog({ path })
      await catalog.tx((rows) => rows.accounts.insert(user('ann')))
    }
    await using catalog = await openSqliteCatalog({ path })
    expect(await catalog.rows.accounts.get('ann')).toEqual(user('ann'))
    expect(await catalog.rows.registries.list()).toHaveLength(1)
  })

  test.each([true, false])(
    'a newer schema is refused and not a byte changes (migrate: %s)',
    async (migrate) => {
      const folder = newFolder()
      const path = join(folder, 'hub.db')
      await (await openSqliteCatalog({ path, migrations: NEXT }))[Symbol.asyncDispose]()
      const before = contentsOf(folder)
      await expect(openSqliteCatalog({ path, migrate })).rejects.toMatchObject({
        name: 'SchemaVersionError',
        found: NEXT_NUMBER,
        expected: NUMBER,
      })
      expect(contentsOf(folder)).toEqual(before)
    },
  )

  test('a newer schema is seen in the log of a hub that is still running', async () => {
    const path = join(newFolder(), 'hub.db')
    await using running = await openSqliteCatalog({ path })
    await using newer = await openSqliteCatalog({ path, migrations: NEXT, migrate: true })
    await expect(openSqliteCatalog({ path, migrate: true })).rejects.toBeInstanceOf(SchemaVersionError)
    expect(await newer.rows.registries.list()).toHaveLength(1)
    expect(await running.rows.registries.list()).toHaveLength(1)
  })

  test('an older schema is brought forward with its rows when asked, and else refused', async () => {
    const folder = newFolder()
    const path = join(folder, 'hub.db')
    {
      await using catalog = await openSqliteCatalog({ path })
      await catalog.tx((rows) => rows.accounts.insert(user('ann')))
    }
    const before = contentsOf(folder)
    await expect(openSqliteCatalog({ path, migrations: NEXT })).rejects.toMatchObject({
      found: NUMBER,
      expected: NEXT_NUMBER,
    })
    expect(contentsOf(folder)).toEqual(before)
    await using catalog = await openSqliteCatalog({ path, migrations: NEXT, migrate: true })
    expect(await catalog.rows.accounts.get('ann')).toEqual(user('ann'))
    await expect(openSqliteCatalog({ path })).rejects.toMatchObject({ found: NEXT_NUMBER })
  })

  test('repositories of a hub from before lists are listed and found, and events ask for the rest', async () => {
    const path = join(newFolder(), 'hub.db')
    await (await openSqliteCatalog({ path, migrations: MIGRATIONS.slice(0, 1) }))[Symbol.asyncDispose]()
    const handle = new DatabaseSync(path)
    handle.exec(`insert into accounts (id, kind, name, name_key, is_admin, created_at)
      values ('ann', 'user', 'Ann', 'ann', 0, 1)`)
    for (const [id, deletedAt] of [
      ['tiny', 'null'],
      ['gone', '5'],
    ])
      handle.exec(`insert into repos (id, registry_id, owner_id, domain_id, type, namespace, namespace_key, name, name_key,
        private, disabled, default_ref, created_at, last_modified, refs_dirty, deleted_at) values ('${id}', 'default', 'ann',
        'ann', 'model', 'Ann', 'ann', '${id}', '${id}', 0, 0, 'refs/heads/main', 1, 1, 0, ${deletedAt})`)
    handle.close()
    await using catalog = await openSqliteCatalog({ path, migrate: true })
    const filter = {
      registryId: 'default',
      type: 'model' as const,
      visibility: 'all' as const,
      words: ['ann/t'],
      namespace: null,
      tags: [],
      anyTags: [],
      pipelineTag: null,
      parameters: null,
      links: [],
      linked: false,
    }
    expect(await catalog.rows.listing.count(filter, 9)).toBe(1)
    const events = await catalog.tx((rows) => rows.outbox.claim('changes', 1, 2, 9))
    expect(events.map(({ event }) => event)).toEqual([{ type: 'repo.created', repoId: 'tiny' }])
  })

  test('claims of before belong to the repositories, proofs stay, and what was refuted is asked about again', async () => {
    const path = join(newFolder(), 'hub.db')
    await (await openSqliteCatalog({ path, migrations: MIGRATIONS.slice(0, 5) }))[Symbol.asyncDispose]()
    const handle = new DatabaseSync(path)
    handle.exec(`insert into accounts (id, kind, name, name_key, is_admin, created_at)
      values ('ann', 'user', 'Ann', 'ann', 0, 1)`)
    handle.exec(`insert into repos (id, registry_id, owner_id, domain_id, type, namespace, namespace_key, name, name_key,
      private, disabled, default_ref, created_at, last_modified, refs_dirty) values ('tiny', 'default', 'ann',
      'ann', 'model', 'Ann', 'ann', 'tiny', 'tiny', 0, 0, 'refs/heads/main', 1, 1, 0)`)
    for (const state of ['claimed', 'verified', 'mismatch']) {
      handle.exec(`insert into xet_files (domain_id, hash, size_bytes, term_count, terms, sha256, sha256_state, created_at)
        values ('ann', 'f-${state}', 1, 0, x'', 'sha-${state}', '${state}', 1)`)
      handle.exec(
        `insert into repo_xet_files (repo_id, domain_id, hash) values ('tiny', 'ann', 'f-${state}')`,
      )
    }
    handle.close()
    await using catalog = await openSqliteCatalog({ path, migrate: true })
    const seen = async (state: string) => {
      const { claimedSha256, sha256 } = (await catalog.rows.xet.getFile('tiny', `f-${state}`))!
      return [claimedSha256, sha256]
    }
    expect(await seen('claimed')).toEqual(['sha-claimed', null])
    expect(await seen('verified')).toEqual(['sha-verified', 'sha-verified'])
    expect(await seen('mismatch')).toEqual(['sha-mismatch', null])
    const events = await catalog.tx((rows) => rows.outbox.claim('proofs', 1, 2, 9))
    expect(events.map(({ event }) => event)).toContainEqual({
      type: 'xet.file-registered',
      repoId: 'tiny',
      domainId: 'ann',
      hash: 'f-mismatch',
    })
  })

  test('a migration that fails half way leaves the old schema', async () => {
    const path = join(newFolder(), 'hub.db')
    await (await openSqliteCatalog({ path }))[Symbol.asyncDispose]()
    const broken: Migration = () => ['alter table accounts add column avatar text', 'select * from nowhere']
    await expect(
      openSqliteCatalog({ path, migrations: [...MIGRATIONS, broken], migrate: true }),
    ).rejects.toThrow()
    await using catalog = await openSqliteCatalog({ path })
    await catalog.tx((rows) => rows.accounts.insert(user('ann')))
    const handle = new DatabaseSync(path, { readOnly: true })
    const columns = handle.prepare('select name from pragma_table_info(?)').all('accounts')
    handle.close()
    expect(columns.map((column) => column['name'])).not.toContain('avatar')
  })

  test.each([
    ['a text file', () => Buffer.from('not a database at all')],
    ['random bytes', () => Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * 131) % 256))],
    [
      'the database of another program',
      () => {
        const path = join(newFolder(), 'other.db')
        const handle = new DatabaseSync(path)
        handle.exec('create table meta (key text, value text)')
        handle.close()
        return readFileSync(path)
      },
    ],
  ])('%s is refused and not a byte changes', async (_, make) => {
    const folder = newFolder()
    const path = join(folder, 'hub.db')
    writeFileSync(path, make())
    const before = contentsOf(folder)
    await expect(openSqliteCatalog({ path, migrate: true })).rejects.toBeInstanceOf(SchemaVersionError)
    expect(contentsOf(folder)).toEqual(before)
  })

  test('a log without its database is not replayed into a new one', async () => {
    const folder = newFolder()
    const path = join(folder, 'hub.db')
    writeFileSync(`${path}-wal`, 'the log of a lost database')
    const before = contentsOf(folder)
    await expect(openSqliteCatalog({ path })).rejects.toThrow(/write-ahead log/)
    expect(contentsOf(folder)).toEqual(before)
  })

  test('a creation that was cut off is started over', async () => {
    const folder = newFolder()
    const path = join(folder, 'hub.db')
    writeFileSync(`${path}.new`, 'half of a database')
    await using catalog = await openSqliteCatalog({ path })
    expect(await catalog.rows.registries.list()).toHaveLength(1)
    expect(readdirSync(folder)).not.toContain('hub.db.new')
  })

  test('a crowd of transactions lets timers run', async () => {
    await using catalog = await openSqliteCatalog({ path: join(newFolder(), 'hub.db') })
    await catalog.tx(async (rows) => {
      await rows.accounts.insert(user('ann'))
      await rows.repos.insert(repo('tiny', 'ann'))
    })
    let ticks = 0
    const timer = setInterval(() => (ticks += 1), 1)
    await Promise.all(
      Array.from({ length: 1000 }, (_, at) =>
        catalog.tx((rows) => rows.repos.update('tiny', { lastModified: at })),
      ),
    )
    clearInterval(timer)
    expect(ticks).toBeGreaterThan(0)
  })

  test('a killed hub has every row that it had acknowledged, and none without its event', async () => {
    const path = join(newFolder(), 'hub.db')
    const child = fork(join(import.meta.dirname, 'contract', 'crash-writer.ts'), [path])
    let acknowledged = -1
    child.on('message', (index: number) => {
      acknowledged = index
      if (index === 200) child.kill('SIGKILL')
    })
    await once(child, 'exit')
    expect(child.signalCode).toBe('SIGKILL')
    await using catalog = await openSqliteCatalog({ path })
    const ids = new Set((await catalog.rows.accounts.list('user')).map((row) => row.id))
    for (let index = 0; index <= acknowledged; index += 1) expect(ids).toContain(`u${index}`)
    expect(acknowledged).toBeGreaterThanOrEqual(200)
    expect(await catalog.rows.outbox.count()).toBe(ids.size)
  })
})
