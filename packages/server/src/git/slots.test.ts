import { expect, test } from 'vitest'

import { Slots } from './slots.ts'

/** Whether it resolves before anything else happens. */
async function isNow(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([
    promise.then(() => true),
    new Promise<false>((resolve) => void setImmediate(() => resolve(false))),
  ])
}

test('slots are given in the order of asking, and the queue has an end', async () => {
  const slots = new Slots(1, 2)
  const first = await slots.take()
  const second = slots.take()
  const third = slots.take()
  expect(await slots.take()).toBeNull()
  expect(await isNow(second)).toBe(false)
  first?.()
  first?.()
  const release = await second
  expect(await isNow(third)).toBe(false)
  release?.()
  expect(await third).not.toBeNull()
})

test('who waits no longer leaves the place to the next', async () => {
  const slots = new Slots(1, 2)
  const release = await slots.take()
  const abort = new AbortController()
  const gone = slots.take(abort.signal)
  const next = slots.take()
  abort.abort()
  expect(await gone).toBeNull()
  release?.()
  expect(await next).not.toBeNull()
  expect(await slots.take(AbortSignal.abort())).toBeNull()
})

test('one client has half of the slots and half of the queue', async () => {
  const slots = new Slots(4, 4)
  const held = await Promise.all(['slow', 'slow'].map(async (client) => slots.take(undefined, client)))
  const third = slots.take(undefined, 'slow')
  const fourth = slots.take(undefined, 'slow')
  expect(await slots.take(undefined, 'slow')).toBeNull()
  expect(await isNow(third)).toBe(false)
  const others = ['one', 'other'].map((client) => slots.take(undefined, client))
  expect(await Promise.all(others.map(isNow))).toEqual([true, true])
  const late = slots.take(undefined, 'late')
  // The client that had too many is passed over, and has its turn when it has given one back.
  ;(await others[0])?.()
  expect(await isNow(late)).toBe(true)
  held[0]?.()
  expect(await isNow(third)).toBe(true)
  expect(await isNow(fourth)).toBe(false)
})
