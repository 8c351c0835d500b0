/** transformers, and what stands on it, with a real model. Their torch weighs gigabytes: matrix only. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, inject } from 'vitest'

import { cellsOf } from './cells.ts'
import { printOnFailure, startHub } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { readManifest } from './model-folder.ts'
import { libraryMounts, mountPath } from './mount.ts'
import { startPython } from './python-walk.ts'
import type { PythonWalk, Step } from './python-walk.ts'
import { startRecorder } from './recorder.ts'
import type { Recorder } from './recorder.ts'

const { modelFolder } = inject('clients')
const { pythonTransformers } = inject('libraries')
const tokens = [101, 1996, 9594, 8847, 102]
const parameters = 22_713_216

describe.each(libraryMounts)('a model at %s', (mount) => {
  const skip = pythonTransformers === null || modelFolder === null
  const cells = (client: string, version: string) => cellsOf({ client, version, mount, xet: true }, { skip })
  const step = cells('transformers', '5.23')
  const stack = new AsyncDisposableStack()
  let hub: HubProcess
  let recorder: Recorder
  let walk: PythonWalk
  beforeAll(async () => {
    if (skip) return
    const home = await mkdtemp(join(tmpdir(), 'cairn-e2e-transformers-'))
    stack.defer(() => rm(home, { recursive: true, force: true }))
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    const url = recorder.url + (await mountPath(hub, mount))
    const plan = {
      repo: 'alice/minilm',
      folder: modelFolder,
      pushed: 'alice/pushed',
      sharded: 'alice/sharded',
      own: 'alice/own',
      sentences: 'alice/sentences',
      adapter: 'alice/adapter',
      pipeline: 'alice/pipeline',
    }
    walk = stack.use(startPython(pythonTransformers!, 'load_models.py', plan, { ...recorder, url }, { home }))
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => (skip ? '' : `${recorder.report()}\n${walk.complaints()}\n--- ${hub.log()}`))

  const next = async (name: string): Promise<Step<Record<string, unknown>>> => walk.next(name)

  step('from_pretrained by name', async () => {
    const uploaded = await next('upload')
    expect(uploaded.facts).toEqual({ files: Object.keys(await readManifest(modelFolder!)).toSorted() })
    const shape = [1, tokens.length, 384]
    expect((await next('load')).facts).toEqual({ kind: 'BertModel', tokens, shape, parameters, same: true })
  })

  step('revision by full and short commit id', async () => {
    expect((await next('revisions')).facts).toEqual({ now: 12, full: 384, short: 384, loaded: true })
  })

  step('push_to_hub', async () => {
    const { facts } = await next('push_to_hub')
    const files = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
    expect(facts).toMatchObject({ files: expect.arrayContaining(files) as unknown, same: true, tokens })
  })

  step('push_to_hub in shards, private; their safetensors heads', async () => {
    const { facts } = await next('sharded and private')
    expect(facts).toEqual({
      private: true,
      shards: 3,
      parameters: { F32: parameters },
      same: true,
      anonymous: expect.stringMatching(/is not a valid model identifier/) as unknown,
    })
  })

  step("a class of one's own by PyTorchModelHubMixin", async () => {
    expect((await next('mixin')).facts).toEqual({
      same: true,
      library: 'doubling',
      tags: ['doubling', 'safetensors', 'model_hub_mixin', 'odd', 'pytorch_model_hub_mixin'],
      found: ['alice/own'],
    })
  })

  step('what does not exist is named', async () => {
    expect((await next('absent')).facts).toEqual({
      bare: expect.stringMatching(/^gpt2 is not .* a valid model identifier/) as unknown,
      named: expect.stringMatching(/^alice\/nothing is not .* a valid model identifier/) as unknown,
      revision: expect.stringMatching(/^nowhere is not a valid git identifier/) as unknown,
    })
  })

  cells('sentence-transformers', '6.2')('SentenceTransformer by name', async () => {
    const { facts } = await next('sentence-transformers')
    expect(facts['near']).toBeGreaterThan(0.6)
    expect(facts['far']).toBeLessThan(0.2)
  })

  cells('sentence-transformers', '6.2')('push_to_hub', async () => {
    const { facts } = await next('sentence-transformers pushes')
    const files = ['1_Pooling/config.json', 'config.json', 'model.safetensors', 'modules.json']
    expect(facts).toMatchObject({ files: expect.arrayContaining(files) as unknown, same: true })
  })

  cells('peft', '0.21')('an adapter is pushed and put on its base', async () => {
    const files = ['.gitattributes', 'README.md', 'adapter_config.json', 'adapter_model.safetensors']
    expect((await next('peft')).facts).toEqual({ files, same: true })
  })

  cells('diffusers', '0.42')('a pipeline is pushed and loaded, whole and in part', async () => {
    expect((await next('diffusers')).facts).toEqual({
      kind: 'DDPMPipeline',
      same: true,
      library: 'diffusers',
    })
  })
})
