/** `datasets`: pushes in shards, loads, streams; and what becomes of pushes that meet another commit. */
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
import type { Recorder } from './recorder.ts'

const { pythonTables, pythonDatasets41 } = inject('libraries')
const variants = [
  { version: '5.2', python: pythonTables, retries: false },
  ...(isFull ? [{ version: '4.1', python: pythonDatasets41, retries: true }] : []),
].flatMap((variant) => libraryMounts.map((mount) => ({ ...variant, mount })))

/** The sum of `count` ids from `first` on. */
const sumFrom = (first: number, count: number): number => count * first + (count * (count - 1)) / 2
const first = { rows: 1000, ids: sumFrom(0, 1000), last: 'row 999' }
const second = { rows: 30, ids: sumFrom(20_000, 30), last: 'row 20029' }
const tests = { rows: 100, ids: sumFrom(5000, 100), last: 'row 5099' }
const shards = (split: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => {
    const [at, of] = [index, count].map((number) => String(number).padStart(5, '0'))
    return `data/${split}-${at}-of-${of}.parquet`
  })

describe.each(variants)('datasets $version at $mount', ({ version, python, retries, mount }) => {
  const skip = python === null
  const step = cellsOf({ client: 'datasets', version, mount, xet: true }, { skip })
  const stack = new AsyncDisposableStack()
  let hub: HubProcess
  let recorder: Recorder
  let walk: PythonWalk
  beforeAll(async () => {
    if (python === null) return
    const home = await mkdtemp(join(tmpdir(), 'cairn-e2e-datasets-'))
    stack.defer(() => rm(home, { recursive: true, force: true }))
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    const url = recorder.url + (await mountPath(hub, mount))
    const plan = { repo: 'alice/rows', other: 'acme/hidden' }
    const env = { TMPDIR: home }
    walk = stack.use(startPython(python, 'push_datasets.py', plan, { ...recorder, url }, { home, env }))
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => (skip ? '' : `${recorder.report()}\n${walk.complaints()}\n--- ${hub.log()}`))

  const next = async (name: string): Promise<Step<Record<string, unknown>>> => walk.next(name)

  step('push_to_hub in several shards', async () => {
    const { facts } = await next('push')
    const data = [...shards('test', 1), ...shards('train', 5)]
    expect(facts).toEqual({ files: ['.gitattributes', 'README.md', ...data], splits: ['test', 'train'] })
  })

  step('load_dataset', async () => {
    expect((await next('load')).facts).toEqual({ splits: { train: first, test: tests } })
  })

  step('streaming reads ranges', async () => {
    const { facts, exchanges } = await next('stream')
    expect(facts).toEqual({ shards: 5, ids: first.ids, skipped: 'row 700' })
    const reads = exchanges.filter(({ method, path }) => method === 'GET' && path.includes('.parquet'))
    expect(new Set(reads.map(({ status }) => status))).toEqual(new Set([206]))
  })

  step('a second push replaces the shards of its split', async () => {
    const { facts } = await next('push again')
    const data = [...shards('test', 1), ...shards('train', 3)]
    expect(facts).toEqual({
      files: ['.gitattributes', 'README.md', ...data],
      now: second,
      earlier: first,
      short: first,
    })
  })

  step('the same push again changes no data', async () => {
    // 4.1 adds to the download size in its card at each push.
    expect((await next('push the same')).facts).toEqual({ changed: version === '4.1' ? ['README.md'] : [] })
  })

  step('configurations and data_files', async () => {
    expect((await next('configuration')).facts).toEqual({
      names: ['default', 'short'],
      short: { rows: 60, ids: sumFrom(0, 60), last: 'row 59' },
      default: second,
      globbed: tests,
    })
  })

  step('a private dataset on a branch', async () => {
    expect((await next('private branch')).facts).toEqual({
      splits: {
        train: { rows: 9, ids: 36, last: 'row 8' },
        validation: { rows: 3, ids: 30, last: 'row 11' },
      },
      private: true,
      main: ['.gitattributes'],
    })
  })

  step('a push that another commit overtakes is refused whole, or made again', async () => {
    const { facts, exchanges } = await next('overtaken')
    const commits = exchanges.filter(({ path }) => path.includes('/commit/')).map(({ status }) => status)
    if (retries) {
      expect(facts).toEqual({ refusals: [], other: true, pushed: true, named: true })
      expect(commits).toEqual([200, 412, 200])
      return
    }
    // Refused whole: neither its shards nor its line in the card are there.
    expect(facts).toEqual({ refusals: [412], other: true, pushed: false, named: false })
    expect(commits).toEqual([200, 412])
  })

  step('pushes at the same time lose nothing', async () => {
    const { facts } = await next('at once')
    const configs = ['c0', 'c1', 'c2', 'c3']
    expect(facts).toMatchObject({
      names: configs,
      card: configs,
      ids: configs.map((_, number) => sumFrom(number * 100, 10)),
    })
  })
})
