import { nativePrimitives as primitives } from '@cairn/server/primitives'
import { generateContent } from '@cairn/testkit/xet-content'
import fc from 'fast-check'
import lz4 from 'lz4-napi'
import { describe, expect, it } from 'vitest'

import { FormatError } from '../errors.ts'
import { decodeLz4Frame } from './lz4-frame.ts'
import { xxh32 } from './xxh32.ts'

function decode(frame: Uint8Array, sizeBytes: number): Uint8Array {
  const into = new Uint8Array(sizeBytes)
  decodeLz4Frame(frame, into, 0)
  return into
}

/** What hf_xet's own decoder, which is behind this binding, makes of it. */
function decodeElsewhere(frame: Uint8Array): Buffer | null {
  try {
    return lz4.decompressFrameSync(Buffer.from(frame))
  } catch {
    return null
  }
}

/** Literals and matches of all lengths and distances, also those that reach into themselves. */
const repetitive = fc
  .array(
    fc.oneof(
      fc.record({ literal: fc.uint8Array({ maxLength: 300 }) }),
      fc.record({ back: fc.integer({ min: 1, max: 400 }), length: fc.integer({ min: 1, max: 700 }) }),
    ),
    { maxLength: 40 },
  )
  .map((parts) => {
    const bytes: number[] = [7]
    for (const part of parts)
      if ('literal' in part) bytes.push(...part.literal)
      else for (let i = 0; i < part.length; i++) bytes.push(bytes[Math.max(0, bytes.length - part.back)]!)
    return Buffer.from(bytes)
  })

describe('LZ4 frames', () => {
  it.each(['random', 'floats', 'csv', 'constant'] as const)('of %s come back', (recipe) => {
    for (const sizeBytes of [1, 100, 65_536, 131_072]) {
      const raw = generateContent({ recipe, seed: 7, sizeBytes })
      expect(Buffer.from(decode(primitives.lz4FrameEncode(raw), sizeBytes)).equals(raw)).toBe(true)
    }
  })

  it('with every kind of checksum come back, and are refused when one is wrong', () => {
    fc.assert(
      fc.property(repetitive, fc.boolean(), fc.boolean(), (raw, contentChecksum, blockChecksums) => {
        const frame = lz4.compressFrameSync(raw, { contentChecksum, blockChecksums })
        expect(Buffer.from(decode(frame, raw.length)).equals(raw)).toBe(true)
        if (!contentChecksum) return
        frame[frame.length - 1]! ^= 1
        expect(() => decode(frame, raw.length)).toThrow(/checksum/)
      }),
    )
  })

  it('are accepted only if others decode them to the same', () => {
    let accepted = 0
    const mutation = fc.tuple(fc.nat(), fc.nat(255))
    fc.assert(
      fc.property(
        repetitive,
        fc.array(mutation, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: -2, max: 2 }),
        fc.boolean(),
        (raw, mutations, more, blockChecksums) => {
          const frame = lz4.compressFrameSync(raw, { blockChecksums })
          for (const [at, byte] of mutations) frame[at % frame.length] = byte
          const sizeBytes = Math.max(0, raw.length + more)
          let bytes: Uint8Array
          try {
            bytes = decode(frame, sizeBytes)
          } catch (error) {
            expect(error).toBeInstanceOf(FormatError)
            return
          }
          accepted += 1
          expect(decodeElsewhere(frame)?.equals(bytes)).toBe(true)
        },
      ),
      { numRuns: 3000 },
    )
    // Changed literals are no fault of the frame.
    expect(accepted).toBeGreaterThan(10)
  })

  it('write nothing beyond what they are to fill, whatever they unfold to', () => {
    const bomb = primitives.lz4FrameEncode(new Uint8Array(20 << 20))
    expect(bomb.length).toBeLessThan(131_072)
    const memory = new Uint8Array(131_072 + 64)
    expect(() => decodeLz4Frame(bomb, memory.subarray(0, 131_072), 0)).toThrow(FormatError)
    expect(memory.subarray(131_072)).toEqual(new Uint8Array(64))
  })

  it('need a literal at the end of a block and no distance before its beginning', () => {
    const header = Buffer.from('04224d186040', 'hex')
    const sealed = Buffer.concat([header, Buffer.of((xxh32(header.subarray(4)) >>> 8) & 0xff)])
    const frameOf = (...blocks: number[][]) =>
      Buffer.concat([
        sealed,
        ...blocks.map((block) => Buffer.from([block.length, 0, 0, 0, ...block])),
        Buffer.alloc(4),
      ])
    const [whole, endsInMatch, reachesBack] = [
      frameOf([0x10, 65, 1, 0, 0x10, 66]),
      frameOf([0x10, 65, 1, 0]),
      frameOf([0x10, 65], [0x00, 1, 0, 0x10, 66]),
    ]
    expect(Buffer.from(decode(whole, 6)).toString()).toBe('AAAAAB')
    for (const frame of [endsInMatch, reachesBack]) {
      expect(decodeElsewhere(frame)).toBeNull()
      expect(() => decode(frame, frame === endsInMatch ? 5 : 6)).toThrow(FormatError)
    }
  })
})

it('xxh32 agrees with the published values', () => {
  expect(xxh32(new Uint8Array(0))).toBe(0x02cc5d05)
  expect(xxh32(Buffer.from('abc'))).toBe(0x32d153ff)
})
