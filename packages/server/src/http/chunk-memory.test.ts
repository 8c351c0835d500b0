import { constants, PerformanceObserver } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

import { expect, test } from 'vitest'

import { PASSED_CHUNKS_MAX_BYTES } from '../limits.ts'
import { notePassed } from './chunk-memory.ts'

test('the young are looked at each time so much has passed', async () => {
  const kinds: number[] = []
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      kinds.push((entry as unknown as { detail: { kind: number } }).detail.kind)
  })
  observer.observe({ entryTypes: ['gc'] })
  const chunk = Buffer.alloc(64 * 1024)
  for (let passed = 0; passed < 20 * PASSED_CHUNKS_MAX_BYTES; passed += chunk.length) notePassed(chunk)
  await sleep(50)
  observer.disconnect()
  const young = kinds.filter((kind) => kind === constants.NODE_PERFORMANCE_GC_MINOR)
  expect(young.length).toBeGreaterThanOrEqual(20)
})
