/** The Rust crate hf-hub, through the programs of e2e/rust: what reads before 1.0, and what also writes from there on. */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { generateContent } from '@cairn/testkit/xet-content'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { buildRust, builtClientsTimeoutMs, hfHub, isBuilt } from './built-clients.ts'
import { cellsOf, type Setting } from './cells.ts'
import { makeGgufRepo, modelBytes, sha256 } from './gguf-repo.ts'
import { guideBlocks } from './guide.ts'
import { cleanEnv, printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { mountPath } from './mount.ts'
import { startRecorder, type Recorder } from './recorder.ts'

interface Facts {
  error?: string
  path?: string
  sha?: string
  files?: string[]
  url?: string
  commit?: string
  exists?: boolean
  count?: number
  bytes?: number[]
}

const run = promisify(execFile)
const here = dirname(fileURLToPath(import.meta.url))
const repo = 'alice/read-by-rust'
const files = { 'm.gguf': modelBytes(1), 'sub/notes.txt': 'some notes\n', 'empty.txt': '' }
const large = generateContent({ recipe: 'random', seed: 9, sizeBytes: 12 * 1024 * 1024 })

describe.runIf(isBuilt('hf-hub', 'cargo', '--version'))('the crate hf-hub', () => {
  const stack = new AsyncDisposableStack()
  const prefixes = { root: '', prefix: '' }
  let hub: HubProcess
  let recorder: Recorder
  let work: string
  let programs: string

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'cairn-e2e-rust-'))
    programs = await buildRust()
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    prefixes.prefix = await mountPath(hub, 'prefix')
    for (const prefix of Object.values(prefixes))
      await makeGgufRepo(hub.url + prefix, repo, files, { isPrivate: true })
  }, builtClientsTimeoutMs)
  afterAll(async () => {
    await stack.disposeAsync()
    await rm(work, { recursive: true, force: true })
  })
  printOnFailure(() => `${recorder.report()}\n--- the hub said\n${hub.log()}`)

  /** Runs one step of a program with a cache of its own. */
  function client(mount: Setting['mount'], name: string, ...fixed: string[]) {
    const home = join(work, [mount, name, ...fixed].join('-'))
    return async (...args: string[]): Promise<Facts> => {
      const env = cleanEnv({
        HF_ENDPOINT: recorder.url + prefixes[mount],
        HF_TOKEN: tokens.alice,
        HF_HOME: home,
        HOME: home,
      })
      const { stdout } = await run(join(programs, name), [...fixed, ...args], { env, timeout: 120_000 })
      return JSON.parse(stdout) as Facts
    }
  }
  const digestAt = async ({ path, error }: Facts) => {
    expect(error).toBeUndefined()
    return sha256(await readFile(path ?? ''))
  }

  test('the programs of the guide do what it says', async () => {
    const sources = ['zero', 'one'].map((name) =>
      readFile(join(here, 'rust', 'src', 'guide', `${name}.rs`), 'utf8'),
    )
    expect(await guideBlocks('Rust', 'rust')).toEqual(await Promise.all(sources))
    // The guide speaks of the first account that a hub has.
    const token = (await readFile(join(hub.dataDir, 'admin-token'), 'utf8')).trim()
    await makeGgufRepo(hub.url, 'admin/my-model', { 'config.json': '{}' }, { isPrivate: true, token })
    for (const [name, content] of [
      ['guide_zero', '{}'],
      ['guide_one', 'hello'],
    ] as const) {
      const home = join(work, name)
      const env = cleanEnv({ HF_ENDPOINT: hub.url, HF_TOKEN: token, HF_HOME: home, HOME: home })
      const { stdout } = await run(join(programs, name), [], { env, timeout: 60_000 })
      expect(await readFile(stdout.trim(), 'utf8')).toBe(content)
    }
  })

  const generations = hfHub.zero.flatMap((version) =>
    (['sync', 'tokio'] as const).flatMap((api) =>
      (['root', 'prefix'] as const).map((mount) => ({ version, api, mount })),
    ),
  )
  describe.each(generations)('$version, $api, at the $mount', ({ version, api, mount }) => {
    const step = cellsOf({ client: `hf-hub (Rust, ${api})`, version, mount, xet: null })
    let zero: ReturnType<typeof client>
    beforeAll(() => (zero = client(mount, 'zero', version, api)))

    step('info lists what is there', async () => {
      const facts = await zero('info', repo)
      expect(facts.sha).toMatch(/^[0-9a-f]{40}$/)
      expect(facts.files).toEqual(expect.arrayContaining(Object.keys(files)))
    })

    step('a file comes whole, after one byte of it told the size', async () => {
      recorder.take()
      expect(await digestAt(await zero('get', repo, 'm.gguf'))).toBe(sha256(files['m.gguf']))
      const statuses = recorder
        .take()
        .map(({ status, responseBodySizeBytes }) => [status, responseBodySizeBytes])
      expect(statuses[0]).toEqual([206, 1])
      // This API fetches it in ranges side by side.
      if (api === 'tokio') expect(statuses.length).toBeGreaterThan(3)
    })

    step('small files and those in folders come, too', async () => {
      expect(await digestAt(await zero('get', repo, 'sub/notes.txt'))).toBe(sha256(files['sub/notes.txt']))
    })

    step('what is in the cache is not asked for', async () => {
      recorder.take()
      expect(await digestAt(await zero('get', repo, 'm.gguf'))).toBe(sha256(files['m.gguf']))
      expect(recorder.take()).toEqual([])
    })

    step('what is missing is an error', async () => {
      expect((await zero('get', repo, 'none.txt')).error).toContain('404')
      expect((await zero('info', 'alice/none')).error).toContain('404')
    })
  })

  describe.each(['root', 'prefix'] as const)(`${hfHub.one} at the %s`, (mount) => {
    const step = cellsOf({ client: 'hf-hub (Rust)', version: hfHub.one, mount, xet: true })
    const made = 'alice/made-by-rust'
    let one: ReturnType<typeof client>
    beforeAll(() => (one = client(mount, 'one')))

    step('creates a repository, twice when asked to', async () => {
      const { url } = await one('create', made)
      expect(url).toBe(`${recorder.url}${prefixes[mount]}/${mount === 'root' ? '' : 'models/'}${made}`)
      expect((await one('create', made)).error).toBeUndefined()
    })

    step('uploads a small file in the commit and a large one over Xet', async () => {
      const place = join(work, `${mount}-upload`)
      await writeFile(place, 'from Rust\n')
      expect((await one('upload', made, 'sub/small.txt', place)).commit).toMatch(/^[0-9a-f]{40}$/)
      await writeFile(place, large)
      recorder.take()
      expect((await one('upload', made, 'model.safetensors', place)).error).toBeUndefined()
      const sent = recorder.take().filter(({ method }) => method === 'POST')
      expect(sent.map(({ path }) => path)).toContainEqual(
        expect.stringMatching(/\/xorbs?\/default\/[0-9a-f]{64}$/),
      )
    })

    step('sees what it uploaded', async () => {
      const { files: listed } = await one('info', made)
      expect(listed).toEqual(expect.arrayContaining(['sub/small.txt', 'model.safetensors']))
      expect((await one('tree', made)).count).toBe(4)
      expect(await one('exists', made, 'sub/small.txt')).toEqual({ exists: true })
      expect(await one('exists', made, 'none.txt')).toEqual({ exists: false })
    })

    step('downloads whole files, once', async () => {
      recorder.take()
      expect(await digestAt(await one('get', made, 'model.safetensors'))).toBe(sha256(large))
      expect(recorder.take().map(({ path }) => path)).toContainEqual(
        expect.stringMatching(/\/reconstructions\//),
      )
      expect(await digestAt(await one('get', made, 'model.safetensors'))).toBe(sha256(large))
      expect(recorder.take().filter(({ method }) => method === 'GET')).toEqual([])
      expect(await digestAt(await one('get', repo, 'm.gguf'))).toBe(sha256(files['m.gguf']))
    })

    step('reads a range', async () => {
      const { bytes } = await one('range', made, 'model.safetensors')
      expect(bytes).toEqual([...large.subarray(1000, 1010)])
    })

    step('takes a snapshot', async () => {
      const { path } = await one('snapshot', repo)
      const found = await readdir(path ?? '', { recursive: true })
      expect(found).toEqual(expect.arrayContaining(Object.keys(files)))
    })

    step('deletes the repository', async () => {
      expect(await one('delete', made)).toEqual({})
      expect((await one('info', made)).error).toContain('RepoNotFound')
    })
  })
})
