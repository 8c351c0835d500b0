/**
 * Cells of docs/compatibility.md: which client, in which version and setting, could do which step. A test of a client
 * is written through `cellsOf`; where CAIRN_CELLS_DIR is set (`npm run matrix`), its outcome is noted there.
 */
import { randomUUID } from 'node:crypto'
import { appendFileSync, mkdirSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
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

/** The step is not possible for a reason that lies in the client, and this is the place in its own source. */
export interface ClientFault {
  says: string
  /** File and line as installed: `huggingface_hub/file_download.py:1234`. */
  at: string
}

export type Result = 'pass' | 'fail' | 'absent' | 'fault'

export interface Cell extends Setting {
  step: string
  result: Result
  fault?: ClientFault
}

/** This version of the client has no such call: the cell is a dash. */
export const ABSENT = Symbol('the client has no such call')

export type Outcome = ClientFault | typeof ABSENT | void

/** One line a cell, one file a process: several test processes write at a time. */
const file = `${randomUUID()}.ndjson`

export function noteCell(cell: Cell): void {
  const folder = process.env['CAIRN_CELLS_DIR']
  if (folder === undefined || folder === '') return
  mkdirSync(folder, { recursive: true })
  appendFileSync(join(folder, file), `${JSON.stringify(cell)}\n`)
}

/**
 * Tests that are cells: a body that returns is a pass, one that throws a failure of the test too. It may return
 * `ABSENT`, or what `clientFault` found. The step is the test's name and the row of the table.
 */
export function cellsOf(
  setting: Setting,
  options: { skip?: boolean } = {},
): (step: string, body: () => Promise<Outcome>) => void {
  return (step, body) =>
    test.skipIf(options.skip === true)(step, async () => {
      try {
        const outcome = await body()
        if (outcome === undefined) noteCell({ ...setting, step, result: 'pass' })
        else if (outcome === ABSENT) noteCell({ ...setting, step, result: 'absent' })
        else noteCell({ ...setting, step, result: 'fault', fault: outcome })
      } catch (error) {
        noteCell({ ...setting, step, result: 'fail' })
        throw error
      }
    })
}

/**
 * Cites the installed client: the line of `path` below `root` that holds `line`. Throws when the client no longer says
 * so; then the fault may be gone and the cell can be a pass.
 */
export async function clientFault(
  says: string,
  { root, path, line }: { root: string; path: string; line: string },
): Promise<ClientFault> {
  const lines = (await readFile(join(root, path), 'utf8')).split('\n')
  const index = lines.findIndex((text) => text.includes(line))
  if (index === -1) throw new Error(`${path} does not say '${line}' any more`)
  return { says, at: `${path}:${index + 1}` }
}
