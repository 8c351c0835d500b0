/**
 * Everything that a hub keeps, as one value: to see that a refusal changed nothing. Left out is what requests note by
 * the way (when a token was last used) and what jobs do meanwhile.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import type { TestHub } from '@cairn/testkit/start-hub'
import { expect } from 'vitest'

const NOTED_BY_THE_WAY: Readonly<Record<string, readonly string[]>> = {
  tokens: ['last_used_at'],
  xorbs: ['touched_at'],
  xet_files: ['sha256_state'],
}
const LEFT_OUT: ReadonlySet<string> = new Set(['outbox', 'sqlite_sequence', 'dedup_epochs'])

export interface HubState {
  /** Rows as JSON by table. */
  catalog: Record<string, string[]>
  /** `repository id → ref → oid`, of the bare repositories. */
  projected: Record<string, Record<string, string>>
  blobs: string[]
}

export async function hubState({ hub, dataDir }: TestHub): Promise<HubState> {
  const catalog = catalogRows(join(dataDir, 'catalog.db'))
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
  const before = await hubState(hub)
  const result = await story()
  expect(await hubState(hub)).toEqual(before)
  return result
}

function catalogRows(path: string): HubState['catalog'] {
  const database = new DatabaseSync(path, { readOnly: true })
  try {
    const tables = database
      .prepare(`select name from sqlite_master where type = 'table' order by name`)
      .all()
      .map(({ name }) => String(name))
      .filter((name) => !LEFT_OUT.has(name))
    const deleted = new Set(
      database
        .prepare('select id from repos where deleted_at is not null')
        .all()
        .map(({ id }) => id),
    )
    return Object.fromEntries(
      tables.map((table) => {
        // What a deleted repository leaves behind is a job's to remove.
        const rows = database
          .prepare(`select * from "${table}"`)
          .all()
          .filter(
            (row) =>
              table === 'audit' || !deleted.has((table === 'repos' ? row['id'] : row['repo_id']) ?? null),
          )
        const noted = NOTED_BY_THE_WAY[table] ?? []
        return [
          table,
          rows
            .map((row) => JSON.stringify(row, (key, value: unknown) => (noted.includes(key) ? 0 : value)))
            .toSorted(),
        ]
      }),
    )
  } finally {
    database.close()
  }
}
