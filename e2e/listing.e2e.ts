/** Lists, searches and info with Python's stock clients: newest and 0.19.4. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { printOnFailure, startHub } from './hub-process.ts'
import { startPython } from './python-walk.ts'
import type { PythonWalk } from './python-walk.ts'
import { startRecorder } from './recorder.ts'

const { pythonNewest, python019 } = inject('clients')
const MODELS = ['acme/llama.gguf', 'alice/sharded', 'alice/tiny-bert']

describe.each([
  { client: 'newest', python: pythonNewest, isOld: false },
  { client: '0.19.4', python: python019, isOld: true },
])('huggingface_hub $client', ({ python, isOld }) => {
  const skipped = python === null
  let walk: PythonWalk
  const stack = new AsyncDisposableStack()
  beforeAll(async () => {
    if (python === null) return
    const home = await mkdtemp(join(tmpdir(), 'cairn-e2e-listing-'))
    stack.defer(() => rm(home, { recursive: true, force: true }))
    const hub = stack.use(await startHub())
    const recorder = stack.use(await startRecorder(hub.url))
    walk = stack.use(startPython(python, 'listing.py', {}, recorder, { home }))
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => (skipped ? '' : walk.complaints()))

  const facts = async <F>(name: string): Promise<F> => (await walk.next<F>(name)).facts

  test.skipIf(skipped)('repositories with cards and weights are made', async () => {
    await walk.next('filled')
  })

  test.skipIf(skipped)('list_models finds by author, name, text, tags and data', async () => {
    expect(await facts('models')).toEqual({
      all: MODELS,
      anonymous: ['alice/sharded', 'alice/tiny-bert'],
      author: ['acme/llama.gguf'],
      search: ['alice/tiny-bert'],
      text: ['alice/sharded', 'alice/tiny-bert'],
      filter: ['alice/tiny-bert'],
      dataset: ['alice/tiny-bert'],
      limited: 2,
      newest: ['acme/llama.gguf', 'alice/sharded', 'alice/tiny-bert'],
    })
  })

  test.skipIf(skipped)('full, cardData and fetch_config add what they say', async () => {
    expect(await facts('full')).toEqual({
      files: ['.gitattributes', 'README.md', 'config.json', 'model.safetensors', 'tokenizer_config.json'],
      sha: true,
      config: {
        architectures: ['BertForMaskedLM'],
        model_type: 'bert',
        tokenizer_config: { mask_token: '[MASK]' },
      },
      license: 'mit',
    })
  })

  test.skipIf(skipped)('list_datasets', async () => {
    expect(await facts('datasets')).toEqual({
      all: ['alice/words'],
      filter: ['alice/words'],
      none: [],
      search: ['alice/words'],
      description: 'A card Some prose about an ornithopter.',
    })
  })

  test.skipIf(skipped)('list_spaces', async () => {
    expect(await facts('spaces')).toEqual({
      all: ['alice/demo'],
      models: ['alice/demo'],
      datasets: ['alice/demo'],
      none: [],
      linked: ['alice/demo'],
    })
  })

  test.skipIf(skipped)('model_info, in any case, knows what the files say', async () => {
    expect(await facts('info')).toMatchObject({
      id: 'alice/tiny-bert',
      pipeline_tag: 'fill-mask',
      library: 'transformers',
      mask_token: '[MASK]',
      spaces: ['alice/demo'],
      safetensors: { parameters: { F32: 10 }, total: 10 },
      transformers: {
        auto_model: 'AutoModelForMaskedLM',
        pipeline_tag: 'fill-mask',
        processor: 'AutoTokenizer',
      },
    })
  })

  test.skipIf(skipped)('get_model_tags', async () => {
    expect(await facts('tags')).toEqual({ pipelines: isOld ? true : ['fill-mask'], datasets: true })
  })

  test.skipIf(skipped || isOld)('filters that only the newest has', async () => {
    expect(await facts('newest filters')).toEqual({
      parameters: ['alice/sharded'],
      pipeline: ['alice/tiny-bert'],
      apps: ['acme/llama.gguf'],
      gated: [],
      warm: [],
    })
  })

  test.skipIf(skipped || isOld)('expand gives what is counted and what heads of weights say', async () => {
    expect(await facts('expand')).toEqual({
      children: [1, 1],
      downloads: [0, 0],
      trending: 0,
      storage: expect.any(Number),
      base: ['alice/tiny-bert'],
      gguf: { total: 15, architecture: 'llama', context_length: 4096 },
      total: 200,
    })
  })

  test.skipIf(skipped || isOld)('get_safetensors_metadata reads the same heads', async () => {
    expect(await facts('safetensors')).toEqual({ counts: [{ F32: 10 }, { F32: 200 }], sharded: true })
  })

  test.skipIf(skipped || !isOld)('filters that only the oldest has', async () => {
    expect(await facts('old filters')).toEqual({
      model: ['alice/tiny-bert'],
      none: [],
      dataset: ['alice/words'],
      metrics: [],
    })
  })

  test.skipIf(skipped)('what is wrong raises what users catch', async () => {
    const { by } = await facts<{ by: Record<string, string | null> }>('refused')
    expect(by['sort']).toBe('BadRequestError')
    expect(by['without a namespace']).toBe('RepositoryNotFoundError')
    expect(by['file without a namespace']).toMatch(/^(RepositoryNotFoundError|LocalEntryNotFoundError)$/)
    if (!isOld) expect(by['expand']).toBe('BadRequestError')
  })
})
