/** `ollama pull` from the hub, by the program itself: a full matrix has it. The requests alone: gguf-pull.test.ts. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

import { generateGguf } from '@cairn/testkit/gguf-content'
import { afterAll, beforeAll, describe, expect, inject } from 'vitest'

import { buildOllama, builtClientsTimeoutMs, isBuilt, ollamaVersion } from './built-clients.ts'
import { cellsOf } from './cells.ts'
import { makeGgufRepo, modelBytes, sha256 } from './gguf-repo.ts'
import { guideBlocks } from './guide.ts'
import { cleanEnv, printOnFailure, startHub, type HubProcess } from './hub-process.ts'
import { clientEnv } from './python-walk.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const run = promisify(execFile)
const python = inject('clients').python['2.4.0'] ?? null
const repo = 'alice/Llama-3.2-1B-GGUF'
const xetRepo = 'alice/over-xet-GGUF'
const files = {
  'm-Q8_0.gguf': modelBytes(1),
  'm-Q4_K_M.gguf': modelBytes(2),
  'mmproj-F16.gguf': modelBytes(3),
  template: '{{ .Prompt }}',
  system: 'Be brief.',
  params: '{"temperature":0.5}',
  LICENSE: 'MIT',
}
const split = { 'b-00001-of-00002.gguf': modelBytes(4), 'b-00002-of-00002.gguf': modelBytes(5) }
/** More than one part of a download, which has 100 MB. */
const large = { architecture: 'llama', seed: 6, weightCount: 26_000_000 }
const startMaxMs = 30_000

describe.runIf(isBuilt('Ollama', 'go', 'version'))(`ollama ${ollamaVersion}`, () => {
  const stack = new AsyncDisposableStack()
  const step = cellsOf({ client: 'Ollama', version: ollamaVersion, mount: 'root', xet: null })
  let hub: HubProcess
  let recorder: Recorder
  let work: string
  let program: string
  let env: NodeJS.ProcessEnv
  let said = ''

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'cairn-e2e-ollama-'))
    program = await buildOllama()
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    await makeGgufRepo(hub.url, repo, files)
    await makeGgufRepo(hub.url, 'alice/split', split)
    await makeGgufRepo(hub.url, 'alice/private', { 'm.gguf': modelBytes(7) }, { isPrivate: true })
    env = cleanEnv({
      HOME: work,
      OLLAMA_HOST: `127.0.0.1:${await freePort()}`,
      OLLAMA_MODELS: join(work, 'models'),
    })
    stack.use(await startOllama())
  }, builtClientsTimeoutMs)
  afterAll(async () => {
    await stack.disposeAsync()
    await rm(work, { recursive: true, force: true })
  })
  printOnFailure(() => `${recorder.report()}\n--- ollama said\n${said}\n--- the hub said\n${hub.log()}`)

  async function startOllama(): Promise<AsyncDisposable> {
    const child: ChildProcess = spawn(program, ['serve'], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (text: Buffer) => (said += text.toString()))
    const deadline = Date.now() + startMaxMs
    while (!(await fetch(`http://${env['OLLAMA_HOST']}/api/version`).catch(() => null))?.ok) {
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`ollama did not start: ${said}`)
      await delay(50)
    }
    return {
      async [Symbol.asyncDispose]() {
        if (child.exitCode !== null) return
        const exit = once(child, 'exit')
        child.kill('SIGTERM')
        await exit
      },
    }
  }

  /** As a user names a model of this hub. */
  const named = (id: string) => `${new URL(recorder.url).host}/${id}`
  const ollama = async (...args: string[]) => (await run(program, args, { env, timeout: 200_000 })).stdout
  const pull = (id: string) => ollama('pull', '--insecure', named(id))
  /** What a pull that must fail prints last. */
  async function refusal(id: string): Promise<string> {
    const error = (await pull(id).catch((reason: unknown) => reason)) as { stderr?: string } | string
    const lines = typeof error === 'string' ? [] : (error.stderr ?? '').split('\n')
    return lines.findLast((line) => line.startsWith('Error:')) ?? 'it succeeded'
  }
  const stored = async () => new Set(await readdir(join(work, 'models', 'blobs')))
  const nameOf = (bytes: Uint8Array | string) => `sha256-${sha256(bytes)}`

  step('pulls a quantization with all that belongs to it', async () => {
    recorder.take()
    await pull(`${repo}:q8_0`)
    const { 'm-Q4_K_M.gguf': other, ...mine } = files
    const blobs = await stored()
    for (const bytes of Object.values(mine)) expect(blobs).toContain(nameOf(bytes))
    expect(blobs).not.toContain(nameOf(other))
    expect(recorder.take().map(({ status }) => status)).not.toContainEqual(
      expect.toSatisfy((s: number) => s >= 400),
    )
  })

  step('shows what the repository says of the model', async () => {
    const shown = await ollama('show', '--modelfile', named(`${repo}:q8_0`))
    expect(shown).toContain('TEMPLATE {{ .Prompt }}')
    expect(shown).toContain('SYSTEM Be brief.')
    expect(shown).toContain('PARAMETER temperature 0.5')
    expect(shown).toMatch(/LICENSE "*MIT/)
    const listed = (await (await fetch(`http://${env['OLLAMA_HOST']}/api/tags`)).json()) as {
      models: { name: string; details: object }[]
    }
    const { details } = listed.models.find(({ name }) => name === named(`${repo}:q8_0`)) ?? {}
    expect(details).toMatchObject({ family: 'llama', parameter_size: '200K', quantization_level: 'Q8_0' })
  })

  step('pulls Q4_K_M when nothing is said', async () => {
    await pull(repo)
    expect(await stored()).toContain(nameOf(files['m-Q4_K_M.gguf']))
    expect(await ollama('list')).toContain(`${named(repo)}:latest`)
  })

  step('is pointed here as the guide says', async () => {
    const [lines = ''] = await guideBlocks('Ollama', 'sh')
    const mine = lines.replaceAll('127.0.0.1:8080/admin/my-model-GGUF', named(repo)).trim().split('\n')
    expect(mine.map((line) => line.includes(named(repo)))).toEqual([true, true])
    for (const line of mine) await ollama(...line.replace(/^ollama /, '').split(' '))
  })

  step('asks for nothing that it has', async () => {
    recorder.take()
    await pull(`${repo}:m-Q8_0.gguf`)
    expect(recorder.take().map(({ method, path }) => `${method} ${path}`)).toEqual([
      `GET /v2/${repo}/manifests/m-Q8_0.gguf`,
    ])
  })

  cellsOf({ client: 'Ollama', version: ollamaVersion, mount: 'root', xet: true }, { skip: python === null })(
    'pulls a model that lies in Xet, in several ranges at once',
    async () => {
      const folder = join(work, 'upload')
      await mkdir(folder)
      const bytes = generateGguf(large)
      await writeFile(join(folder, 'm-Q4_0.gguf'), bytes)
      const hf = join(python!, '..', 'hf')
      const home = join(work, 'home')
      await run(python!, [hf, 'upload', xetRepo, folder, '.'], {
        env: clientEnv({ endpoint: hub.url, home }),
      })
      const info = await fetch(`${hub.url}/api/models/${xetRepo}/tree/main`)
      expect(await info.json()).toContainEqual(
        expect.objectContaining({ xetHash: expect.any(String) as string }),
      )
      recorder.take()
      await pull(`${xetRepo}:Q4_0`)
      const path = join(work, 'models', 'blobs', nameOf(bytes))
      expect(sha256(await readFile(path))).toBe(sha256(bytes))
      expect(recorder.take().filter(({ status }) => status === 206)).toHaveLength(3)
    },
  )

  step('says why it cannot pull', async () => {
    expect(await refusal(`${repo}:Q3_K_S`)).toContain(`has no tag 'Q3_K_S'; it has Q4_K_M, Q8_0`)
    expect(await refusal('alice/split')).toContain('is one of 2 parts')
    const hidden = await refusal('alice/private')
    expect(hidden).toContain('private ones cannot be pulled with the key of an Ollama client')
    expect(await refusal('alice/nothing')).toBe(hidden)
  })
})

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}
