import { expect, test, vi } from 'vitest'

import { GIT_BLOB_WAIT_MS, GIT_BLOB_WAITERS_MAX } from '../limits.ts'
import { ByteBudget } from './byte-budget.ts'

test('who comes first is served first, and what is given back goes to the next', async () => {
  const budget = new ByteBudget(100)
  const order: string[] = []
  using first = await budget.take(80)
  const second = budget.take(50).then((share) => (order.push('second'), share))
  // There is room for it, but somebody waits already.
  const third = budget.take(10).then((share) => (order.push('third'), share))
  await Promise.resolve()
  expect(order).toEqual([])
  first.giveBack()
  ;(await second).giveBack()
  ;(await third).giveBack()
  expect(order).toEqual(['second', 'third'])
  expect(budget.open().grow(100)).toBe(true)
})

test('more than there is counts as all of it', async () => {
  const budget = new ByteBudget(100)
  using all = await budget.take(1000)
  expect(budget.open().grow(1)).toBe(false)
  all.giveBack()
  all.giveBack()
  expect(budget.open().grow(101)).toBe(false)
  expect(budget.open().grow(100)).toBe(true)
})

test('who waits too long, or comes when too many wait, is told to come again', async () => {
  vi.useFakeTimers()
  try {
    const budget = new ByteBudget(100)
    using held = await budget.take(100)
    const waiting = Array.from({ length: GIT_BLOB_WAITERS_MAX }, () =>
      budget.take(1).catch((error: unknown) => error),
    )
    await expect(budget.take(1)).rejects.toMatchObject({
      code: 'Unavailable',
      headers: { 'Retry-After': '5' },
    })
    await vi.advanceTimersByTimeAsync(GIT_BLOB_WAIT_MS)
    for (const one of waiting) expect(await one).toMatchObject({ code: 'Unavailable' })
    held.giveBack()
    expect(budget.open().grow(100)).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})
