/**
 * A benchmark file calls `benchmark` once. Run alone it prints its table; under perf/all.ts it hands its rows over.
 *
 *   node perf/requests.perf.ts --runs 3
 */
import { parseArgs } from 'node:util'

import type { Row } from './rows.ts'
import { formatTable } from './table.ts'

const RUNS = 5

export interface Bench {
  runs: number
  add: (row: Row) => void
}

export async function benchmark(title: string, measure: (bench: Bench) => Promise<void>): Promise<void> {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: String(RUNS) } } })
  const rows: Row[] = []
  const runs = Number(values.runs)
  if (!Number.isInteger(runs) || runs < 1) throw new Error('--runs is a positive whole number')
  // For whoever waits.
  process.stderr.write(`${title} …\n`)
  await measure({ runs, add: (row) => rows.push(row) })
  if (process.send === undefined) process.stdout.write(`${formatTable(rows)}\n`)
  else process.send(rows)
}

/** Runs the sides in turns, so that whatever else the machine does slows all of them; each side's figures, in order. */
export async function inTurns<T, S extends string>(
  runs: number,
  sides: Record<S, (round: number) => Promise<T>>,
): Promise<Record<S, T[]>> {
  const names = Object.keys(sides) as S[]
  const found = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<S, T[]>
  for (let round = 0; round < runs; round += 1)
    // Whoever goes second finds the machine as the first one left it; so each does so every other time.
    for (const name of round % 2 === 0 ? names : names.toReversed())
      found[name].push(await sides[name](round))
  return found
}
