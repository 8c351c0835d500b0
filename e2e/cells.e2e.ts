/** What docs/compatibility.md is made of cannot be made up. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { noteCell, type Cell } from './cells.ts'

let work: string
beforeEach(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-cells-'))
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(work, { recursive: true, force: true })
})

test('a cell is one line in the folder that the run names', async () => {
  const cell: Cell = { client: 'c', version: '1', mount: 'root', xet: null, step: 's', result: 'pass' }
  vi.stubEnv('CAIRN_CELLS_DIR', join(work, 'cells'))
  noteCell(cell)
  noteCell({ ...cell, result: 'absent' })
  const [file] = await readdir(join(work, 'cells'))
  const lines = (await readFile(join(work, 'cells', file!), 'utf8')).trim().split('\n')
  expect(lines.map((line) => JSON.parse(line) as Cell)).toEqual([cell, { ...cell, result: 'absent' }])
})
