import { createHash } from 'node:crypto'

import type { PackedXorb } from '@cairn/protocol/xet/file-packer'
import type { XetHash } from '@cairn/protocol/xet/hash'
import { generateContent } from '@cairn/testkit/xet-content'
import { expect, it } from 'vitest'

import { type PackTarget, XetPacker } from './xet-packer.ts'
import { hashChunks } from './xorb-batch.ts'

const CONTENT = generateContent({ recipe: 'csv', seed: 3, sizeBytes: 5_000_000 })

async function* pieces(bytes: Uint8Array, pieceBytes = 70_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

/** What the packer hands over. */
function target(known: PackedXorb[] = []) {
  const open: Buffer[] = []
  const xorbs: (PackedXorb & { bytes: Buffer })[] = []
  const asked: XetHash[] = []
  let pauses = 0
  const taken: PackTarget = {
    known,
    find: async (chunks) => {
      asked.push(...chunks)
      return []
    },
    append: async (bytes) => void open.push(Buffer.from(bytes)),
    seal: async (xorb) => void xorbs.push({ ...xorb, bytes: Buffer.concat(open.splice(0)) }),
    pause: async () => void pauses++,
  }
  return { taken, xorbs, asked, pauseCount: () => pauses }
}

it('packs on its thread, one file after the other', async () => {
  await using packer = new XetPacker()
  const first = target()
  const file = await packer.pack(pieces(CONTENT), first.taken)
  expect(file).toMatchObject({
    sizeBytes: CONTENT.length,
    sha256: createHash('sha256').update(CONTENT).digest('hex'),
  })
  expect(first.xorbs).toHaveLength(1)
  const [xorb] = first.xorbs
  const hashes = hashChunks(xorb!.bytes, 0)
  expect(hashes.length / 32).toBe(xorb!.chunks.length / 40)
  expect(xorb!.bytes.length).toBeLessThan(0.8 * CONTENT.length)
  expect(first.asked.length).toBeGreaterThan(0)
  expect(first.pauseCount()).toBe(5)

  const second = target(first.xorbs)
  expect(await packer.pack(pieces(CONTENT), second.taken)).toMatchObject({ hash: file.hash })
  expect(second.xorbs).toEqual([])
})

it('says what went wrong on either side, and its thread ends with it', async () => {
  const failing = async (change: Partial<PackTarget>, source = pieces(CONTENT)) => {
    await using packer = new XetPacker()
    await packer.pack(source, { ...target().taken, ...change })
  }
  const fail = () => Promise.reject(new Error('no room'))
  await expect(failing({ append: fail })).rejects.toThrow('no room')
  await expect(failing({ find: fail })).rejects.toThrow('no room')
  await expect(failing({ pause: fail })).rejects.toThrow('no room')
  const broken = { hash: 'a'.repeat(64) as XetHash, chunks: new Uint8Array(3) }
  await expect(failing({ known: [broken] })).rejects.toThrow('40 bytes')
  const ended = new XetPacker()
  await ended[Symbol.asyncDispose]()
  await expect(ended.pack(pieces(CONTENT), target().taken)).rejects.toThrow('has died')
})
