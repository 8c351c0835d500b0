/** The line that an operator reads after a run of collection. */
import { expect, test } from 'vitest'

import { parseHours, summarizeCollection } from './gc.ts'

test('says what went, what waits and how much it is', () => {
  const counts = {
    'links freed': 2,
    'links freed bytes': 4_000,
    'xorbs freed': 1,
    'xorbs freed bytes': 67_108_864,
    'lfs waiting': 3,
    'lfs waiting bytes': 999,
  }
  expect(summarizeCollection(counts, false)).toBe(
    'removed 2 contents of repositories (4.0 kB), 1 xorbs (67.1 MB); grace is left for 3 LFS objects (999 B)',
  )
  expect(summarizeCollection({}, true)).toBe('would remove nothing')
})

test('a grace is a number of hours', () => {
  expect([parseHours('0'), parseHours('1.5')]).toEqual([0, 1.5])
  for (const text of ['', ' ', 'soon', '-1']) expect(() => parseHours(text)).toThrow('number of hours')
})
