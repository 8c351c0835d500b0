/** The check at the end of every hub sees what it is there for. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { git } from './fsck.ts'
import { complaintsAbout, type Remains } from './left-behind.ts'

let work: string
let clean: Remains
let repository: string

beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-left-'))
  repository = join(work, 'data', 'repos', 'x.git')
  for (const folder of [join(work, 'outside'), repository]) await mkdir(folder, { recursive: true })
  await git(repository, ['init', '--bare', '--quiet'])
  clean = {
    log: 'Cairn at http://127.0.0.1:1\n{"level":40,"msg":"the index is behind"}\n',
    dataDir: join(work, 'data'),
    outside: join(work, 'outside'),
    expectedErrors: null,
  }
})
afterEach(() => rm(work, { recursive: true, force: true }))

test('a hub that behaved has nothing against it', async () => {
  expect(await complaintsAbout(clean)).toEqual([])
})

test('an answer of 500 is in the log, unless the test provoked it', async () => {
  const log = `${clean.log}{"level":50,"err":{"message":"disk full"},"msg":"request failed"}\n`
  expect(await complaintsAbout({ ...clean, log })).toEqual([expect.stringContaining('disk full')])
  expect(await complaintsAbout({ ...clean, log, expectedErrors: /disk full/ })).toEqual([])
  expect(await complaintsAbout({ ...clean, log, expectedErrors: /something else/ })).toHaveLength(1)
})

test('the last words of a process that died of an error are one too', async () => {
  const log = `${clean.log}TypeError: x is not a function\n    at file.ts:1:1\n`
  expect(await complaintsAbout({ ...clean, log })).toEqual(['TypeError: x is not a function'])
})

test('a file outside the data directory is named', async () => {
  await writeFile(join(clean.outside, 'core'), '')
  expect(await complaintsAbout(clean)).toEqual(['outside its data: core'])
})

test('git is asked about every repository', async () => {
  const damaged = join(repository, 'refs', 'heads', 'main')
  await writeFile(damaged, `${'1'.repeat(40)}\n`)
  expect(await complaintsAbout(clean)).not.toEqual([])
})
