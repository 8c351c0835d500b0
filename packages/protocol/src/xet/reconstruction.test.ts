import { nativePrimitives as primitives } from '@cairn/server/primitives'
import fc from 'fast-check'
import { expect, it } from 'vitest'

import { decodeChunkTable } from './chunk-table.ts'
import { decodeChunk, splitChunks } from './chunk.ts'
import type { XetHash } from './hash.ts'
import { formatReconstruction } from './reconstruction-json.ts'
import { planReconstruction, walkReconstruction } from './reconstruction.ts'
import { encodeTerms, type Term } from './terms.ts'
import { encodeXorb } from './xorb.ts'

const XORBS = [10, 60].map((base) =>
  encodeXorb(
    primitives,
    Array.from({ length: 6 }, (_, i) =>
      Uint8Array.from({ length: 50 + 7 * i }, (__, j) => base + i + (j & 7)),
    ),
  ),
)
const TABLES = new Map(XORBS.map((xorb) => [xorb.hash, decodeChunkTable(xorb.chunks)]))
const BYTES = new Map(XORBS.map((xorb) => [xorb.hash, xorb.bytes]))
const pause = () => undefined
const table = (hash: XetHash) => TABLES.get(hash)!

const TERMS: Term[] = (
  [
    [0, 0, 4],
    [1, 1, 3],
    [0, 3, 6],
    [0, 0, 1],
    [1, 5, 6],
  ] as const
).map(([x, chunkStart, chunkEnd]) => {
  const xorb = XORBS[x]!.hash
  return {
    xorb,
    chunkStart,
    chunkEnd,
    rawBytes: table(xorb).rawStart(chunkEnd) - table(xorb).rawStart(chunkStart),
  }
})
const RECORDS = encodeTerms(TERMS)

function decodeRange(xorb: XetHash, byteStart: number, byteEnd: number): Uint8Array {
  const chunks = splitChunks(BYTES.get(xorb)!.subarray(byteStart, byteEnd + 1), byteStart)
  return Buffer.concat(Array.from(chunks, (one) => decodeChunk(one, new Uint8Array(one.header.rawBytes), 0)))
}

const FILE = Buffer.concat(
  TERMS.map(({ xorb, chunkStart, chunkEnd }) =>
    decodeRange(xorb, table(xorb).physicalStart(chunkStart), table(xorb).physicalStart(chunkEnd) - 1),
  ),
)

it('plans and walks every range to the same bytes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(FILE.length - 1),
      fc.nat(FILE.length + 50),
      fc.nat(300),
      async (start, length, step) => {
        const range = { start, end: BigInt(start + length) }
        const wanted = FILE.subarray(start, start + length + 1)

        const walked: Uint8Array[] = []
        for await (const s of walkReconstruction(RECORDS, range, table, step)) {
          const decoded = decodeRange(s.xorb, s.byteStart, s.byteEnd)
          expect(s.chunkHashes).toEqual(table(s.xorb).hashes(s.chunkStart, s.chunkEnd))
          walked.push(decoded.subarray(s.skipBytes, s.skipBytes + s.takeBytes))
        }
        expect(Buffer.concat(walked).equals(wanted)).toBe(true)

        const plan = await planReconstruction(RECORDS, range, table, pause)
        if (plan === 'unsatisfiable') throw new Error('the range lies inside')
        // As a client does it: each term out of the one fetched range that holds it.
        const fetched = plan.terms.map((term) => {
          const inside = plan.fetch
            .get(term.xorb)!
            .filter((f) => f.chunkStart <= term.chunkStart && term.chunkEnd <= f.chunkEnd)
          expect(inside).toHaveLength(1)
          const { byteStart, byteEnd, chunkStart } = inside[0]!
          const skip = table(term.xorb).rawStart(term.chunkStart) - table(term.xorb).rawStart(chunkStart)
          return decodeRange(term.xorb, byteStart, byteEnd).subarray(skip, skip + term.rawBytes)
        })
        const offset = plan.offsetIntoFirstRange
        expect(
          Buffer.concat(fetched)
            .subarray(offset, offset + wanted.length)
            .equals(wanted),
        ).toBe(true)
      },
    ),
  )
})

it('knows the end of a file', async () => {
  const behind = { start: FILE.length, end: 2n ** 64n - 2n }
  expect(await planReconstruction(RECORDS, behind, table, pause)).toBe('unsatisfiable')
  const empty = new Uint8Array(0)
  expect(await planReconstruction(empty, { start: 0, end: 255_999_999 }, table, pause)).toMatchObject({
    terms: [],
  })
  expect(await planReconstruction(empty, { start: 1, end: 2 }, table, pause)).toBe('unsatisfiable')
})

interface V1Entry {
  range: object
  url: string
  url_range: object
}

interface V2Entry {
  url: string
  ranges: { bytes: object }[]
}

it('merges touching ranges and gives each range its own URL in both versions', async () => {
  const plan = await planReconstruction(RECORDS, null, table, pause)
  if (plan === 'unsatisfiable') throw new Error('a whole file is satisfiable')
  const url = (xorb: XetHash, bytes: { start: number; end: number }) =>
    `https://x/${xorb}?${bytes.start}-${bytes.end}`
  const read = (version: 1 | 2) =>
    JSON.parse([...formatReconstruction(plan, version, url)].join('')) as unknown
  const v1 = read(1) as { terms: unknown; fetch_info: Record<string, V1Entry[]> }
  const v2 = read(2) as { terms: unknown; xorbs: Record<string, V2Entry[]> }
  const [first, second] = XORBS.map((xorb) => xorb.hash)
  expect(v1.fetch_info[first!]!.map((entry) => entry.range)).toEqual([{ start: 0, end: 6 }])
  expect(v1.fetch_info[second!]!.map((entry) => entry.range)).toEqual([
    { start: 1, end: 3 },
    { start: 5, end: 6 },
  ])
  const entries = Object.values(v2.xorbs).flat()
  expect(new Set(entries.map((entry) => entry.url)).size).toBe(3)
  expect(entries.map((entry) => entry.ranges[0]!.bytes)).toEqual(
    Object.values(v1.fetch_info)
      .flat()
      .map((e) => e.url_range),
  )
  expect(v1.terms).toEqual(v2.terms)
})
