/** A catalog moved from one engine to the other and back is the same, and a copy that fails leaves nothing. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { testPostgres, withSchema } from '@cairn/testkit/test-postgres'
import { afterAll, describe, expect, test } from 'vitest'

import type { Catalog } from './catalog.ts'
import { org, repo, token, user, xetFile, xorb } from './contract/fixtures.ts'
import { copyCatalog } from './copy.ts'
import type { TableProgress } from './copy.ts'
import { openPostgresCatalog } from './postgres.ts'
import { openSqliteCatalog } from './sqlite.ts'

const server = await testPostgres()
const root = mkdtempSync(join(tmpdir(), 'cairn-copy-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const newPath = (): string => join(mkdtempSync(join(root, 'db-')), 'hub.db')
const sqlite = (path: string) => ({ kind: 'sqlite', path }) as const
const postgres = (url: string) => ({ kind: 'postgres', url }) as const

/** At least one row in every table, more than a batch in some, and values that are easily spoilt. */
async function fill(catalog: Catalog): Promise<void> {
  await catalog.tx(async (rows, emit) => {
    await rows.accounts.insert(user('ann', 'Ann 李 🦉', { isAdmin: true, email: '', createdAt: 2 ** 53 - 1 }))
    await rows.accounts.insert(org('acme'))
    for (let index = 0; index < 600; index += 1) await rows.accounts.insert(user(`u-${index}_${index % 7}`))
    await rows.accounts.setMember({ orgId: 'acme', userId: 'ann', role: 'admin' })
    await rows.registries.insert({ id: 'g1', orgId: 'acme', slug: 'Models', createdAt: 1 })
    await rows.tokens.insert(token('t1', 'ann', { grants: '[]' }))
    await rows.repos.insert(repo('tiny', 'ann', { private: true, sdk: 'docker' }))
    await rows.repos.insert(repo('gone', 'ann', { deletedAt: 5, createdBy: null }))
    await rows.refs.swap('tiny', 'refs/heads/Z', null, 'c1', 1)
    await rows.refs.swap('tiny', 'refs/heads/a', null, 'c1', 1)
    await rows.index.put({
      repoId: 'tiny',
      commitOid: 'c1',
      pipelineTag: null,
      numParameters: 2 ** 40,
      text: 'Crème 🦉',
      tags: ['A', 'b'],
      links: [{ kind: 'dataset', target: 'Ann/Set' }],
      facts: '{}',
      files: null,
    })
    await rows.retained.insert({ repoId: 'tiny', oid: 'c1', reason: 'package', createdAt: 1 })
    await rows.blobs.insertLfs({ domainId: 'ann', oid: 'l1', sizeBytes: 2 ** 40, createdAt: 1 })
    await rows.blobs.linkLfs('tiny', 'l1', 1)
    await rows.lfsMigrations.insert({ domainId: 'ann', oid: 'l1' }, 2 ** 52)
    await rows.xet.insertXorb(xorb('x1', 'ann', { chunks: Uint8Array.from({ length: 512 }, (_, i) => i) }))
    await rows.xet.insertFile('tiny', xetFile('f1', 'ann', { claimedSha256: 'a'.repeat(64) }), ['x1'])
    await rows.xet.notePathVersions('tiny', [{ pathKey: 'p', oid: 'a'.repeat(64), landedAt: 1 }])
    await rows.xet.insertShard({
      id: 's1',
      domainId: 'ann',
      repoId: 'tiny',
      createdAt: 1,
      xorbHashes: ['x1'],
      chunks: Array.from({ length: 700 }, (_, index) => ({ hash: `c${index}`, xorbHash: 'x1' })),
    })
    const unneeded = { domainId: 'ann', name: 'l2', sizeBytes: 2 ** 40 }
    await rows.collection.doomStray('lfs', unneeded, 6)
    await rows.repos.insert(repo('moved', 'ann'))
    await rows.repos.move('moved', { ownerId: 'acme', domainId: 'acme', namespace: 'acme', name: 'moved' })
    const old = { registryId: 'default', type: 'model', namespace: 'Ann', name: 'Moved' } as const
    await rows.oldNames.insert(old, 'moved', 2, 10)
    await rows.likes.insert({ userId: 'ann', repoId: 'tiny', createdAt: 3 })
    await rows.quotas.set('account', 'ann', 9_000_000_000)
    await rows.quotas.set('repo', 'tiny', null)
    await rows.quotas.setGitBytes('tiny', 4_000_000_000)
    await rows.locks.insert({ id: 'k1', repoId: 'tiny', path: 'a.bin', ownerId: 'ann', lockedAt: 4 })
    await rows.damage.note({ key: 'lfs/ann/00', problem: 'is damaged', foundAt: 7 })
    await rows.damage.setScrub({ after: 'lfs/ann/00', startedAt: 8 })
    await rows.xet.insertEpoch({ id: 'e1', key: new Uint8Array(32), endsAt: 9 })
    await rows.downloads.add([{ repoId: 'tiny', day: 20_000, count: 3 }])
    await rows.audit.insert({
      id: 'a1',
      at: 1,
      actorId: null,
      action: 'x',
      repoId: null,
      subject: '\u007f"\\',
      details: '{}',
    })
    for (const repoId of ['r1', 'r2', 'r3']) emit({ type: 'repo.created', repoId })
  })
  const [first] = await catalog.tx((rows) =>
    rows.outbox.claim('changes', Date.now() + 1000, Date.now() + 2000, 1),
  )
  await catalog.tx((rows) => rows.outbox.done(first!.id))
}

async function filledFile(): Promise<string> {
  const path = newPath()
  await using catalog = await openSqliteCatalog({ path })
  await fill(catalog)
  return path
}

function contentsOf(path: string): Record<string, string> {
  const folder = join(path, '..')
  return Object.fromEntries(
    readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'base64')]),
  )
}

/** All rows of a file's tables but `meta`, in a fixed order. */
function rowsOf(path: string): unknown {
  const handle = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = handle.prepare(`select name from sqlite_master where type = 'table' order by name`).all()
    return tables
      .map((table) => table['name'] as string)
      .filter((name) => name !== 'meta' && !/^(?:sqlite|repo_search)_?/.test(name))
      .map((name) => {
        const rows = handle.prepare(`select * from ${name}`).all()
        return [name, rows.map((row) => JSON.stringify(row)).toSorted()]
      })
  } finally {
    handle.close()
  }
}

test('a file copied into a file is the same, table by table, and the source is not touched', async () => {
  const path = await filledFile()
  const before = contentsOf(path)
  const copy = newPath()
  const progress: TableProgress[] = []
  const counts = await copyCatalog({
    from: sqlite(path),
    to: sqlite(copy),
    onProgress: (p) => progress.push(p),
  })
  expect(contentsOf(path)).toEqual(before)
  const rows = rowsOf(path) as [string, string[]][]
  // Else the copy of some table is not tested.
  expect(rows.filter(([, list]) => list.length === 0)).toEqual([])
  expect(rowsOf(copy)).toEqual(rows)
  expect(counts).toEqual(new Map(rows.map(([name, list]) => [name, list.length])))
  const seen = progress.filter((p) => p.table === 'dedup_chunks').map((p) => [p.step, p.rows, p.done])
  expect(seen).toEqual([
    ['copied', 250, false],
    ['copied', 500, false],
    ['copied', 700, true],
    ['verified', 250, false],
    ['verified', 500, false],
    ['verified', 700, true],
  ])
})

test('a target that holds something is refused and stays as it is', async () => {
  const path = await filledFile()
  const other = newPath()
  {
    await using catalog = await openSqliteCatalog({ path: other })
    await catalog.tx((rows) => rows.accounts.insert(user('bob')))
  }
  const before = rowsOf(other)
  await expect(copyCatalog({ from: sqlite(path), to: sqlite(other) })).rejects.toThrow(/not empty/)
  expect(rowsOf(other)).toEqual(before)
})

test('a source that is not there is not made', async () => {
  const path = newPath()
  await expect(copyCatalog({ from: sqlite(path), to: sqlite(newPath()) })).rejects.toThrow(/no catalog/)
  expect(readdirSync(join(path, '..'))).toEqual([])
})

describe.skipIf(server === null)('with PostgreSQL', () => {
  test('there and back again every row is the same, and the hub goes on from there', async () => {
    const path = await filledFile()
    const before = contentsOf(path)
    const url = withSchema(server!)
    await copyCatalog({ from: sqlite(path), to: postgres(url) })
    expect(contentsOf(path)).toEqual(before)
    const back = newPath()
    await copyCatalog({ from: postgres(url), to: sqlite(back) })
    expect(rowsOf(back)).toEqual(rowsOf(path))

    for (const open of [() => openPostgresCatalog({ url }), () => openSqliteCatalog({ path: back })]) {
      await using catalog = await open()
      await catalog.tx(async (rows, emit) => {
        await rows.repos.insert(repo('next', 'ann'))
        emit({ type: 'repo.created', repoId: 'r4' })
      })
      const claimed = await catalog.tx((rows) =>
        rows.outbox.claim('changes', Date.now() + 9000, Date.now() + 9001, 9),
      )
      expect(claimed.map(({ event }) => event.repoId)).toEqual(['r2', 'r3', 'r4'])
      expect(await catalog.rows.accounts.get('ann')).toMatchObject({ createdAt: 2 ** 53 - 1, email: '' })
    }
  })

  test('a row that the target cannot hold stops the copy, and leaves a target that the next try can use', async () => {
    const path = await filledFile()
    const damage = new DatabaseSync(path)
    damage.exec(`update audit set subject = 'a' || char(0) || 'b'`)
    const url = withSchema(server!)
    await expect(copyCatalog({ from: sqlite(path), to: postgres(url) })).rejects.toThrow(/rows of audit/)
    {
      await using catalog = await openPostgresCatalog({ url })
      expect(await catalog.rows.accounts.list('user')).toEqual([])
      expect(await catalog.rows.registries.list()).toHaveLength(1)
    }
    damage.exec(`update audit set subject = 'mended'`)
    damage.close()
    await copyCatalog({ from: sqlite(path), to: postgres(url) })
  })

  test('a copy that came out different is not committed', async () => {
    const path = await filledFile()
    const url = withSchema(server!)
    await (await openPostgresCatalog({ url }))[Symbol.asyncDispose]()
    const { Client } = await import('pg')
    const { parsePostgresUrl } = await import('./postgres-url.ts')
    const { connection, schema } = parsePostgresUrl(url)
    const client = new Client({ ...connection, options: `-c search_path=${schema}` })
    await client.connect()
    await client.query(`create function ${schema}.spoil() returns trigger language plpgsql as
      $$ begin new.terms = '\\x00'; return new; end $$`)
    await client.query(
      `create trigger spoil before insert on xet_files for each row execute function ${schema}.spoil()`,
    )
    await client.end()
    await expect(copyCatalog({ from: sqlite(path), to: postgres(url) })).rejects.toThrow(/xet_files differs/)
    await using catalog = await openPostgresCatalog({ url })
    expect(await catalog.rows.accounts.list('user')).toEqual([])
  })

  test('while a PostgreSQL catalog is copied nobody writes to it, and a missing one is not made', async () => {
    const url = withSchema(server!)
    await expect(copyCatalog({ from: postgres(url), to: sqlite(newPath()) })).rejects.toThrow(/no catalog/)
    await using catalog = await openPostgresCatalog({ url })
    await fill(catalog)
    let copied = false
    let write: Promise<unknown> | undefined
    await copyCatalog({
      from: postgres(url),
      to: sqlite(newPath()),
      onProgress({ step, done }) {
        write ??= catalog.tx(async () => copied)
        if (step === 'verified' && done) copied = true
      },
    })
    expect(await write).toBe(true)
  })
})
