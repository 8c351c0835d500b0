/** What a backup counts on is not removed under its hands. */
import { expect, test } from 'vitest'

import { RemovalGate } from './removal-gate.ts'

test('nothing is removed while somebody holds the gate, and a holder waits for what has begun', async () => {
  const gate = new RemovalGate(() => 0)
  const removed: string[] = []
  const first = Promise.withResolvers<void>()
  const removing = gate.remove(async () => {
    await first.promise
    removed.push('first')
  })
  let isHeld = false
  const closing = gate.close('backup', 100).then(() => (isHeld = true))
  expect(await gate.remove(async () => removed.push('second'))).toBe(false)
  await Promise.resolve()
  expect(isHeld).toBe(false)
  first.resolve()
  await closing
  expect(await removing).toBe(true)
  expect(removed).toEqual(['first'])
  gate.open('backup')
  expect(await gate.remove(async () => removed.push('third'))).toBe(true)
})

test('a holder that is heard of no more holds nothing, and is told so', async () => {
  let now = 0
  const gate = new RemovalGate(() => now)
  await gate.close('backup', 100)
  now = 99
  expect(gate.extend('backup', 200)).toBe(true)
  now = 200
  expect(await gate.remove(async () => undefined)).toBe(true)
  expect(gate.extend('backup', 300)).toBe(false)
  expect(gate.isClosed()).toBe(false)
})
