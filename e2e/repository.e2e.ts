/**
 * The class `Repository`, with which huggingface_hub up to 0.36 drove git and git-lfs, and which guides still show. The
 * hub is made in the test's process, so that its parts of large files are small.
 */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, inject } from 'vitest'

import { cellsOf } from './cells.ts'
import { printOnFailure } from './hub-process.ts'
import { startPython, type PythonWalk } from './python-walk.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const MIB = 1024 * 1024
const { python: pythons } = inject('clients')
/** The first and the last release with the class; each takes the better part of a minute, so only with the matrix. */
const versions = ['0.19.4', '0.36.2']
const isFull = process.env['CAIRN_MATRIX'] === 'full'

describe.each(versions)('Repository of huggingface_hub %s', (version) => {
  const python = isFull ? (pythons[version] ?? null) : null
  const step = cellsOf(
    { client: 'huggingface_hub `Repository`', version, mount: 'root', xet: null },
    { skip: python === null },
  )
  const stack = new AsyncDisposableStack()
  let hub: TestHub
  let recorder: Recorder
  let walk: PythonWalk

  beforeAll(async () => {
    if (python === null) return
    const work = await mkdtemp(join(tmpdir(), 'cairn-e2e-repository-'))
    stack.defer(() => rm(work, { recursive: true, force: true }))
    hub = stack.use(await startHub({ lfs: { basicMaxBytes: 12 * MIB, partBytes: 5 * MIB } }))
    recorder = stack.use(await startRecorder(hub.url))
    const bin = join(work, 'bin')
    await mkdir(bin)
    // git-lfs starts the client's own program for large files, by this name.
    for (const name of ['hf', 'huggingface-cli']) {
      const program = join(dirname(python), name)
      await writeFile(join(bin, name), `#!/bin/sh\nexec "${python}" "${program}" "$@"\n`)
      await chmod(join(bin, name), 0o755)
    }
    walk = stack.use(
      startPython(python, 'repository.py', { repo: 'alice/worked-on', work }, recorder, {
        home: join(work, 'home'),
        env: {
          HF_TOKEN: TOKENS.alice,
          HOME: work,
          PATH: `${bin}:${process.env['PATH']}`,
          GIT_CONFIG_NOSYSTEM: '1',
        },
      }),
    )
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() =>
    python === null ? '' : `${recorder.report()}\n--- the client said\n${walk.complaints()}`,
  )

  step('clone_from', async () => {
    expect((await walk.next('clone_from')).facts).toEqual({ files: ['.gitattributes'] })
  })

  step('commit, as a context', async () => {
    const { facts } = await walk.next('commit')
    expect(facts).toEqual({ files: ['.gitattributes', 'large.bin', 'small.txt'], head: true, same: true })
  })

  step('push_to_hub in the background', async () => {
    const { facts } = await walk.next<{ url: string }>('push_to_hub')
    expect(facts).toMatchObject({
      done: true,
      status: 0,
      files: ['.gitattributes', 'large.bin', 'later.txt', 'small.txt'],
    })
    expect(facts.url).toContain('/alice/worked-on/commit/')
  })

  step('git_pull with a rebase', async () => {
    const { facts } = await walk.next<{ files: string[]; same: boolean; titles: string[] }>('git_pull')
    expect(facts.files).toContain('first.txt')
    expect(facts.files).toContain('second.txt')
    expect(facts.titles).toEqual(['In the meantime', 'From elsewhere'])
    expect(facts.same).toBe(true)
  })

  step('git_checkout of a new branch', async () => {
    const { facts } = await walk.next('git_checkout')
    expect(facts).toEqual({ branches: ['experiments', 'main'], main: false, experiments: true })
  })

  step('add_tag, tag_exists, delete_tag', async () => {
    expect((await walk.next('tags')).facts).toEqual({ there: [true, ['v1']], gone: [] })
  })

  step('lfs_enable_largefiles', async () => {
    const { facts, exchanges } = await walk.next('lfs_enable_largefiles')
    expect(facts).toEqual({ same: true })
    const parts = exchanges.filter(({ method, path }) => method === 'PUT' && path.includes('/parts/'))
    expect(parts).toHaveLength(3)
  })
})
