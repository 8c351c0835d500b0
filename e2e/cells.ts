/**
 * Cells of docs/compatibility.md: which client, in which version and setting, could do which step. A test of a client
 * is written through `cellsOf`; where CAIRN_CELLS_DIR is set (`npm run matrix`), its outcome is noted there.
 */
import { randomUUID } from 'node:crypto'
import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'

import { test } from 'vitest'

export interface Setting {
  /** As people call it: `huggingface_hub`, `llama.cpp`. */
  client: string
  version: string
  /** Where the hub is mounted for the client: at `/`, or at a registry's prefix. */
  mount: 'root' | 'prefix'
  /** Whether large files went over Xet; null for a client that cannot choose. */
  xet: boolean | null
}

export type Result = 'pass' | 'fail' | 'absent'

export interface Cell extends Setting {
  step: string
  result: Result
}

/** This version of the client has no such call: the cell is a dash. */
export const ABSENT = Symbol('the client has no such call')

export type Outcome = typeof ABSENT | void

/** One line a cell, one file a process: several test processes write at a time. */
const file = `${randomUUID()}.ndjson`

export function noteCell(cell: Cell): void {
  const folder = process.env['CAIRN_CELLS_DIR']
  if (folder === undefined || folder === '') return
  mkdirSync(folder, { recursive: true })
  appendFileSync(join(folder, file), `${JSON.stringify(cell)}\n`)
}

/**
 * Tests that are cells: a body that returns is a pass, or `ABSENT`; one that throws is a failure of the test too. The
 * step is the test's name and the row of the table.
 */
export function cellsOf(
  setting: Setting,
  options: { skip?: boolean } = {},
): (step: string, body: () => Promise<Outcome>) => void {
  return (step, body) =>
    test.skipIf(options.skip === true)(step, async () => {
      try {
        const outcome = await body()
        noteCell({ ...setting, step, result: outcome === ABSENT ? 'absent' : 'pass' })
      } catch (error) {
        noteCell({ ...setting, step, result: 'fail' })
        throw error
      }
    })
}
