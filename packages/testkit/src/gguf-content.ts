/** GGUF files that any reader accepts: a head with what is asked for, one tensor, and random weights behind it. */
import { generateContent } from './xet-content.ts'

export interface GgufRecipe {
  architecture: string
  seed: number
  /** 32-bit floats of its only tensor. */
  weightCount: number
  /** Its vocabulary, which makes up most of a real head. */
  words?: readonly string[]
}

const ALIGNMENT_BYTES = 32

export function generateGguf({ architecture, seed, weightCount, words }: GgufRecipe): Uint8Array {
  const head = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(1),
    u64(words === undefined ? 4 : 5),
    text('general.architecture'),
    u32(8),
    text(architecture),
    text('general.file_type'),
    u32(4),
    u32(0),
    text(`${architecture}.context_length`),
    u32(4),
    u32(2048),
    text(`${architecture}.embedding_length`),
    u32(4),
    u32(64),
    ...(words === undefined
      ? []
      : [text('tokenizer.ggml.tokens'), u32(9), u32(8), u64(words.length), ...words.map(text)]),
    text('token_embd.weight'),
    u32(1),
    u64(weightCount),
    u32(0),
    u64(0),
  ])
  const padding = Buffer.alloc(-head.length & (ALIGNMENT_BYTES - 1))
  const weights = generateContent({ recipe: 'floats', seed, sizeBytes: weightCount * 4 })
  return Buffer.concat([head, padding, weights])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
