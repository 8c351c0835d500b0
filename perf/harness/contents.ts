/**
 * Large files of the three kinds that chunks come in: random bytes, which nothing makes shorter; text that LZ4 halves;
 * and weights in bf16, which it takes only when their bytes are grouped. Each file is new throughout, so that no part of
 * it is known from an earlier one.
 */
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'

export const CONTENT_KINDS = ['random', 'csv', 'bf16'] as const
export type ContentKind = (typeof CONTENT_KINDS)[number]

const BLOCK_BYTES = 1 << 20

/** `sizeBytes`: whole MiB. */
export async function makeContent(path: string, kind: ContentKind, sizeBytes: number): Promise<void> {
  await using file = await open(path, 'w')
  for (let at = 0; at < sizeBytes; at += BLOCK_BYTES) await file.write(contentBlock(kind))
}

/** A MiB of it. */
export function contentBlock(kind: ContentKind): Uint8Array {
  const random = randomBytes(BLOCK_BYTES)
  if (kind === 'random') return random
  return kind === 'csv' ? rowsFrom(random) : weightsFrom(random)
}

/** Lines with two numbers and two words. LZ4 leaves some 55 % of them. */
function rowsFrom(random: Buffer): Uint8Array {
  const rows = new Uint8Array(BLOCK_BYTES)
  for (let at = 0, drawn = 0; at + ROW.length <= BLOCK_BYTES; at += ROW.length) {
    rows.set(ROW, at)
    for (const digit of DIGITS_OF_ROW) rows[at + digit] = ZERO + (random[drawn++]! % 10)
  }
  return rows
}

const ZERO = 48
const ROW = new TextEncoder().encode('item-000,0.000000,at-00,ok\n')
const DIGITS_OF_ROW = [...ROW.keys()].filter((at) => ROW[at] === ZERO)

/** Of a normal distribution with a deviation of 0.02, as weights have it. */
function weightsFrom(random: Buffer): Uint8Array {
  const words = new Uint16Array(random.buffer, random.byteOffset, BLOCK_BYTES / 2)
  const weights = words.map((word) => WEIGHTS[word]!)
  return new Uint8Array(weights.buffer)
}

const WEIGHTS = Uint16Array.from({ length: 1 << 16 }, (_, index) => {
  const radius = Math.sqrt(-2 * Math.log((index + 0.5) / (1 << 16)))
  const weight = 0.02 * radius * Math.cos(2 * Math.PI * index * 0.618_033_988_75)
  return new Uint32Array(Float32Array.of(weight).buffer)[0]! >>> 16
})
