import { expect, test } from 'vitest'

import { inTurns } from './benchmark.ts'
import { judge, median, type Row } from './rows.ts'
import { formatTable } from './table.ts'

const row = (ours: number[], reference: number[], bound: Row['bound']): Row => ({
  what: 'x',
  unit: 'ms',
  ours,
  reference: { name: 'y', values: reference },
  ...(bound === undefined ? {} : { bound }),
})

test('medians, and the ratio within each round', () => {
  expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN])
  // The machine became slow in the third round: the ratio of medians would be 1.
  const judged = judge(row([2, 2, 40], [1, 2, 20], { on: 'ratio', atMost: 2 }))
  expect(judged).toEqual({ ours: 2, reference: 2, ratio: 2, holds: true })
  expect(() => judge(row([1, 2], [1], undefined))).toThrow(TypeError)
})

test('a bound is met at its edge, and by nothing that is no number', () => {
  const holds = (ours: number[], bound: Row['bound']) =>
    judge(
      row(
        ours,
        ours.map(() => 10),
        bound,
      ),
    ).holds
  expect(holds([5], { on: 'ratio', atLeast: 0.5 })).toBe(true)
  expect(holds([4.9], { on: 'ratio', atLeast: 0.5 })).toBe(false)
  expect(holds([300], { on: 'ours', atMost: 300 })).toBe(true)
  expect(holds([300.1], { on: 'ours', atMost: 300 })).toBe(false)
  expect(holds([], { on: 'ratio', atMost: 3 })).toBe(false)
  expect(holds([1], undefined)).toBeNull()
})

test('the sides take turns, and each begins every other round', async () => {
  const order: string[] = []
  const side = (name: string) => async (round: number) => {
    order.push(name)
    return round
  }
  const found = await inTurns(3, { a: side('a'), b: side('b') })
  expect(found).toEqual({ a: [0, 1, 2], b: [0, 1, 2] })
  expect(order.join('')).toBe('abbaab')
})

test('the table names what was missed', () => {
  const table = formatTable([row([30], [10], { on: 'ratio', atMost: 2 })])
  expect(table).toContain('30.0 ms')
  expect(table).toContain('| 3.00 × | at most 2 × | **missed** |')
})
