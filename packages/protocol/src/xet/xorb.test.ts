import { nativePrimitives as primitives } from '@cairn/server/primitives'
import { type ContentRecipe, generateContent } from '@cairn/testkit/xet-content'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { FormatError } from '../errors.ts'
import { groupBytes, ungroupBytes } from './byte-grouping.ts'
import { decodeChunkTable } from './chunk-table.ts'
import { decodeChunk, encodeChunk, splitChunks } from './chunk.ts'
import { createXorbParser, encodeXorb, type XorbChunk } from './xorb.ts'

const RECIPES: ContentRecipe['recipe'][] = ['random', 'floats', 'csv', 'constant']
const CHUNKS = RECIPES.map((recipe, seed) =>
  generateContent({ recipe, seed: seed + 1, sizeBytes: 20_001 + seed }),
)
const FOOTER = Buffer.from('XETBLOB\u0001 and whatever an old client wrote')

function parse(bytes: Uint8Array, pieceBytes = bytes.length): XorbChunk[] {
  const parser = createXorbParser()
  const chunks: XorbChunk[] = []
  for (let at = 0; at < bytes.length; at += pieceBytes)
    chunks.push(...parser.push(bytes.subarray(at, at + pieceBytes)))
  parser.finish()
  return chunks
}

function contents(run: Uint8Array): Uint8Array[] {
  return Array.from(splitChunks(run, 0), (chunk) =>
    decodeChunk(chunk, new Uint8Array(chunk.header.rawBytes), 0),
  )
}

describe('xorb', () => {
  const xorb = encodeXorb(primitives, CHUNKS)

  it.each([1, 5, 8, 1000, 100_000])('is read in pieces of %i bytes', (pieceBytes) => {
    const chunks = parse(xorb.bytes, pieceBytes)
    expect(Buffer.concat(contents(xorb.bytes)).equals(Buffer.concat(CHUNKS))).toBe(true)
    const table = decodeChunkTable(xorb.chunks)
    expect(chunks.map((chunk) => chunk.physicalEnd)).toEqual(chunks.map((_, i) => table.physicalStart(i + 1)))
  })

  it('loses an old footer', () => {
    const parser = createXorbParser()
    parser.push(Buffer.concat([xorb.bytes, FOOTER]))
    expect(parser.finish()).toEqual({ chunkCount: 4, storedBytes: xorb.bytes.length })
  })

  it('refuses every truncation that does not end a chunk', () => {
    const ends = new Set(parse(xorb.bytes).map((chunk) => chunk.physicalEnd))
    for (let length = 0; length < xorb.bytes.length; length += 97)
      if (!ends.has(length)) expect(() => parse(xorb.bytes.subarray(0, length))).toThrow(FormatError)
  })

  it('refuses a footer without chunks', () => {
    expect(() => parse(FOOTER)).toThrow(FormatError)
  })

  it('either decodes mutated bytes or throws FormatError', () => {
    const small = encodeXorb(
      primitives,
      CHUNKS.map((chunk) => chunk.subarray(0, 600)),
    ).bytes
    const mutation = fc.tuple(fc.nat(small.length - 1), fc.nat(255))
    fc.assert(
      fc.property(fc.array(mutation, { minLength: 1, maxLength: 4 }), (mutations) => {
        const mutated = Uint8Array.from(small)
        for (const [at, byte] of mutations) mutated[at] = byte
        try {
          const end = parse(mutated).at(-1)!.physicalEnd
          contents(mutated.subarray(0, end))
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('chunk', () => {
  it.each(['none', 'lz4', 'bg4-lz4'] as const)('comes back from scheme %s', (scheme) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 500, max: 3 }), (raw) => {
        expect(Buffer.concat(contents(encodeChunk(primitives, raw, scheme))).equals(raw)).toBe(true)
      }),
    )
  })

  it('regroups bytes of every length', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const back = new Uint8Array(bytes.length)
        ungroupBytes(groupBytes(bytes), back)
        expect(back).toEqual(bytes)
      }),
    )
    expect([...groupBytes(Uint8Array.of(0, 1, 2, 3, 4, 5, 6))]).toEqual([0, 4, 1, 5, 2, 6, 3])
  })
})
