/** xxHash of 32 bits with the seed 0: the checksums of LZ4 frames. https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md */
const PRIMES = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f, 0x165667b1] as const
const STRIPE_BYTES = 16

/** As an unsigned number. */
export function xxh32(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  let at = 0
  let hash: number = PRIMES[4]
  if (bytes.length >= STRIPE_BYTES) {
    let a = (PRIMES[0] + PRIMES[1]) | 0
    let b: number = PRIMES[1]
    let c = 0
    let d = -PRIMES[0] | 0
    for (; at + STRIPE_BYTES <= bytes.length; at += STRIPE_BYTES) {
      a = round(a, view.getInt32(at, true))
      b = round(b, view.getInt32(at + 4, true))
      c = round(c, view.getInt32(at + 8, true))
      d = round(d, view.getInt32(at + 12, true))
    }
    hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)
  }
  hash = (hash + bytes.length) | 0
  for (; at + 4 <= bytes.length; at += 4)
    hash = Math.imul(rotate((hash + Math.imul(view.getInt32(at, true), PRIMES[2])) | 0, 17), PRIMES[3])
  for (; at < bytes.length; at++)
    hash = Math.imul(rotate((hash + Math.imul(bytes[at]!, PRIMES[4])) | 0, 11), PRIMES[0])
  hash = Math.imul(hash ^ (hash >>> 15), PRIMES[1])
  hash = Math.imul(hash ^ (hash >>> 13), PRIMES[2])
  return (hash ^ (hash >>> 16)) >>> 0
}

function round(lane: number, word: number): number {
  return Math.imul(rotate((lane + Math.imul(word, PRIMES[1])) | 0, 13), PRIMES[0])
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}
