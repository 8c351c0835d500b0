import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { deriveCardFacts } from './card-facts.ts'
import { validateCard } from './card-rules.ts'
import { parseCard } from './card.ts'

const card = (yaml: string) => `---\n${yaml}\n---\n# Title\n`

describe('front matter', () => {
  test('is plain data, YAML 1.2: Norwegian is no boolean and a date is text', () => {
    expect(parseCard(card('language: no\ndate: 2024-01-01\nn: 1')).data).toEqual({
      language: 'no',
      date: '2024-01-01',
      n: 1,
    })
  })

  test.each([
    ['CRLF', '---\r\nlicense: mit\r\n---\r\ntext'],
    ['a byte order mark', '\uFEFF---\nlicense: mit\n---\ntext'],
    ['blank lines before', '\n \n---\nlicense: mit\n---'],
    ['blanks after the end', '---\nlicense: mit\n---  \ntext'],
  ])('is found with %s', (_, markdown) => {
    expect(parseCard(markdown)).toEqual({ data: { license: 'mit' }, problems: [] })
  })

  test.each([
    ['no front matter', '# Title'],
    ['text first', 'x\n---\na: 1\n---\n'],
    ['an open end', '---\na: 1\n'],
    ['nothing inside', '---\n\n---\n'],
    ['a comment inside', card('# nothing')],
  ])('is null without problems: %s', (_, markdown) => {
    expect(parseCard(markdown)).toEqual({ data: null, problems: [] })
  })

  test('aliases work within reason', () => {
    expect(parseCard(card('a: &x [1]\nb: *x')).data).toEqual({ a: [1], b: [1] })
  })

  const bomb = [
    'a0: &a0 [x, x]',
    ...Array.from({ length: 30 }, (_, n) => `a${n + 1}: &a${n + 1} [*a${n}, *a${n}]`),
  ]
  test.each([
    ['broken syntax', 'a: [1'],
    ['a list', '- a'],
    ['a text', 'just words'],
    ['a duplicate key', 'a: 1\na: 2'],
    ['a duplicate key further in', 'a:\n  - {b: 1, b: 2}'],
    ['a tag of its own', 'a: !!js/function "x"'],
    ['a tag on a scalar', 'a: !secret x'],
    ['a key that is a list', '? [a]\n: 1'],
    ['the prototype', '__proto__: {polluted: true}'],
    ['an unknown alias', 'a: *x'],
    ['an alias of what contains it', 'a: &a [*a]'],
    ['an alias bomb', bomb.join('\n')],
    ['many aliases', `a: &a 1\nb: [${'*a, '.repeat(200)}]`],
    ['forty levels', `a: ${'['.repeat(40)}${']'.repeat(40)}`],
    ['a tower of brackets', '['.repeat(200_000)],
    ['a tower of dashes', '- '.repeat(100_000)],
    ['a sea of commas', `[${','.repeat(200_000)}`],
    ['too many bytes', `a: ${'é'.repeat(140_000)}`],
    ['too many bytes without an end', `a: ${'x'.repeat(400_000)}`],
  ])('is refused with a problem, and soon: %s', (_, yaml) => {
    const started = performance.now()
    const { data, problems } = parseCard(card(yaml))
    expect(data).toBeNull()
    expect(problems.length).toBeGreaterThan(0)
    expect(performance.now() - started).toBeLessThan(3000)
  })

  test('thirty thousand keys are read without comparing each with each', () => {
    const started = performance.now()
    const keys = Array.from({ length: 20_000 }, (_, n) => `k${n}: 1`).join('\n')
    expect(Object.keys(parseCard(card(keys)).data ?? {})).toHaveLength(20_000)
    expect(performance.now() - started).toBeLessThan(3000)
  })

  test('never throws', () => {
    const piece = fc.constantFrom(
      'a: ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '\n',
      '  ',
      '&x',
      '*x',
      '!t ',
      '"',
      "'",
      '|',
      '>',
      '?',
      ':',
      '#',
      '%',
      '---',
      '\t',
      'é',
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const { data, problems } = parseCard(card(pieces.join('')))
        expect(data === null || problems.length === 0).toBe(true)
      }),
    )
  })
})

describe('validation', () => {
  const errors = (yaml: string, type: 'model' | 'dataset' | 'space' = 'model') =>
    validateCard(card(yaml), type).errors.map(({ message }) => message)

  test('a good card of each type passes without a word', () => {
    const model =
      'license: [mit, apache-2.0]\ntags: [a]\nlanguage: en\ndatasets: [ns/x]\npipeline_tag: fill-mask\nlibrary_name: timm\n' +
      'model-index:\n- name: m\n  results:\n  - task: {type: t}\n    metrics: [{type: accuracy, value: 0.9}]\nanything: {goes: 1}'
    const dataset =
      'language: [en, fr]\nsize_categories: 1K<n<10K\ntask_categories: [translation]\nconfigs: [{config_name: a}]'
    const space =
      'title: T\nsdk: gradio\nsdk_version: 5.1\ncolorFrom: red\ncolorTo: indigo\napp_port: 7860\npinned: false'
    expect(validateCard(card(model), 'model')).toEqual({ errors: [], warnings: [] })
    expect(validateCard(card(dataset), 'dataset')).toEqual({ errors: [], warnings: [] })
    expect(validateCard(card(space), 'space')).toEqual({ errors: [], warnings: [] })
  })

  test('an unknown license names the known ones', () => {
    expect(errors('license: Hey')[0]).toMatch(/^"license" must be one of \[apache-2\.0, mit, /)
  })

  test.each([
    ['license: 1', '"license"'],
    ['tags: a', '"tags"'],
    ['tags: [a, 1]', '"tags[1]"'],
    ['language: {a: b}', '"language"'],
    ['datasets: 1', '"datasets"'],
    ['pipeline_tag: [a]', '"pipeline_tag"'],
    ['model-index: {}', '"model-index"'],
    ['model-index: [{results: []}]', '"model-index[0].name"'],
    [
      'model-index: [{name: a, results: [{task: {type: t}, metrics: 1}]}]',
      '"model-index[0].results[0].metrics"',
    ],
  ])('%s is an error about %s', (yaml, where) => {
    expect(errors(yaml)[0]).toContain(where)
  })

  test.each(['colorFrom: mauve', 'colorTo: 1', 'sdk: php', 'app_port: 70000', 'pinned: maybe'])(
    'a Space with %s is an error',
    (yaml) => {
      expect(errors(yaml, 'space')).toHaveLength(1)
    },
  )

  test('broken YAML is an error', () => {
    expect(errors('a: [')[0]).toContain('Invalid YAML')
  })

  test('missing and empty metadata are warnings', () => {
    for (const content of ['', '# Title', card('{}')])
      expect(validateCard(content, 'model')).toEqual({
        errors: [],
        warnings: [{ message: 'empty or missing yaml metadata in repo card' }],
      })
  })

  test('an unknown task, an odd language and a Space without an SDK are warnings', () => {
    expect(validateCard(card('pipeline_tag: thinking\nlanguage: English'), 'model')).toMatchObject({
      errors: [],
    })
    expect(validateCard(card('pipeline_tag: thinking\nlanguage: English'), 'model').warnings).toHaveLength(2)
    expect(validateCard(card('title: T'), 'space').warnings).toHaveLength(1)
  })
})

describe('facts', () => {
  test('of a model, in the order of the Hub', () => {
    const data = {
      license: 'apache-2.0',
      language: ['en'],
      tags: ['exbert', 'en'],
      datasets: ['bookcorpus'],
      base_model: 'ns/base',
      pipeline_tag: 'fill-mask',
    }
    const files = ['config.json', 'model.safetensors', 'pytorch_model.bin', 'onnx/model.onnx']
    const text = 'See https://arxiv.org/abs/1810.04805 and https://arxiv.org/pdf/1810.04805v2'
    expect(deriveCardFacts('model', data, files, text)).toEqual({
      tags: [
        'transformers',
        'pytorch',
        'onnx',
        'safetensors',
        'fill-mask',
        'exbert',
        'en',
        'dataset:bookcorpus',
        'arxiv:1810.04805',
        'base_model:ns/base',
        'license:apache-2.0',
      ],
      pipelineTag: 'fill-mask',
      libraryName: 'transformers',
      license: 'apache-2.0',
      languages: ['en'],
      datasets: ['bookcorpus'],
      baseModels: ['ns/base'],
      sdk: null,
    })
  })

  test('of a model without a card come from its files', () => {
    expect(deriveCardFacts('model', null, ['a-Q4.gguf'])).toMatchObject({
      tags: ['gguf'],
      libraryName: 'gguf',
    })
    expect(deriveCardFacts('model', null, ['config.json'])).toMatchObject({ tags: [], libraryName: null })
    expect(
      deriveCardFacts('model', null, ['modules.json', 'config.json', 'model.safetensors']),
    ).toMatchObject({
      libraryName: 'sentence-transformers',
      pipelineTag: 'sentence-similarity',
    })
  })

  test('the card wins over the files', () => {
    const facts = deriveCardFacts('model', { library_name: 'timm', tags: ['x', 'image-classification'] }, [
      'x.safetensors',
    ])
    expect(facts).toMatchObject({ libraryName: 'timm', pipelineTag: 'image-classification' })
    expect(facts.tags[0]).toBe('timm')
  })

  test('config.json does not make a model of another library one of transformers', () => {
    const files = ['config.json', 'model.safetensors']
    expect(deriveCardFacts('model', { library_name: 'mine' }, files).tags).toEqual(['mine', 'safetensors'])
    const sentences = deriveCardFacts('model', { library_name: 'sentence-transformers' }, files)
    expect(sentences.tags.slice(0, 3)).toEqual(['sentence-transformers', 'transformers', 'safetensors'])
  })

  test('of a dataset and a Space', () => {
    const data = {
      task_categories: ['translation'],
      size_categories: '1K<n<10K',
      language: 'en',
      license: 'mit',
      tags: ['t'],
    }
    expect(deriveCardFacts('dataset', data, []).tags).toEqual([
      'task_categories:translation',
      'language:en',
      'license:mit',
      'size_categories:1K<n<10K',
      't',
    ])
    expect(deriveCardFacts('space', { sdk: 'gradio', tags: ['t'] }, [])).toMatchObject({
      sdk: 'gradio',
      tags: ['gradio', 't'],
    })
  })

  test('a card that breaks the rules still has facts', () => {
    const data = { tags: ['a', 1, null, ['b'], 'x'.repeat(1000)], license: { a: 1 }, language: 3 }
    expect(deriveCardFacts('model', data, [])).toMatchObject({ tags: ['a'], license: null, languages: [] })
  })
})
