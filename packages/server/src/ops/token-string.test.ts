/** How token strings look. */
import { randomBytes } from 'node:crypto'

import fc from 'fast-check'
import { expect, test } from 'vitest'

import { hashToken, newTokenString, tokenProblem } from './token-string.ts'

test('a made token suits every client: hf_ and 34 letters and digits, none twice', () => {
  const tokens = Array.from({ length: 500 }, () => newTokenString(randomBytes))
  for (const token of tokens) {
    expect(token).toMatch(/^hf_[A-Za-z0-9]{34}$/)
    expect(tokenProblem(token)).toBeNull()
  }
  expect(new Set(tokens).size).toBe(500)
})

test('every character is equally likely: bytes that would make some likelier are skipped', () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i)
  const seen = new Map<string, number>()
  for (let start = 0; start < 256; start += 2) {
    // Two bytes at a time: a token of one byte's character and its neighbour's.
    let draw = 0
    const text = newTokenString(() =>
      new Uint8Array(34).fill(draw++ === 0 ? (all[start] as number) : 0),
    ).slice(3)
    const first = text[0] as string
    seen.set(first, (seen.get(first) ?? 0) + 1)
  }
  // 128 even bytes, of which 248…254 fall through to the following draw of zeros, which is an A.
  expect(seen.get('A')).toBe(4 + 4)
  expect(new Set([...seen].filter(([c]) => c !== 'A').map(([, count]) => count))).toEqual(new Set([4]))
})

test('a source that yields nothing usable is a failure, not an endless loop', () => {
  expect(() => newTokenString((n) => new Uint8Array(n).fill(255))).toThrow()
})

test('an operator may choose any printable ASCII string but those that clients refuse', () => {
  const printableAscii = fc.string({
    unit: fc.integer({ min: 0x21, max: 0x7e }).map((c) => String.fromCharCode(c)),
    minLength: 8,
    maxLength: 64,
  })
  fc.assert(
    fc.property(printableAscii, (text) => (tokenProblem(text) === null) === !text.startsWith('api_org')),
  )
  for (const bad of [
    '',
    'abc',
    'with space',
    'tab\there',
    'ünïcode',
    'new\nline',
    'api_org_abcdef',
    'x'.repeat(2049),
  ])
    expect(tokenProblem(bad), JSON.stringify(bad)).not.toBeNull()
})

test('the stored form is the hex sha256', () => {
  expect(hashToken('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
})
