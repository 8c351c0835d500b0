import { nativePrimitives as primitives } from '@cairn/server/primitives'
import fc from 'fast-check'
import { expect, it } from 'vitest'

import { FormatError } from '../errors.ts'
import {
  formatXetHash,
  isDedupEligible,
  parseXetHash,
  protectHash,
  rawXetHash,
  ZERO_XET_HASH,
} from './hash.ts'
import { createFileHash, createXorbHash } from './tree-hash.ts'

it('prints raw bytes as four little-endian words', () => {
  const raw = Uint8Array.from({ length: 32 }, (_, i) => i)
  expect(formatXetHash(raw)).toBe('07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918')
})

it('reads back what it prints', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (raw) => {
      expect(rawXetHash(parseXetHash(formatXetHash(raw)))).toEqual(raw)
      const isEligible = ['000', '400', '800', 'c00'].includes(formatXetHash(raw).slice(-3))
      expect(isDedupEligible(raw)).toBe(isEligible)
    }),
  )
})

it.each(['', 'A'.repeat(64), '0'.repeat(63), `${'0'.repeat(64)}\n`])('refuses %j as a hash', (text) => {
  expect(() => parseXetHash(text)).toThrow(FormatError)
})

it('names nothing with zeros and one chunk with its own hash', () => {
  expect(createFileHash(primitives).finish()).toBe(ZERO_XET_HASH)
  const one = createXorbHash(primitives)
  one.add(new Uint8Array(32).fill(9), 100)
  expect(one.finish()).toBe('09'.repeat(32))
})

it('names a file of one zero hash as the published table does', () => {
  const hash = createFileHash(primitives)
  hash.add(new Uint8Array(32), 0)
  const name = hash.finish()
  expect([name.slice(0, 8), name.slice(-4)]).toEqual(['638a6bc3', '8a4c'])
})

it('leaves hashes readable under the zero key only', () => {
  const raw = new Uint8Array(32).fill(5)
  expect(protectHash(primitives, new Uint8Array(32), raw)).toEqual(raw)
  expect(protectHash(primitives, new Uint8Array(32).fill(1), raw)).not.toEqual(raw)
})
