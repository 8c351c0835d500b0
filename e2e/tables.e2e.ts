/** Tables as files of a dataset: pandas, polars, pyarrow, dask and DuckDB, through HfFileSystem and by address. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, inject } from 'vitest'

import { cellsOf } from './cells.ts'
import { isFull } from './generations.ts'
import { printOnFailure, startHub } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { libraryMounts, mountPath } from './mount.ts'
import { startPython } from './python-walk.ts'
import type { PythonWalk, Step } from './python-walk.ts'
import { startRecorder } from './recorder.ts'
import type { Exchange, Recorder } from './recorder.ts'

const { pythonTables, pythonHttpfs } = inject('libraries')
/** The sum of the ids of the 50,000 rows that the program writes. */
const ids = 1_249_975_000

function readsOf(exchanges: Exchange[], file: string): Exchange[] {
  return exchanges.filter(({ method, path }) => method === 'GET' && path.endsWith(`/resolve/main/${file}`))
}

describe.each(libraryMounts)('tables at %s', (mount) => {
  const skip = pythonTables === null
  const cells = (client: string, version: string) => cellsOf({ client, version, mount, xet: null }, { skip })
  const stack = new AsyncDisposableStack()
  let hub: HubProcess
  let recorder: Recorder
  let walk: PythonWalk
  let home: string
  let url: string
  beforeAll(async () => {
    if (pythonTables === null) return
    home = await mkdtemp(join(tmpdir(), 'cairn-e2e-tables-'))
    stack.defer(() => rm(home, { recursive: true, force: true }))
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    url = recorder.url + (await mountPath(hub, mount))
    const plan = { repo: 'alice/tables', hidden: 'alice/hidden' }
    walk = stack.use(startPython(pythonTables, 'read_tables.py', plan, { ...recorder, url }, { home }))
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => (skip ? '' : `${recorder.report()}\n${walk.complaints()}\n--- ${hub.log()}`))

  const next = async (name: string): Promise<Step<Record<string, unknown>>> => walk.next(name)

  cells('pandas', '3.1')('hf:// reads and writes', async () => {
    expect((await next('pandas')).facts).toEqual({
      parquet: ids,
      columns: ['name'],
      csv: ids,
      json: ids,
      tagged: 50_000,
      hidden: 10,
    })
  })

  cells('pandas', '3.1')('by address', async () => {
    const { facts } = await next('pandas by address')
    expect(facts).toEqual({ parquet: 50_000, csv: 50_000, hidden: 10, anonymous: 'HTTPError' })
  })

  cells('polars', '2.1')('HfFileSystem reads and writes', async () => {
    expect((await next('polars')).facts).toEqual({
      rows: [
        [1, 'a'],
        [2, 'b'],
      ],
      hidden: 10,
    })
  })

  cells('polars', '2.1')('by address, in ranges', async () => {
    const { facts, exchanges } = await next('polars by address')
    expect(facts).toEqual({ scanned: [49_998, 49_999], csv: ids })
    const reads = readsOf(exchanges, 'frames/one.parquet')
    expect(new Set(reads.map(({ status }) => status))).toEqual(new Set([206]))
  })

  cells('pyarrow', '26.0')('one row group of a file', async () => {
    const { facts, exchanges } = await next('pyarrow')
    expect(facts).toEqual({ rows: 50_000, groups: 10, last: 49_999 })
    const reads = readsOf(exchanges, 'frames/one.parquet')
    const sizeBytes = reads.reduce((sum, { responseBodySizeBytes }) => sum + responseBodySizeBytes, 0)
    expect(sizeBytes).toBeGreaterThan(0)
    expect(sizeBytes).toBeLessThan(400_000)
  })

  cells('dask', '2026.8')('partitions are written at the same time', async () => {
    expect((await next('dask')).facts).toEqual({ partitions: 6, ids })
  })

  cells('DuckDB', '2.0')('register_filesystem reads, globs and writes', async () => {
    expect((await next('duckdb')).facts).toEqual({
      one: [[50_000, 49_999]],
      globbed: [[50_000]],
      csv: [[ids]],
      written: [[42]],
      hidden: [[10]],
    })
  })

  if (!isFull) return
  const httpfs = cellsOf(
    { client: 'DuckDB', version: '1.5', mount, xet: null },
    { skip: skip || pythonHttpfs === null },
  )
  httpfs('httpfs reads by address, with a secret what is private', async () => {
    await using program = startPython(pythonHttpfs!, 'query_urls.py', {}, { ...recorder, url }, { home })
    recorder.take()
    const { facts, exchanges } = await program.next('httpfs')
    expect(facts).toEqual({
      one: [[50_000, 49_999]],
      csv: [[ids]],
      hidden: [[10]],
      anonymous: 'HTTPException',
    })
    const reads = readsOf(exchanges, 'frames/one.parquet')
    expect(new Set(reads.map(({ status }) => status))).toEqual(new Set([206]))
  })
})
