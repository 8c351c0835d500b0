import { describe, expect, test } from 'vitest'

import { readListQuery, readParameterRange } from './list-query.ts'
import { deriveConfig, deriveTransformersInfo, maskToken } from './model-config.ts'
import { tagsByType } from './tag-types.ts'

const bad = { code: 'BadRequest' }

describe('list parameters', () => {
  test('without any: everything, by trend', () => {
    expect(readListQuery({}, 'model')).toMatchObject({
      sort: 'trendingScore',
      descending: true,
      tags: [],
      search: [],
    })
  })

  test('filters are single, repeated, or joined by commas', () => {
    expect(readListQuery({ filter: ['a', 'b,c'], 'filter[]': 'd' }, 'model').tags).toEqual([
      'a',
      'b',
      'c',
      'd',
    ])
    expect(readListQuery({ search: ['x', 'y z'] }, 'dataset').search).toEqual(['x', 'y z'])
  })

  test.each([
    { sort: 'stars' },
    { sort: '__proto__' },
    { direction: '0' },
    { gated: 'maybe' },
    { expand: 'password' },
    { author: ['a', 'b'] },
    { num_parameters: '6B' },
    { num_parameters: 'min:6B,min:7B' },
    { num_parameters: 'min:-1' },
    { search: 'x'.repeat(300) },
    { full: 'perhaps' },
    { filter: Array.from({ length: 20 }, () => 'a,b').join(',') },
  ])('refuses %o', (parameters) => {
    expect(() => readListQuery(parameters, 'model')).toThrow(expect.objectContaining(bad))
  })

  test('sizes have units', () => {
    expect(readParameterRange('min:6B,max:128B')).toEqual({ min: 6e9, max: 128e9 })
    expect(readParameterRange('max:1.5M')).toEqual({ min: null, max: 1_500_000 })
    expect(readParameterRange('min:12')).toEqual({ min: 12, max: null })
    expect(readParameterRange(null)).toBeNull()
  })

  test('what only another type has says nothing', () => {
    expect(readListQuery({ num_parameters: 'x', linked: 'true', models: 'a/b' }, 'dataset')).toMatchObject({
      parameters: null,
      linked: false,
      models: [],
    })
    expect(readListQuery({ linked: 'True', models: ['a/b'] }, 'space')).toMatchObject({
      linked: true,
      models: ['a/b'],
    })
  })
})

describe('model files', () => {
  const files = {
    config: {
      architectures: ['BertForMaskedLM'],
      model_type: 'bert',
      hidden_size: 8,
      auto_map: { AutoModelForMaskedLM: 'm.B' },
    },
    tokenizerConfig: {
      mask_token: { content: '[MASK]' },
      eos_token: '</s>',
      pad_token: 7,
      chat_template: '{{x}}',
    },
    modelIndex: null,
    adapterConfig: null,
  }

  test('config keeps what tells a model apart', () => {
    expect(deriveConfig(files)).toEqual({
      architectures: ['BertForMaskedLM'],
      model_type: 'bert',
      auto_map: { AutoModelForMaskedLM: 'm.B' },
      tokenizer_config: { mask_token: '[MASK]', eos_token: '</s>', chat_template: '{{x}}' },
    })
    const none = { config: null, tokenizerConfig: null, modelIndex: null, adapterConfig: null }
    expect(deriveConfig(none)).toBeNull()
    expect(
      deriveConfig({ ...none, modelIndex: { _class_name: 'P' }, adapterConfig: { task_type: 'T' } }),
    ).toEqual({
      diffusers: { _class_name: 'P' },
      peft: { task_type: 'T' },
    })
    expect(maskToken(files)).toBe('[MASK]')
    expect(maskToken(none)).toBeNull()
  })

  test('the architecture says which class loads it', () => {
    expect(deriveTransformersInfo(files.config, ['tokenizer.json'])).toEqual({
      auto_model: 'AutoModelForMaskedLM',
      custom_class: 'm.B',
      pipeline_tag: 'fill-mask',
      processor: 'AutoTokenizer',
    })
    expect(deriveTransformersInfo({ architectures: ['Odd'] }, [])).toEqual({ auto_model: 'AutoModel' })
    for (const config of [null, {}, { architectures: [] }, { architectures: [1] }, { architectures: 'x' }])
      expect(deriveTransformersInfo(config, [])).toBeNull()
  })
})

test('tags are sorted by what they say', () => {
  expect(tagsByType('model', ['pytorch', 'license:mit', 'en', 'text-generation', 'mine'])).toEqual({
    library: [{ id: 'pytorch', label: 'pytorch', type: 'library' }],
    license: [{ id: 'license:mit', label: 'mit', type: 'license' }],
    language: [{ id: 'en', label: 'en', type: 'language' }],
    pipeline_tag: [{ id: 'text-generation', label: 'text-generation', type: 'pipeline_tag' }],
    other: [{ id: 'mine', label: 'mine', type: 'other' }],
  })
  expect(Object.keys(tagsByType('dataset', ['language:en', 'pytorch', '__proto__']))).toEqual([
    'language',
    'other',
  ])
})
