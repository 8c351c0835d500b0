import { readFileSync } from 'node:fs'

import { nativePrimitives as primitives } from '@cairn/server/primitives'
import { type ContentRecipe, generateContent } from '@cairn/testkit/xet-content'
import { describe, expect, it } from 'vitest'

import { XET_CHUNK_MAX_BYTES, XET_CHUNK_MIN_BYTES } from '../limits.ts'
import { createChunker } from './chunker.ts'
import { chunkHash } from './hash.ts'
import { createFileHash } from './tree-hash.ts'

const VECTORS = JSON.parse(
  readFileSync(new URL('../../../../vectors/xet/file-ids.json', import.meta.url), 'utf8'),
) as { files: (ContentRecipe & { name: string; fileId: string })[] }

function chunksOf(content: Uint8Array, pieceBytes: number): Uint8Array[] {
  const chunker = createChunker()
  const chunks: Uint8Array[] = []
  for (let at = 0; at < content.length; at += pieceBytes)
    chunks.push(...chunker.push(content.subarray(at, at + pieceBytes)))
  return [...chunks, ...chunker.finish()]
}

describe('Xet file ids agree with hf_xet', () => {
  it.each(VECTORS.files)('$name', (vector) => {
    const content = generateContent(vector)
    const hash = createFileHash(primitives)
    for (const chunk of chunksOf(content, 300_000)) hash.add(chunkHash(primitives, chunk), chunk.length)
    expect(hash.finish()).toBe(vector.fileId)
  })
})

describe('chunker', () => {
  const content = generateContent({ recipe: 'csv', seed: 9, sizeBytes: 600_000 })

  it('loses no byte and keeps to the sizes', () => {
    const chunks = chunksOf(content, 65_536)
    expect(Buffer.concat(chunks).equals(content)).toBe(true)
    for (const chunk of chunks.slice(0, -1)) {
      expect(chunk.length).toBeGreaterThanOrEqual(XET_CHUNK_MIN_BYTES)
      expect(chunk.length).toBeLessThanOrEqual(XET_CHUNK_MAX_BYTES)
    }
  })

  it.each([1, 7, 8127, 8128, 131_072, 600_000])(
    'draws the same boundaries from pieces of %i bytes',
    (pieceBytes) => {
      const lengths = (chunks: Uint8Array[]): number[] => chunks.map((chunk) => chunk.length)
      expect(lengths(chunksOf(content, pieceBytes))).toEqual(lengths(chunksOf(content, 65_536)))
    },
  )
})
