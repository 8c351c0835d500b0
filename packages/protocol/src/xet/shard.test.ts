import { readFileSync } from 'node:fs'

import { nativePrimitives as primitives } from '@cairn/server/primitives'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

import { FormatError } from '../errors.ts'
import { decodeChunkTable } from './chunk-table.ts'
import { formatDedupReply } from './dedup-reply.ts'
import { protectHash, verificationHash, type XetHash } from './hash.ts'
import { dedupCandidates, ShardRefusedError, verifyShard } from './shard-check.ts'
import { decodeShardChunk, encodeShardChunks, formatShard, parseShard, type Shard } from './shard.ts'
import { decodeTerms, encodeTerms, type Term } from './terms.ts'
import { createFileHash } from './tree-hash.ts'
import { encodeXorb } from './xorb.ts'

interface Summary {
  name: string
  base64: string
  files: { sizeBytes: number; terms: number; hashPrefix: string; sha256Prefix: string }[]
  xorbs: { hashPrefix: string; chunks: number }[]
}
const { shards: VECTORS } = JSON.parse(
  readFileSync(new URL('../../../../vectors/xet/shards.json', import.meta.url), 'utf8'),
) as { shards: Summary[] }

const XORB = encodeXorb(
  primitives,
  [1, 2, 3, 4].map((byte) => new Uint8Array(1000 * byte).fill(byte)),
)
const TABLE = decodeChunkTable(XORB.chunks)
const SHA256 = 'ab'.repeat(32)

function truthfulShard(): Shard {
  const ranges = [
    [0, 2],
    [3, 4],
  ] as const
  const terms: Term[] = ranges.map(([chunkStart, chunkEnd]) => ({
    xorb: XORB.hash,
    chunkStart,
    chunkEnd,
    rawBytes: TABLE.rawStart(chunkEnd) - TABLE.rawStart(chunkStart),
  }))
  const hash = createFileHash(primitives)
  for (const i of [0, 1, 3]) hash.add(TABLE.hash(i), TABLE.rawStart(i + 1) - TABLE.rawStart(i))
  const verification = Buffer.concat(ranges.map(([a, b]) => verificationHash(primitives, TABLE.hashes(a, b))))
  const chunks = [0, 1, 2, 3].map((i) => ({
    hash: Uint8Array.from(TABLE.hash(i)),
    rawBytes: 1000 * (i + 1),
    isDedupCandidate: i === 0,
  }))
  return {
    files: [
      {
        hash: hash.finish(),
        terms: encodeTerms(terms),
        verification: Uint8Array.from(verification),
        sha256: SHA256,
      },
    ],
    xorbs: [{ hash: XORB.hash, chunks: encodeShardChunks(chunks), storedBytes: 7 }],
  }
}

const verify = (shard: Shard) =>
  verifyShard(
    primitives,
    shard,
    (hash) => (hash === XORB.hash ? TABLE : null),
    () => {},
  )

describe('shard', () => {
  it('is read as it was written', () => {
    const shard = truthfulShard()
    expect(parseShard(formatShard(shard))).toEqual(shard)
  })

  it.each(VECTORS)('of a real client: $name', (vector) => {
    const shard = parseShard(Buffer.from(vector.base64, 'base64'))
    const files = shard.files.map((file) => ({
      sizeBytes: [...decodeTerms(file.terms)].reduce((sum, term) => sum + term.rawBytes, 0),
      terms: file.terms.length / 48,
      hashPrefix: file.hash.slice(0, 8),
      sha256Prefix: file.sha256?.slice(0, 8),
    }))
    const xorbs = shard.xorbs.map((xorb) => ({
      hashPrefix: xorb.hash.slice(0, 8),
      chunks: xorb.chunks.length / 48,
    }))
    expect({ files, xorbs }).toEqual({ files: vector.files, xorbs: vector.xorbs })
  })

  it('either reads mutated bytes or throws FormatError', () => {
    const bytes = formatShard(truthfulShard())
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.nat(bytes.length), (at, byte, length) => {
        const mutated = Uint8Array.from(bytes.subarray(0, length))
        mutated[at % mutated.length] = byte
        try {
          parseShard(mutated)
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('verifyShard', () => {
  it('accepts the truth', async () => {
    const shard = truthfulShard()
    const files = await verify(shard)
    expect(files.map(({ sizeBytes, xorbs }) => ({ sizeBytes, xorbs }))).toEqual([
      { sizeBytes: 7000, xorbs: [XORB.hash] },
    ])
    expect(dedupCandidates(shard, files)).toContainEqual({
      hash: files[0]!.firstChunk!.hash,
      xorbHash: XORB.hash,
    })
  })

  const lies: [string, (shard: Shard) => void][] = [
    ['xorb-missing', (shard) => void (shard.files[0]!.terms[0]! ^= 1)],
    ['xorb-differs', (shard) => void (shard.xorbs[0]!.chunks[0]! ^= 1)],
    ['range-outside-xorb', (shard) => void (shard.files[0]!.terms[48 + 44] = 5)],
    ['length-differs', (shard) => void (shard.files[0]!.terms[36]! ^= 1)],
    ['verification-missing', (shard) => void (shard.files[0]!.verification = null)],
    ['verification-differs', (shard) => void (shard.files[0]!.verification![40]! ^= 1)],
    ['file-hash-differs', (shard) => void (shard.files[0]!.hash = 'a'.repeat(64) as XetHash)],
  ]
  it.each(lies)('finds %s', async (refusal, lie) => {
    const shard = truthfulShard()
    lie(shard)
    const error = await verify(shard).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(ShardRefusedError)
    expect((error as ShardRefusedError).refusal).toBe(refusal)
  })
})

it('answers a dedup query with keyed hashes and look-up tables that lie at the footer', () => {
  const key = new Uint8Array(32).fill(3)
  const epoch = { key, createdAtSeconds: 100, expiresAtSeconds: 200 }
  const reply = formatDedupReply(primitives, [{ hash: XORB.hash, chunks: TABLE }], epoch)
  const { files, xorbs } = parseShard(reply)
  expect(files).toEqual([])
  expect(xorbs.map((xorb) => xorb.hash)).toEqual([XORB.hash])
  expect(decodeShardChunk(xorbs[0]!.chunks, 2).hash).toEqual(
    Uint8Array.from(protectHash(primitives, key, TABLE.hash(2))),
  )
  const footer = new DataView(reply.buffer, reply.length - 200)
  const words = [0, 8, 16, 24, 32, 40, 48, 56, 64, 104, 112, 192].map((at) =>
    Number(footer.getBigUint64(at, true)),
  )
  const at = reply.length - 200
  expect(words).toEqual([1, 48, 96, at, 0, at, 0, at, 0, 100, 200, at])
  expect(new Uint8Array(reply.buffer, at + 72, 32)).toEqual(key)
})
