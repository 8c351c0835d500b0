/** The PostgreSQL catalog keeps the contract, and does with other hubs and other people's tables what it should. */
import { setTimeout as sleep } from 'node:timers/promises'

import { testPostgres, withSchema } from '@cairn/testkit/test-postgres'
import { Client } from 'pg'
import { describe, expect, test } from 'vitest'

import { catalogContract } from './catalog.contract.ts'
import { CatalogUnavailableError, SchemaVersionError, UniqueViolationError } from './catalog.ts'
import { repo, user } from './contract/fixtures.ts'
import { MIGRATIONS } from './migrations/migrations.ts'
import type { Migration } from './migrations/migrations.ts'
import { parsePostgresUrl, writerLock } from './postgres-url.ts'
import { openPostgresCatalog } from './postgres.ts'

const server = await testPostgres()
const newUrl = (): string => withSchema(server!)

const NEXT: readonly Migration[] = [
  ...MIGRATIONS,
  ({ text }) => [`alter table accounts add column avatar ${text}`],
]

/** As the database's own administrator. */
async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const { connection, schema } = parsePostgresUrl(url)
  const client = new Client({ ...connection, options: `-c search_path=${schema}` })
  await client.connect()
  try {
    return (await client.query(sql)).rows as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}

/** Everything that is in a schema: its tables' rows and columns. */
async function contentsOf(url: string): Promise<unknown> {
  const { schema } = parsePostgresUrl(url)
  const columns = await query(
    url,
    `select table_name, column_name, data_type from information_schema.columns
     where table_schema = '${schema}' order by 1, 2`,
  )
  const tables = [...new Set(columns.map((column) => column['table_name'] as string))]
  return [columns, await Promise.all(tables.map((table) => query(url, `select * from ${table}`)))]
}

describe.skipIf(server === null)('PostgreSQL', () => {
  catalogContract('PostgreSQL', (clock) => openPostgresCatalog({ url: newUrl(), ...(clock && { clock }) }))

  describe('the schema', () => {
    test('what was committed is there after closing and opening', async () => {
      const url = newUrl()
      {
        await using catalog = await openPostgresCatalog({ url })
        await catalog.tx((rows) => rows.accounts.insert(user('ann')))
      }
      await using catalog = await openPostgresCatalog({ url })
      expect(await catalog.rows.accounts.get('ann')).toEqual(user('ann'))
      expect(await catalog.rows.registries.list()).toHaveLength(1)
    })

    test('the schema given beside the URL is the one', async () => {
      const url = newUrl()
      const { schema } = parsePostgresUrl(url)
      await using catalog = await openPostgresCatalog({ url: server!, schema })
      await catalog.tx((rows) => rows.accounts.insert(user('ann')))
      await using same = await openPostgresCatalog({ url })
      expect(await same.rows.accounts.get('ann')).not.toBeNull()
    })

    test('hubs that start at once on an empty database make one catalog', async () => {
      const url = newUrl()
      const catalogs = await Promise.all(Array.from({ length: 5 }, () => openPostgresCatalog({ url })))
      for (const catalog of catalogs) {
        expect(await catalog.rows.registries.list()).toHaveLength(1)
        await catalog[Symbol.asyncDispose]()
      }
    })

    test.each([true, false])(
      'a newer schema is refused and nothing changes (migrate: %s)',
      async (migrate) => {
        const url = newUrl()
        await (await openPostgresCatalog({ url, migrations: NEXT }))[Symbol.asyncDispose]()
        const before = await contentsOf(url)
        await expect(openPostgresCatalog({ url, migrate })).rejects.toMatchObject({
          name: 'SchemaVersionError',
          found: String(NEXT.length),
          expected: String(MIGRATIONS.length),
        })
        expect(await contentsOf(url)).toEqual(before)
      },
    )

    test('an older schema is brought forward with its rows when asked, and else refused', async () => {
      const url = newUrl()
      await using running = await openPostgresCatalog({ url })
      await running.tx((rows) => rows.accounts.insert(user('ann')))
      await running.rows.accounts.get('ann')
      await running.rows.accounts.get('ann') // Prepared by now.
      const before = await contentsOf(url)
      await expect(openPostgresCatalog({ url, migrations: NEXT })).rejects.toMatchObject({
        found: String(MIGRATIONS.length),
      })
      expect(await contentsOf(url)).toEqual(before)
      await using catalog = await openPostgresCatalog({ url, migrations: NEXT, migrate: true })
      expect(await catalog.rows.accounts.get('ann')).toEqual(user('ann'))
      expect(await running.rows.accounts.get('ann')).toEqual(user('ann'))
      await expect(openPostgresCatalog({ url })).rejects.toBeInstanceOf(SchemaVersionError)
    })

    test('a migration that fails half way leaves the old schema', async () => {
      const url = newUrl()
      await (await openPostgresCatalog({ url }))[Symbol.asyncDispose]()
      const before = await contentsOf(url)
      const broken: Migration = () => ['alter table accounts add column avatar text', 'select * from nowhere']
      const migrations = [...MIGRATIONS, broken]
      await expect(openPostgresCatalog({ url, migrations, migrate: true })).rejects.toThrow(/nowhere/)
      expect(await contentsOf(url)).toEqual(before)
    })

    test.each([
      ['a table of another program', 'create table things (id int)'],
      ['a meta table with other columns', 'create table meta (name text)'],
      [
        'a meta table that looks like ours',
        `create table meta (key text, value text); insert into meta values ('schema_version', '1')`,
      ],
    ])('%s is refused and nothing changes', async (_, sql) => {
      const url = newUrl()
      await query(url, `create schema ${parsePostgresUrl(url).schema}; ${sql}`)
      const before = await contentsOf(url)
      await expect(openPostgresCatalog({ url, migrate: true })).rejects.toBeInstanceOf(SchemaVersionError)
      expect(await contentsOf(url)).toEqual(before)
    })
  })

  describe('hubs that share a database', () => {
    test('have one writer: what a transaction checked is true until it commits', async () => {
      const url = newUrl()
      await using one = await openPostgresCatalog({ url })
      await using two = await openPostgresCatalog({ url })
      // Nothing in the schema forbids a third account; only the check does.
      const join = (catalog: typeof one, id: string): Promise<boolean> =>
        catalog.tx(async (rows) => {
          if ((await rows.accounts.list('user')).length >= 2) return false
          await sleep(1)
          await rows.accounts.insert(user(id))
          return true
        })
      const joined = await Promise.all(
        Array.from({ length: 20 }, (_, index) => join(index % 2 === 0 ? one : two, `u${index}`)),
      )
      expect(joined.filter(Boolean)).toHaveLength(2)
      expect(await one.rows.accounts.list('user')).toHaveLength(2)
    })

    test('claim each event once', async () => {
      const url = newUrl()
      const hubs = await Promise.all(
        Array.from({ length: 4 }, () => openPostgresCatalog({ url, clock: () => 1000 })),
      )
      await hubs[0]!.tx(async (_, emit) => {
        for (let index = 0; index < 300; index += 1) emit({ type: 'repo.created', repoId: `r${index}` })
      })
      const claims = await Promise.all(
        Array.from({ length: 40 }, (_, index) =>
          hubs[index % 4]!.tx((rows) => rows.outbox.claim('changes', 1000, 2000, 10)),
        ),
      )
      const ids = claims.flat().map((row) => row.id)
      expect(ids).toHaveLength(300)
      expect(new Set(ids).size).toBe(300)
      for (const hub of hubs) await hub[Symbol.asyncDispose]()
    })

    test('run into a taken name, of which the second hears', async () => {
      const url = newUrl()
      await using one = await openPostgresCatalog({ url })
      await using two = await openPostgresCatalog({ url })
      const results = await Promise.allSettled([
        one.tx((rows) => rows.accounts.insert(user('a', 'Ann'))),
        two.tx((rows) => rows.accounts.insert(user('b', 'ANN'))),
      ])
      const refused = results.filter((result) => result.status === 'rejected')
      expect(refused.map((result) => (result.reason as Error).name)).toEqual([UniqueViolationError.name])
    })

    test('see what another one committed, at once', async () => {
      const url = newUrl()
      await using one = await openPostgresCatalog({ url })
      await using two = await openPostgresCatalog({ url })
      await one.tx(async (rows) => {
        await rows.accounts.insert(user('ann'))
        await rows.repos.insert(repo('tiny', 'ann'))
      })
      expect(await two.rows.repos.get('tiny')).toMatchObject({ ownerId: 'ann' })
    })
  })

  describe('a broken connection', () => {
    /** Ends the connection that holds this schema's writer lock. */
    const disconnect = (url: string): Promise<unknown> => {
      const [group, key] = writerLock(parsePostgresUrl(url).schema).split(', ').map(Number)
      return query(
        url,
        `select pg_terminate_backend(pid) from pg_locks
         where locktype = 'advisory' and classid = ${group} and objid = ${key! >>> 0}`,
      )
    }

    test('in a transaction undoes it, says so, and the next one goes on', async () => {
      const url = newUrl()
      await using catalog = await openPostgresCatalog({ url })
      const lost = catalog.tx(async (rows, emit) => {
        await rows.accounts.insert(user('ann'))
        emit({ type: 'repo.created', repoId: 'r1' })
        await disconnect(url)
        await rows.accounts.insert(user('bob'))
      })
      await expect(lost).rejects.toMatchObject({ name: 'CatalogUnavailableError', status: 503 })
      await catalog.tx((rows) => rows.accounts.insert(user('cyn')))
      expect((await catalog.rows.accounts.list('user')).map((row) => row.id)).toEqual(['cyn'])
      expect(await catalog.rows.outbox.count()).toBe(0)
    })

    test('while nobody speaks on it does not end the process', async () => {
      const url = newUrl()
      await using catalog = await openPostgresCatalog({ url })
      const lost = catalog.tx(async (rows) => {
        await rows.accounts.insert(user('ann'))
        await disconnect(url)
        await sleep(50)
      })
      await expect(lost).rejects.toMatchObject({ reason: expect.stringContaining('not known') as string })
      expect(await catalog.rows.accounts.list('user')).toEqual([])
    })
  })

  describe('a server that cannot be used', () => {
    const failure = async (url: string): Promise<CatalogUnavailableError> => {
      const error: unknown = await openPostgresCatalog({ url }).then(
        () => null,
        (reason: unknown) => reason,
      )
      expect(error).toBeInstanceOf(CatalogUnavailableError)
      return error as CatalogUnavailableError
    }

    test.each([
      ['a closed port', 'postgres://ann:s3cret@127.0.0.1:1/cairn', 'nothing listens there'],
      ['a missing socket', 'postgres:///cairn?host=/nowhere&user=ann', 'there is no such socket'],
      ['an unknown host', 'postgres://ann:s3cret@no-such-host.invalid/cairn', 'there is no such host'],
    ])('%s has a reason in one line', async (_, url, reason) => {
      expect((await failure(url)).reason).toBe(reason)
    })

    test('a wrong password is refused and repeated nowhere', async () => {
      const name = `guest_${process.pid}`
      await query(server!, `drop role if exists ${name}; create role ${name} login password 'right'`)
      const host = new URL(server!).searchParams.get('host')!
      const url = `postgres://${name}:wr0ng@x/postgres?host=${host}`
      const error = await failure(url)
      expect(error.reason).toBe('it refuses this user or password')
      expect(JSON.stringify([error, error.message, error.place, error.stack, error.cause])).not.toContain(
        'wr0ng',
      )
      const withoutRight = await failure(url.replace('wr0ng', 'right'))
      expect(withoutRight.reason).toBe('this user may not make or use the tables there')
    })

    test('a missing database is named', async () => {
      const url = server!.replace('///postgres', '///nowhere')
      const error = await failure(url)
      expect(error.reason).toBe('there is no such database')
      expect(error.place).toContain("'nowhere'")
    })
  })
})
