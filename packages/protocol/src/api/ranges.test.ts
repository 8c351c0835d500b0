import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { parseRange } from './ranges.ts'

describe('one range of a hundred bytes', () => {
  test.each([
    ['bytes=0-0', { start: 0, end: 0 }],
    ['bytes=0-99', { start: 0, end: 99 }],
    ['bytes=10-', { start: 10, end: 99 }],
    ['bytes=90-18446744073709551614', { start: 90, end: 99 }],
    ['bytes=-1', { start: 99, end: 99 }],
    ['bytes=-1000', { start: 0, end: 99 }],
    ['Bytes= 5-6 ', { start: 5, end: 6 }],
    ['bytes=100-', 'unsatisfiable'],
    ['bytes=100-200', 'unsatisfiable'],
    ['bytes=18446744073709551613-18446744073709551614', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=6-5', null],
    ['bytes=18446744073709551614-18446744073709551613', null],
    ['bytes=-', null],
    ['bytes=', null],
    ['bytes=0-0,5-6', null],
    ['bytes=0x1-2', null],
    ['bytes=1.5-2', null],
    ['items=0-1', null],
    [`bytes=0-${'9'.repeat(200)}`, null],
  ])('%s', (header, expected) => {
    expect(parseRange(header, 100)).toEqual(expected)
  })

  test('no header and empty content are served whole', () => {
    expect(parseRange(undefined, 100)).toBeNull()
    for (const header of ['bytes=0-0', 'bytes=-1', 'bytes=7-']) expect(parseRange(header, 0)).toBeNull()
  })
})

test('what is asked for inside the content is what comes back', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat(), (a, b, more) => {
      const [start, end] = a < b ? [a, b] : [b, a]
      const size = Math.min(end + 1 + more, Number.MAX_SAFE_INTEGER)
      fc.pre(end < size)
      expect(parseRange(`bytes=${start}-${end}`, size)).toEqual({ start, end })
    }),
  )
})
