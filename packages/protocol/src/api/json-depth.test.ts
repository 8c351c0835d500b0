import fc from 'fast-check'
import { expect, it } from 'vitest'

import { depthOfJson } from './json-depth.ts'

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

it('is that of the value', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.constantFrom(undefined, 2), (value, indent) => {
      expect(depthOfJson(JSON.stringify(value, null, indent))).toBe(depthOf(value))
    }),
  )
  expect(depthOfJson('["[[", "\\"[", {"{": "\\\\"}]')).toBe(2)
})
