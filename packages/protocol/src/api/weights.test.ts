/** The heads of weight files, from anybody. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { FormatError } from '../errors.ts'
import { parseGguf } from './gguf.ts'
import { addCounts, countParameters, parseHeaderLength, parseShardIndex, totalOf } from './safetensors.ts'

const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const tensor = (dtype: string, shape: number[]) => ({ dtype, shape, data_offsets: [0, 0] })

/** Bytes of a GGUF head, from the format's own words. */
function gguf(
  metadata: readonly (readonly [string, number, Uint8Array])[],
  tensors: readonly number[][],
  version = 3,
): Uint8Array {
  const parts: Uint8Array[] = [
    new TextEncoder().encode('GGUF'),
    u32(version),
    u64(tensors.length),
    u64(metadata.length),
  ]
  for (const [key, type, value] of metadata) parts.push(text(key), u32(type), value)
  for (const [index, shape] of tensors.entries())
    parts.push(text(`t${index}`), u32(shape.length), ...shape.map(u64), u32(0), u64(0))
  return Buffer.concat(parts)
}
function u32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
function u64(value: number): Uint8Array {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  return bytes
}
function text(value: string): Uint8Array {
  return Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])
}
const words = (list: readonly string[]) => Buffer.concat([u32(8), u64(list.length), ...list.map(text)])

/** Decodes, or refuses with FormatError: nothing else may happen. */
function decodesOrRefuses(work: () => unknown): void {
  try {
    work()
  } catch (error) {
    expect(error).toBeInstanceOf(FormatError)
  }
}

describe('safetensors', () => {
  test('parameters are counted by data type; metadata is none', () => {
    const header = {
      __metadata__: { format: 'pt' },
      a: tensor('F32', [2, 3]),
      b: tensor('F32', []),
      c: tensor('I64', [4]),
      d: tensor('F32', [0, 9]),
    }
    const counts = countParameters(json(header))
    expect(counts).toEqual({ F32: 7, I64: 4 })
    expect(totalOf(counts)).toBe(11)
    expect(addCounts([counts, { F32: 1, BF16: 2 }])).toEqual({ F32: 8, I64: 4, BF16: 2 })
  })

  test.each([
    ['a huge length', new Uint8Array(8).fill(255)],
    ['no length', new Uint8Array(7)],
    ['an empty header', new Uint8Array(8)],
  ])('refuses %s', (_, prefix) => expect(() => parseHeaderLength(prefix)).toThrow(FormatError))

  test.each([
    ['no JSON', new TextEncoder().encode('{')],
    ['a list', json([])],
    ['a tensor without a shape', json({ a: { dtype: 'F32' } })],
    ['a negative dimension', json({ a: tensor('F32', [-1]) })],
    ['a fraction', json({ a: tensor('F32', [0.5]) })],
    ['more elements than a number holds', json({ a: tensor('F32', [2 ** 30, 2 ** 30]) })],
    ['a sum of more', json({ a: tensor('F32', [2 ** 52]), b: tensor('F32', [2 ** 52]) })],
    ['a data type of odd letters', json({ a: tensor('<b>', [1]) })],
  ])('refuses %s', (_, header) => expect(() => countParameters(header)).toThrow(FormatError))

  test('a name in the header cannot reach a prototype', () => {
    expect(countParameters(new TextEncoder().encode('{"__proto__":{"dtype":"F32","shape":[2]}}'))).toEqual({
      F32: 2,
    })
  })

  test('a sharded index names each file once and none outside of its folder', () => {
    const map = {
      a: 'model-00001-of-00002.safetensors',
      b: 'model-00002-of-00002.safetensors',
      c: 'model-00001-of-00002.safetensors',
    }
    expect(parseShardIndex(json({ weight_map: map }))).toEqual([map.a, map.b])
    for (const name of ['../x.safetensors', 'a/b.safetensors', 'x.bin', '', 7])
      expect(() => parseShardIndex(json({ weight_map: { a: name } }))).toThrow(FormatError)
  })

  test('any mutation decodes or is refused', () => {
    const valid = json({ a: tensor('F32', [2, 3]), b: tensor('BF16', [4]) })
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const bytes = valid.slice()
        bytes[at] = byte
        decodesOrRefuses(() => totalOf(countParameters(bytes)))
      }),
    )
  })
})

describe('GGUF', () => {
  const head = gguf(
    [
      ['general.architecture', 8, text('llama')],
      ['llama.context_length', 4, u32(4096)],
      ['other.context_length', 4, u32(1)],
      ['tokenizer.ggml.tokens', 9, words(['a', 'b', 'çé'])],
      ['nested', 9, Buffer.concat([u32(9), u64(1), words(['x'])])],
      ['general.file_type', 7, Buffer.from([1])],
      ['tokenizer.chat_template', 8, text('{{ x }}')],
    ],
    [[4, 8], [10], []],
  )

  test('says how many parameters, of what architecture, with which context', () => {
    const facts = { total: 43, architecture: 'llama', context_length: 4096, chat_template: '{{ x }}' }
    expect(parseGguf(head)).toEqual(facts)
    expect(parseGguf(Buffer.concat([head, Buffer.alloc(100)]))).toEqual(facts)
    expect(parseGguf(gguf([], [[3]], 2))).toEqual({ total: 3 })
  })

  test('every shorter piece asks for more instead of saying half', () => {
    for (let length = 0; length < head.length; length += 1)
      expect(parseGguf(head.subarray(0, length))).toBeNull()
  })

  test.each([
    ['another magic', Buffer.from('GGML0000')],
    ['version 1', gguf([], [], 1)],
    ['version 4', gguf([], [], 4)],
    ['too many tensors', Buffer.concat([head.subarray(0, 8), u64(10 ** 9), u64(0)])],
    ['too much metadata', Buffer.concat([head.subarray(0, 16), u64(10 ** 9)])],
    ['an unknown type', gguf([['x', 13, u32(1)]], [])],
    ['an endless text', gguf([['x', 8, u64(2 ** 40)]], [])],
    ['an endless array', gguf([['x', 9, Buffer.concat([u32(4), u64(2 ** 40)])]], [])],
    [
      'deep arrays',
      gguf([['x', 9, Buffer.concat(Array.from({ length: 9 }, () => Buffer.concat([u32(9), u64(1)])))]], []),
    ],
    ['tensors of too many elements', gguf([], [[2 ** 40, 2 ** 40]])],
  ])('refuses %s', (_, bytes) => expect(() => parseGguf(bytes)).toThrow(FormatError))

  test('what is written is read', () => {
    const shapes = fc.array(fc.array(fc.nat(1000), { maxLength: 4 }), { maxLength: 20 })
    fc.assert(
      fc.property(fc.string(), fc.nat(2 ** 31), shapes, (architecture, context, tensors) => {
        const written = gguf(
          [
            ['general.architecture', 8, text(architecture)],
            [`${architecture}.context_length`, 10, u64(context)],
          ],
          tensors,
        )
        const total = tensors.reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0)
        const read = parseGguf(written)
        expect(read?.total).toBe(total)
        expect(read?.architecture).toBe(architecture.toWellFormed())
      }),
    )
  })

  test('any mutation decodes, asks for more or is refused', () => {
    fc.assert(
      fc.property(fc.nat(head.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const bytes = Uint8Array.from(head)
        bytes[at] = byte
        decodesOrRefuses(() => parseGguf(bytes))
      }),
    )
  })
})
