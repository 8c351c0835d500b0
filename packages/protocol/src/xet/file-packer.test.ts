import { readFileSync } from 'node:fs'

import { nativePrimitives as primitives } from '@cairn/server/primitives'
import { type ContentRecipe, generateContent } from '@cairn/testkit/xet-content'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { XET_XORB_RAW_BYTES } from '../limits.ts'
import { decodeChunkTable } from './chunk-table.ts'
import { decodeChunk, splitChunks } from './chunk.ts'
import { FilePacker, type PackedFile, type PackedXorb } from './file-packer.ts'
import type { XetHash } from './hash.ts'
import { verifyShard } from './shard-check.ts'
import { formatShard, parseShard } from './shard.ts'
import { decodeTerms } from './terms.ts'

const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../vectors/xet/file-ids.json', import.meta.url), 'utf8'),
) as { files: (ContentRecipe & { name: string; fileId: string })[] }

interface StoredXorb extends PackedXorb {
  chunks: Uint8Array
  raw: Uint8Array[]
}

type Store = Map<XetHash, StoredXorb>

/** Packs and keeps the xorbs. `lookUp`: what the caller finds for a chunk that the packer asks for. */
function pack(
  content: Uint8Array,
  store: Store,
  { known = [], pieceBytes = 500_000, lookUp = () => [] }: Options = {},
): { file: PackedFile; stored: StoredXorb[]; asked: XetHash[] } {
  const packer = new FilePacker(primitives)
  for (const xorb of known) packer.know(xorb)
  const stored: StoredXorb[] = []
  const asked: XetHash[] = []
  let open: Uint8Array[] = []
  const take = (questions: XetHash[], isLast: boolean): void => {
    asked.push(...questions)
    for (const question of questions) for (const xorb of lookUp(question)) packer.know(xorb)
    for (const { chunks, sealed } of packer.pack(isLast)) {
      open.push(...chunks.map(({ serialized }) => serialized))
      if (sealed === null) continue
      const xorb = { ...sealed, raw: rawChunks(Buffer.concat(open)) }
      open = []
      stored.push(xorb)
      store.set(xorb.hash, xorb)
    }
  }
  for (let at = 0; at < content.length; at += pieceBytes)
    take(packer.push(content.subarray(at, at + pieceBytes)), false)
  take(packer.finish(), true)
  expect(open).toEqual([])
  return { file: packer.file(), stored, asked }
}

interface Options {
  known?: PackedXorb[]
  pieceBytes?: number
  lookUp?: (chunk: XetHash) => PackedXorb[]
}

function rawChunks(serialized: Uint8Array): Uint8Array[] {
  return Array.from(splitChunks(serialized, 0), (chunk) =>
    decodeChunk(chunk, new Uint8Array(chunk.header.rawBytes), 0),
  )
}

function unpack(file: PackedFile, store: Store): Buffer {
  const parts = [...decodeTerms(file.terms)].flatMap(({ xorb, chunkStart, chunkEnd }) =>
    store.get(xorb)!.raw.slice(chunkStart, chunkEnd),
  )
  return Buffer.concat(parts)
}

/** As the hub judges what clients send. */
async function expectAccepted(file: PackedFile, store: Store): Promise<void> {
  const shard = parseShard(formatShard({ files: [{ ...file, sha256: null }], xorbs: [] }))
  const [verified] = await verifyShard(
    primitives,
    shard,
    (xorb) => decodeChunkTable(store.get(xorb)!.chunks),
    () => undefined,
  )
  expect(verified).toMatchObject({ sizeBytes: file.sizeBytes })
}

const storedBytes = (xorbs: StoredXorb[]): number =>
  xorbs.reduce((sum, { raw }) => sum + raw.reduce((bytes, chunk) => bytes + chunk.length, 0), 0)

describe('a packed file', () => {
  it.each(VECTORS.files)('has the id that hf_xet gives it: $name', async (vector) => {
    const store: Store = new Map()
    const content = generateContent(vector)
    const { file } = pack(content, store)
    expect(file).toMatchObject({ hash: vector.fileId, sizeBytes: content.length })
    expect(unpack(file, store).equals(content)).toBe(true)
    await expectAccepted(file, store)
  })

  it('ends a xorb at 64 MiB, as hf_xet does', async () => {
    const content = generateContent({ recipe: 'random', seed: 5, sizeBytes: XET_XORB_RAW_BYTES + 200_000 })
    const store: Store = new Map()
    const exact = pack(content.subarray(0, XET_XORB_RAW_BYTES), store, { pieceBytes: 3_000_000 })
    expect(exact.stored.map(({ raw }) => raw.length > 0)).toEqual([true])
    const more = pack(content, store, { pieceBytes: 3_000_000 })
    expect(more.stored).toHaveLength(2)
    expect(unpack(more.file, store).equals(content)).toBe(true)
    await expectAccepted(more.file, store)
  })

  it('stores one byte repeated as chunks that compress, without a term for each', async () => {
    const content = new Uint8Array(3 * XET_XORB_RAW_BYTES)
    const store: Store = new Map()
    const { file } = pack(content, store, { pieceBytes: 1_000_000 })
    expect(unpack(file, store).equals(content)).toBe(true)
    // 1536 chunks.
    expect(file.terms.length / 48).toBeLessThan(260)
    await expectAccepted(file, store)
  })
})

describe('a later version', () => {
  const first = generateContent({ recipe: 'floats', seed: 7, sizeBytes: 20_000_000 })
  const store: Store = new Map()
  const { stored: known } = pack(first, store)

  it('is all of it known, stores nothing', async () => {
    const again = pack(first, store, { known })
    expect(again.stored).toEqual([])
    expect(again.file.terms.length).toBe(known.length * 48)
    await expectAccepted(again.file, store)
  })

  it('stores what changed, and the chunks that the change touches', async () => {
    const second = Buffer.concat([
      first.subarray(0, 9_000_000),
      Buffer.from('five!'),
      first.subarray(9_000_000),
    ])
    const { file, stored } = pack(second, store, { known })
    expect(unpack(file, store).equals(second)).toBe(true)
    expect(storedBytes(stored)).toBeLessThan(400_000)
    await expectAccepted(file, store)
  })

  it('is found by a chunk that it shares, when nobody said what it follows', () => {
    const found = pack(first, store, { lookUp: () => known })
    expect(found.asked.length).toBeGreaterThan(0)
    expect(found.stored).toEqual([])
  })

  it('with chunks in another order is packed rather than made of splinters', async () => {
    const chunks = known.flatMap(({ raw }) => raw)
    const shuffled = Buffer.concat(chunks.map((_, i) => chunks[(i * 37) % chunks.length]!))
    const { file } = pack(shuffled, store, { known })
    expect(unpack(file, store).equals(shuffled)).toBe(true)
    expect(file.terms.length / 48).toBeLessThan(16 + 2 * (chunks.length / 8) + 2)
    await expectAccepted(file, store)
  })
})

it('packs any mixture of known and new content into what it was', () => {
  const known = generateContent({ recipe: 'random', seed: 11, sizeBytes: 2_000_000 })
  const store: Store = new Map()
  const { stored } = pack(known, store)
  const slice = fc.record({ from: fc.nat(1_900_000), sizeBytes: fc.nat(300_000), isNew: fc.boolean() })
  fc.assert(
    fc.property(
      fc.array(slice, { maxLength: 8 }),
      fc.integer({ min: 1000, max: 900_000 }),
      (slices, pieceBytes) => {
        const content = Buffer.concat(
          slices.map(({ from, sizeBytes, isNew }) =>
            isNew
              ? generateContent({ recipe: 'csv', seed: from + 1, sizeBytes })
              : known.subarray(from, from + sizeBytes),
          ),
        )
        const { file } = pack(content, store, { known: stored, pieceBytes })
        expect(unpack(file, store).equals(content)).toBe(true)
        expect(file.hash).toBe(pack(content, new Map()).file.hash)
      },
    ),
    { numRuns: 25 },
  )
})
