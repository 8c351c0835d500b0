import { describe, expect, test } from 'vitest'

import { HubError } from '../errors.ts'
import { formatDate } from './dates.ts'
import { readBoolean, readExpand, readList } from './query.ts'

const failure = (work: () => unknown): HubError | null => {
  try {
    work()
    return null
  } catch (error) {
    if (error instanceof HubError) return error
    throw error
  }
}

describe('booleans', () => {
  test.each(['true', 'True', 'TRUE', '1', 1, true])('%j is true', (value) => {
    expect(readBoolean({ recursive: value }, 'recursive')).toBe(true)
  })
  test.each(['false', 'False', '0', 0, false, null, undefined])('%j is false', (value) => {
    expect(readBoolean({ recursive: value }, 'recursive')).toBe(false)
  })
  test.each(['', 'yes', '2', ['true'], {}])('%j is refused', (value) => {
    expect(failure(() => readBoolean({ recursive: value }, 'recursive'))?.code).toBe('BadRequest')
  })
  test('what objects inherit is no parameter', () => {
    expect(readBoolean({}, 'constructor')).toBe(false)
  })
})

describe('lists', () => {
  test('single, repeated, with brackets and without', () => {
    expect(readList({ expand: 'a' }, 'expand')).toEqual(['a'])
    expect(readList({ expand: ['a', 'b'], 'expand[]': 'c' }, 'expand')).toEqual(['a', 'b', 'c'])
    expect(readList({}, 'expand')).toEqual([])
  })
  test('have limits', () => {
    expect(failure(() => readList({ paths: Array(1001).fill('a') }, 'paths'))?.code).toBe('TooLarge')
    expect(failure(() => readList({ paths: ['a', 'b'] }, 'paths', 1))?.code).toBe('TooLarge')
    expect(failure(() => readList({ paths: 'a'.repeat(4097) }, 'paths'))?.code).toBe('BadRequest')
    expect(failure(() => readList({ paths: [1] }, 'paths'))?.code).toBe('BadRequest')
  })
})

describe('expand', () => {
  test('takes what the type has', () => {
    expect(readExpand({ expand: ['likes', 'model-index', 'likes'] }, 'model')).toEqual(
      new Set(['likes', 'model-index']),
    )
    expect(readExpand({ 'expand[]': 'subdomain' }, 'space')).toEqual(new Set(['subdomain']))
  })
  test('refuses what it has not, naming it and what it could be', () => {
    const refused = failure(() => readExpand({ expand: 'safetensors' }, 'dataset'))
    expect(refused?.code).toBe('BadRequest')
    expect(refused?.message).toContain("'safetensors'")
    expect(refused?.message).toContain('paperswithcode_id')
  })
})

test('dates have three digits of fraction and end in Z', () => {
  expect(formatDate(0)).toBe('1970-01-01T00:00:00.000Z')
  expect(formatDate(1_795_232_600_123)).toBe('2026-11-21T03:43:20.123Z')
  for (const at of [Number.NaN, 1e15]) expect(() => formatDate(at)).toThrow(RangeError)
})
