import fc from 'fast-check'
import { expect, test } from 'vitest'

import { createFingerprint } from './fingerprint.ts'

function fingerprintOf(...pieces: Uint8Array[]): string {
  const fingerprint = createFingerprint()
  for (const piece of pieces) fingerprint.update(piece)
  return fingerprint.digest()
}

test('the pieces do not matter', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), (pieces) => {
      expect(fingerprintOf(...pieces)).toBe(fingerprintOf(Buffer.concat(pieces)))
    }),
  )
})

test('every bit matters, and so does the length', () => {
  const bytes = Buffer.from('weights of a model, and some more of them')
  const found = new Set([fingerprintOf(bytes), fingerprintOf(bytes, Buffer.alloc(1))])
  for (let bit = 0; bit < bytes.length * 8; bit += 1) {
    const rotten = Buffer.from(bytes)
    rotten[bit >> 3]! ^= 1 << (bit & 7)
    found.add(fingerprintOf(rotten))
  }
  expect(found.size).toBe(2 + bytes.length * 8)
})
