/**
 * Everything that a hub keeps, as one value: to see that a refusal changed nothing. Left out is what requests note by
 * the way (when a token was last used) and what jobs do meanwhile.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { TestHub } from '@cairn/testkit/start-hub'
import { Client } from 'pg'
import { expect } from 'vitest'

import { parsePostgresUrl } from '../src/store/catalog/postgres-url.ts'

const NOTED_BY_THE_WAY: Readonly<Record<string, readonly string[]>> = {
  tokens: ['last_used_at'],
  xorbs: ['touched_at'],
  xet_files: ['sha256'],
}
const LEFT_OUT: ReadonlySet<string> = new Set([
  'outbox',
  'sqlite_sequence',
  'dedup_epochs',
  'path_versions',
  'repo_git_sizes',
])

export interface HubState {
  /** Rows as JSON by table. */
  catalog: Record<string, string[]>
  /** `repository id → ref → oid`, of the bare repositories. */
  projected: Record<string, Record<string, string>>
  blobs: string[]
}

export async function hubState({ hub, dataDir, databaseUrl }: TestHub): Promise<HubState> {
  const tables =
    databaseUrl === null ? readFileTables(join(dataDir, 'catalog.db')) : await readSchemaTables(databaseUrl)
  const catalog = catalogRows(tables)
  const projected: HubState['projected'] = {}
  for (const row of catalog['repos'] ?? []) {
    const repo = JSON.parse(row) as { id: string }
    projected[repo.id] = await refFiles(
      join(dataDir, 'repos', repo.id.slice(-2).toLowerCase(), `${repo.id}.git`),
    )
  }
  const blobs: string[] = []
  for await (const { key, sizeBytes } of hub.ops.blobs.list('')) blobs.push(`${key} ${sizeBytes}`)
  return { catalog, projected, blobs }
}

/** Read as files: asking git would take a process for each look. */
async function refFiles(gitDir: string): Promise<Record<string, string>> {
  const files = await readdir(join(gitDir, 'refs'), { recursive: true, withFileTypes: true })
  const refs: Record<string, string> = {}
  for (const file of files) {
    if (!file.isFile()) continue
    const path = join(file.parentPath, file.name)
    refs[relative(gitDir, path)] = await readFile(path, 'utf8')
  }
  return refs
}

/** Runs the story and fails when the hub afterwards keeps anything else than before. */
export async function expectUnchanged<T>(hub: TestHub, story: () => Promise<T>): Promise<T> {
  // Downloads of before are counted in batches.
  await hub.hub.ops.downloads.flush()
  const before = await hubState(hub)
  const result = await story()
  expect(await hubState(hub)).toEqual(before)
  return result
}

type Tables = ReadonlyMap<string, Record<string, unknown>[]>

function catalogRows(tables: Tables): HubState['catalog'] {
  const deleted = new Set(
    tables
      .get('repos')
      ?.filter((row) => row['deleted_at'] !== null)
      .map((row) => row['id']),
  )
  return Object.fromEntries(
    [...tables].map(([table, rows]) => {
      const noted = NOTED_BY_THE_WAY[table] ?? []
      const kept = rows
        // What a deleted repository leaves behind is a job's to remove.
        .filter((row) => table === 'audit' || !deleted.has(table === 'repos' ? row['id'] : row['repo_id']))
        .map((row) => JSON.stringify(row, (key, value: unknown) => (noted.includes(key) ? 0 : value)))
      return [table, kept.toSorted()]
    }),
  )
}

function readFileTables(path: string): Tables {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const names = database.prepare(`select name from sqlite_master where type = 'table' order by name`).all()
    return new Map(
      names
        .map(({ name }) => String(name))
        .filter((name) => !LEFT_OUT.has(name))
        .map((name) => [name, database.prepare(`select * from "${name}"`).all()]),
    )
  } finally {
    database.close()
  }
}

async function readSchemaTables(url: string): Promise<Tables> {
  const { connection, schema } = parsePostgresUrl(url)
  const client = new Client({ ...connection, options: `-c search_path=${schema}` })
  await client.connect()
  try {
    await client.query('begin isolation level repeatable read')
    const names = await client.query<{ name: string }>(
      `select tablename as name from pg_tables where schemaname = $1 order by tablename collate "C"`,
      [schema],
    )
    const tables = new Map<string, Record<string, unknown>[]>()
    for (const { name } of names.rows) {
      if (!LEFT_OUT.has(name)) tables.set(name, (await client.query(`select * from "${name}"`)).rows)
    }
    return tables
  } finally {
    await client.end()
  }
}
