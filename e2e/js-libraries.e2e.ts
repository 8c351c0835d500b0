/** transformers.js and @huggingface/gguf, which read models that others uploaded. Large to install: matrix only. */
import { execFile } from 'node:child_process'
import { copyFile, mkdtemp, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { generateGguf } from '@cairn/testkit/gguf-content'
import { createBranch, createRepo, uploadFiles } from '@huggingface/hub'
import { afterAll, beforeAll, describe, expect, inject } from 'vitest'

import { cellsOf } from './cells.ts'
import { printOnFailure, startHub, tokens } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { libraryMounts, mountPath } from './mount.ts'
import { clientEnv } from './python-walk.ts'
import { startRecorder } from './recorder.ts'
import type { Exchange, Recorder } from './recorder.ts'

const { modelFolder } = inject('clients')
const { jsFolder } = inject('libraries')
const program = join(dirname(fileURLToPath(import.meta.url)), 'js', 'load_models.mjs')
const words = Array.from({ length: 200_000 }, (_, index) => `a word of the vocabulary, ${index}`)
const tinyGguf = generateGguf({ architecture: 'llama', seed: 1, weightCount: 1_000_000, words })

interface Facts {
  gguf: unknown
  anonymousGguf: string
  hiddenGguf: string
  hidden: number
  anonymous: string
}

describe.each(libraryMounts)('JavaScript at %s', (mount) => {
  const skip = jsFolder === null || modelFolder === null
  const transformers = cellsOf({ client: 'transformers.js', version: '4.3', mount, xet: null }, { skip })
  const gguf = cellsOf({ client: '@huggingface/gguf', version: '0.4', mount, xet: null }, { skip })
  const stack = new AsyncDisposableStack()
  let hub: HubProcess
  let recorder: Recorder
  let facts: Facts
  let exchanges: Exchange[]
  beforeAll(async () => {
    if (skip) return
    const work = await mkdtemp(join(tmpdir(), 'cairn-e2e-js-libraries-'))
    stack.defer(() => rm(work, { recursive: true, force: true }))
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    const endpoint = recorder.url + (await mountPath(hub, mount))
    await fill(endpoint)
    recorder.take()
    // A module is looked for beside the program that imports it.
    await symlink(join(jsFolder!, 'node_modules'), join(work, 'node_modules'))
    await copyFile(program, join(work, 'load_models.mjs'))
    const args = [
      join(work, 'load_models.mjs'),
      JSON.stringify({ model: 'alice/model', hidden: 'alice/hidden' }),
    ]
    const env = clientEnv({ endpoint, home: work })
    const { stdout } = await promisify(execFile)(process.execPath, args, { env })
    facts = JSON.parse(stdout) as Facts
    exchanges = recorder.take()
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => (skip ? '' : `${recorder.report()}\n--- ${hub.log()}`))

  async function fill(hubUrl: string): Promise<void> {
    const caller = { hubUrl, accessToken: tokens.alice }
    const names = ['config.json', 'tokenizer.json', 'tokenizer_config.json']
    const read = async (path: string) => ({
      path,
      content: new Blob([await readFile(join(modelFolder!, path))]),
    })
    const files = [
      ...(await Promise.all(names.map(read))),
      { path: 'tiny.gguf', content: new Blob([new Uint8Array(tinyGguf)]) },
    ]
    for (const [name, isPrivate] of [
      ['alice/model', false],
      ['alice/hidden', true],
    ] as const) {
      await createRepo({ ...caller, repo: name, private: isPrivate })
      await uploadFiles({ ...caller, repo: name, files })
    }
    await createBranch({ ...caller, repo: 'alice/model', branch: 'v1' })
  }

  transformers('tokenizer and configuration by name and revision', async () => {
    expect(facts).toMatchObject({
      tokens: [101, 1996, 9594, 8847, 102],
      decoded: 'the hub speaks',
      layers: 6,
      tagged: 6,
      noProcessor: expect.stringMatching(/Could not locate file: .*preprocessor_config\.json/) as unknown,
    })
  })

  transformers('a private repository through env.fetch', async () => {
    expect(facts.anonymous).toMatch(/^Unauthorized access to file: .*alice\/hidden/)
    expect(facts.hidden).toBe(6)
  })

  gguf('a header by ranges', async () => {
    expect(facts.gguf).toEqual({ architecture: 'llama', words: words.length, tensors: ['token_embd.weight'] })
    const reads = exchanges.filter(({ path }) => path.endsWith('/alice/model/resolve/main/tiny.gguf'))
    expect(reads.length).toBeGreaterThan(2)
    expect(new Set(reads.map(({ status }) => status))).toEqual(new Set([206]))
  })

  gguf('a private file through its fetch', async () => {
    expect(facts.hiddenGguf).toBe('llama')
    expect(facts.anonymousGguf).not.toBe('ok')
  })
})
