/** History with Python's stock clients: what `python/history.py` does, judged here. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { fsckAll } from './fsck.ts'
import { printOnFailure, startHub, type HubProcess } from './hub-process.ts'
import { startPython, type PythonWalk } from './python-walk.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const { pythonNewest, python019 } = inject('clients')
const variants: {
  client: string
  python: string | null
  isOld: boolean
  kind: string
  copies: boolean
  env: Record<string, string>
}[] = [
  { client: 'newest over Xet', python: pythonNewest, isOld: false, kind: 'model', copies: true, env: {} },
  {
    client: 'newest over LFS',
    python: pythonNewest,
    isOld: false,
    kind: 'dataset',
    // The client itself refuses to copy a file that has no Xet hash.
    copies: false,
    env: { HF_HUB_DISABLE_XET: '1' },
  },
  { client: '0.19.4', python: python019, isOld: true, kind: 'dataset', copies: false, env: {} },
]
/** Status, BadRequestError, RevisionNotFoundError. */
const conflict = [409, false, false]
const notFound = [404, false, true]
const badRequest = [400, true, false]
const fileSizes = { first: 30_000, second: 35_000 }

describe.each(variants)('huggingface_hub $client', ({ python, isOld, kind, copies, env }) => {
  let hub: HubProcess
  let recorder: Recorder
  let walk: PythonWalk
  let home: string
  let head: string
  const skipped = python === null
  const stack = new AsyncDisposableStack()
  const main = [
    'put data/deep/note.txt',
    'put data/two.bin',
    'put data/one.bin',
    'put readme.txt',
    'initial commit',
  ]

  beforeAll(async () => {
    if (python === null) return
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    home = await mkdtemp(join(tmpdir(), 'cairn-e2e-history-'))
    stack.defer(() => rm(home, { recursive: true, force: true }))
    const plan = { repo: 'alice/past', kind, other: 'acme/copied', copies }
    walk = stack.use(startPython(python, 'history.py', plan, recorder, { home, env }))
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => (skipped ? '' : `${recorder.report()}\n${walk.complaints()}\n--- ${hub.log()}`))

  test.skipIf(skipped)('commits are listed with authors, dates and formatted titles', async () => {
    const { facts } = await walk.next<{
      titles: string[]
      authors: string[][]
      formatted: string[]
      dates: string[]
    }>('commits')
    expect(facts.titles).toEqual(main)
    expect(facts.formatted).toEqual(main)
    expect(facts.authors).toEqual(main.map(() => ['alice']))
    expect(facts.dates).toEqual(facts.dates.toSorted().toReversed())
  })

  test.skipIf(skipped)(
    'branches and tags are made with every option, and refused as the client expects',
    async () => {
      const { facts } = await walk.next<{
        head: string
        first: string
        refused: Record<string, unknown>
        branches: Record<string, string>
        converts: Record<string, string[]>
        tags: Record<string, string>
        pulls: unknown
      }>('refs')
      const { first } = facts
      head = facts.head
      expect(facts.branches).toEqual({
        main: head,
        'from-main': head,
        'from-short': head,
        'from/first': first,
      })
      expect(facts.converts).toEqual({ parquet: ['refs/convert/parquet', first] })
      expect(facts.tags).toEqual({ v1: head, 'from-main': head, 'of-parquet': first })
      expect(facts.pulls).toEqual(isOld ? null : [])
      expect(facts.refused).toEqual({
        'branch again': conflict,
        'branch refs/pr/5': badRequest,
        'branch refs/something': badRequest,
        'branch a..b': badRequest,
        'branch from nowhere': notFound,
        'tag again': conflict,
        'tag a b': badRequest,
        'tag of nowhere': notFound,
      })
    },
  )

  test.skipIf(skipped)('special, full and abbreviated revisions are understood', async () => {
    const { facts } = await walk.next<Record<string, string[]>>('special revisions')
    expect(facts).toEqual({
      convert: ['put converted.txt', 'initial commit'],
      branch: ['put branch.txt', 'initial commit'],
      full: ['put branch.txt', 'initial commit'],
      short: main,
      tag: main,
    })
  })

  test.skipIf(skipped)('what exists is told from what does not', async () => {
    const { facts } = await walk.next<{ head: string; short: string }>('exists')
    const revisions = {
      main: true,
      v1: true,
      'from/first': true,
      'refs/convert/parquet': true,
      [facts.head]: true,
      [facts.short]: true,
      nowhere: false,
      ['0'.repeat(40)]: false,
    }
    expect(facts).toMatchObject({
      file: true,
      'file at tag': false,
      'file at convert': true,
      ...(isOld ? {} : revisions),
    })
  })

  test.skipIf(skipped || isOld)('entries name their last commit', async () => {
    const { facts } = await walk.next<{ tree: Record<string, string>; asked: Record<string, string[]> }>(
      'expanded',
    )
    expect(facts.tree).toEqual({
      '.gitattributes': expect.any(String),
      'readme.txt': 'put readme.txt',
      data: 'put data/deep/note.txt',
      'data/deep': 'put data/deep/note.txt',
      'data/deep/note.txt': 'put data/deep/note.txt',
      'data/one.bin': 'put data/one.bin',
      'data/two.bin': 'put data/two.bin',
    })
    expect(Object.keys(facts.asked).toSorted()).toEqual(['data', 'data/one.bin'])
    expect(facts.asked['data']?.[0]).toBe(head)
  })

  test.skipIf(skipped)('HfFileSystem lists, finds, measures and reads ranges', async () => {
    const { facts } = await walk.next<Record<string, unknown>>('filesystem')
    expect(facts).toMatchObject({
      ls: ['.gitattributes', 'data', 'readme.txt'],
      find: ['.gitattributes', 'data/deep/note.txt', 'data/one.bin', 'data/two.bin', 'readme.txt'],
      glob: ['data/one.bin', 'data/two.bin'],
      convert: expect.arrayContaining(['.gitattributes', 'converted.txt']),
      size: fileSizes.first,
      kind: 'file',
      isdir: [true, false, false],
      exists: [true, false, false],
      modified: expect.stringMatching(/^20\d\d-/),
      ranged: '3456',
      middle: true,
      on_branch: '1\n',
    })
    expect(facts['du']).toBeGreaterThan(fileSizes.first + fileSizes.second)
  })

  test.skipIf(skipped)('a squash leaves one commit on that branch alone', async () => {
    const { facts } = await walk.next<Record<string, unknown>>('squash')
    expect(facts).toMatchObject({
      convert: ['Squashed'],
      branch: ["Super-squash branch 'from/first' using huggingface_hub"],
      main,
      refused: { tag: badRequest, nowhere: notFound },
    })
  })

  test.skipIf(skipped || isOld)('a download is verified against the checksums of the hub', async () => {
    const { facts } = await walk.next<{ checked: number; sound: string[]; damaged: string[] }>('checksums')
    expect(facts).toEqual({ checked: 5, sound: [], damaged: ['readme.txt'] })
  })

  test.skipIf(skipped || !copies)('files are copied to a repository of another owner', async () => {
    const { facts, exchanges } = await walk.next<Record<string, unknown>>('copies')
    expect(facts).toMatchObject({ same: true, small: 'hello\n' })
    expect(facts['files']).toEqual(
      expect.arrayContaining(['copied/deep/note.txt', 'copied/one.bin', 'copied/two.bin', 'readme.txt']),
    )
    expect(exchanges.filter(({ path }) => path.endsWith('/lfs-files/duplicate'))).toHaveLength(1)
  })

  test.skipIf(skipped || isOld)('LFS files are listed, and purged from all history', async () => {
    const { facts } = await walk.next<Record<string, unknown>>('lfs files')
    expect(facts).toMatchObject({
      files: [
        ['data/one.bin', fileSizes.first, 'refs/heads/main'],
        ['data/two.bin', fileSizes.second, 'refs/heads/main'],
      ],
      years: [true, true],
      left: ['data/two.bin'],
      listed: ['.gitattributes', 'data/deep/note.txt', 'data/two.bin', 'readme.txt'],
      titles: main,
      tagged: ['.gitattributes', 'data/deep/note.txt', 'data/two.bin', 'readme.txt'],
      old: false,
    })
  })

  test.skipIf(skipped)('tags and branches are deleted, each kind alone', async () => {
    const { facts } = await walk.next<Record<string, unknown>>('deleted')
    expect(facts).toEqual({
      refused: {
        'tag again': notFound,
        "tag by a branch's name": notFound,
        'branch again': notFound,
        main: [403, false, false],
      },
      branches: expect.arrayContaining(['main', 'from-main', 'from-short']) as unknown,
      tags: expect.arrayContaining(['v1', 'of-parquet']) as unknown,
      converts: 0,
    })
  })

  test.skipIf(skipped)('git finds nothing wrong with what was left', async () => {
    expect(await fsckAll(hub.dataDir)).toEqual([])
  })
})
