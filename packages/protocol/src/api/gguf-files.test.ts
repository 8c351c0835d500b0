import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { chooseModel, chooseProjector, parseGgufPath, tagsOf, type GgufFile } from './gguf-files.ts'

const filesOf = (...paths: string[]): GgufFile[] => paths.flatMap((path) => parseGgufPath(path) ?? [])
const chosen = (paths: string[], tag: string) => chooseModel(filesOf(...paths), tag)?.path ?? null

describe('the name of a file', () => {
  test.each([
    ['Llama-3.2-1B-Instruct-Q4_K_M.gguf', 'Q4_K_M'],
    ['mistral-7b-v0.1.Q5_0.gguf', 'Q5_0'],
    ['model-iq2_xxs.gguf', 'IQ2_XXS'],
    ['model-IQ4_NL.gguf', 'IQ4_NL'],
    ['model-Q4_0_4_8.gguf', 'Q4_0_4_8'],
    ['model-UD-Q4_K_XL.gguf', 'UD-Q4_K_XL'],
    ['model-TQ1_0.gguf', 'TQ1_0'],
    ['gpt-oss-20b-MXFP4.gguf', 'MXFP4'],
    ['ggml-model-f16.gguf', 'F16'],
    ['model_bf16.gguf', 'BF16'],
    ['model.FP32.gguf', 'FP32'],
    ['model-q8.GGUF', 'Q8'],
    ['model-Q6_K-00001-of-00002.gguf', 'Q6_K'],
    ['Q8_0/model-00002-of-00003.gguf', 'Q8_0'],
    ['Q8_0/model-Q4_0.gguf', 'Q4_0'],
    ['F16-to-Q4_K_S.gguf', 'Q4_K_S'],
    ['model.gguf', null],
    ['SQ4_0x.gguf', null],
  ])('%s says %s', (path, quant) => {
    expect(parseGgufPath(path)?.quant).toBe(quant)
  })

  test('says what the file is for', () => {
    const kinds = (path: string) => parseGgufPath(path)?.kind
    expect(
      ['a.gguf', 'mmproj-a-f16.gguf', 'a.imatrix.gguf', 'mtp-a.gguf', 'some-mtp-a.gguf'].map(kinds),
    ).toEqual(['model', 'projector', 'aside', 'aside', 'model'])
    expect(['README.md', 'a.gguf.part', '.gguf', 'a.gguf/b'].map(parseGgufPath)).toEqual([
      null,
      null,
      null,
      null,
    ])
  })

  test('says which part of a split model it is', () => {
    expect(parseGgufPath('x/big-00002-of-00010.gguf')).toMatchObject({
      stem: 'big',
      shard: { index: 2, count: 10 },
    })
    expect(parseGgufPath('big-2-of-3.gguf')).toMatchObject({ stem: 'big-2-of-3', shard: null })
  })
})

describe('a tag', () => {
  const three = ['m-Q2_K.gguf', 'm-Q4_0.gguf', 'm-Q4_K_M.gguf', 'm-Q8_0.gguf']

  test('is a quantization in any case', () => {
    expect(chosen(three, 'q8_0')).toBe('m-Q8_0.gguf')
    expect(chosen(three, 'Q4_K_M')).toBe('m-Q4_K_M.gguf')
  })

  test('is the name of a file', () => {
    expect(chosen(three, 'm-Q2_K')).toBe('m-Q2_K.gguf')
    expect(chosen(three, 'M-q2_k.GGUF')).toBe('m-Q2_K.gguf')
    expect(chosen(['sub/m-Q2_K.gguf'], 'sub/m-Q2_K.gguf')).toBe('sub/m-Q2_K.gguf')
  })

  test('is taken whole: a part of a name means nothing', () => {
    for (const tag of ['Q4', 'Q4_K', 'm', '', '.*', 'Q8_0.'])
      expect([tag, chosen(three, tag)]).toEqual([tag, null])
  })

  test('named latest prefers Q4_K_M, then any Q4, then the first', () => {
    expect(chosen(three, 'latest')).toBe('m-Q4_K_M.gguf')
    expect(chosen(['m-Q2_K.gguf', 'm-IQ4_XS.gguf', 'm-Q4_0.gguf'], 'Latest')).toBe('m-Q4_0.gguf')
    expect(chosen(['m-Q2_K.gguf', 'm-UD-Q4_K_XL.gguf'], 'latest')).toBe('m-UD-Q4_K_XL.gguf')
    expect(chosen(['m-BF16.gguf', 'm-Q2_K.gguf'], 'latest')).toBe('m-BF16.gguf')
    expect(chosen(['mmproj-F16.gguf', 'm.imatrix.gguf'], 'latest')).toBeNull()
  })

  test('means a dynamic quantization by its short name, unless a plain one has it', () => {
    const both = ['m-UD-Q4_K_M.gguf', 'm-Q4_K_M.gguf']
    expect(chosen(both, 'Q4_K_M')).toBe('m-Q4_K_M.gguf')
    expect(chosen(both, 'UD-Q4_K_M')).toBe('m-UD-Q4_K_M.gguf')
    expect(chosen(['m-UD-Q2_K_XL.gguf'], 'q2_k_xl')).toBe('m-UD-Q2_K_XL.gguf')
  })

  test('means the first part of a split model', () => {
    const parts = ['BF16/m-00002-of-00002.gguf', 'BF16/m-00001-of-00002.gguf']
    for (const tag of ['bf16', 'm', 'latest']) expect(chosen(parts, tag)).toBe('BF16/m-00001-of-00002.gguf')
    expect(tagsOf(filesOf(...parts, 'other.gguf', 'mmproj-F16.gguf'))).toEqual(['BF16', 'other'])
  })
})

test('a projector belongs to the models below its folder', () => {
  const files = filesOf(
    'mmproj-F32.gguf',
    'mmproj-f16.gguf',
    'b/mmproj.gguf',
    'a-Q4_0.gguf',
    'b/b-Q4_0.gguf',
    'c/c.gguf',
  )
  const of = (path: string) => chooseProjector(files, parseGgufPath(path)!)?.path
  expect([of('a-Q4_0.gguf'), of('b/b-Q4_0.gguf'), of('c/c.gguf')]).toEqual([
    'mmproj-f16.gguf',
    'b/mmproj.gguf',
    'mmproj-f16.gguf',
  ])
  expect(chooseProjector(filesOf('b/mmproj.gguf'), parseGgufPath('a.gguf')!)).toBeNull()
})

test('whatever the names, a tag means a model, and every tag offered means one', () => {
  const name = fc.stringMatching(/^[a-zA-Z0-9_./-]{0,30}(-Q[2-8]_[0KM])?(-0000[12]-of-00002)?\.gguf$/)
  fc.assert(
    fc.property(fc.array(name, { maxLength: 8 }), fc.string(), (paths, tag) => {
      const files = filesOf(...paths)
      expect(['model', undefined]).toContain(chooseModel(files, tag)?.kind)
      for (const offered of tagsOf(files)) expect(chooseModel(files, offered)).not.toBeNull()
    }),
  )
})
