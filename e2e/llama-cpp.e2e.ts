/**
 * llama.cpp's `-hf`: the requests of common/hf-cache.cpp and common/download.cpp of b10434, and of the manifests that
 * older ones asked for, sent by curl in their order; in the full matrix also by `llama-server` itself.
 */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { builtClientsTimeoutMs, fetchLlamaServer, isBuilt, llamaCpp } from './built-clients.ts'
import { cellsOf } from './cells.ts'
import { makeGgufRepo, modelBytes, sha256 } from './gguf-repo.ts'
import { guideBlocks } from './guide.ts'
import { cleanEnv, printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { mountPath } from './mount.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const run = promisify(execFile)
const hasCurl = spawnSync('curl', ['--version']).status === 0
if (!hasCurl) {
  if (process.env['CI'] === 'true') throw new Error('llama.cpp is replayed by curl, and there is none')
  console.log('SKIP the requests of llama.cpp: there is no curl')
}
const userAgent = `llama-cpp/${llamaCpp.version}-0000000`
const repo = 'alice/Llama-3.2-1B-GGUF'
const privateRepo = 'alice/private-GGUF'
const splitRepo = 'alice/split-GGUF'
/** What its HTTP library leaves as it is in a path stands in the name; it has no other encoding. */
const small = 'Llama (1B) [v1]^~Q4_K_M.gguf'
const models = { [small]: modelBytes(1), 'Llama-Q8_0.gguf': modelBytes(2), 'mmproj-F16.gguf': modelBytes(3) }
const parts = {
  'BF16/big-BF16-00001-of-00002.gguf': modelBytes(4),
  'BF16/big-BF16-00002-of-00002.gguf': modelBytes(5),
}

interface Answer {
  status: number
  headers: Record<string, string>
  body: Buffer
}

/** curl with the client's headers, over HTTP/1.1 and a path that nobody tidies. */
async function curl(url: string, ...args: string[]): Promise<Answer> {
  const fixed = ['-sS', '-g', '--path-as-is', '--http1.1', '-A', userAgent, '-D', '-', '-o', '-', url]
  const child = spawn('curl', [...fixed, ...args], { env: cleanEnv(), stdio: ['ignore', 'pipe', 'pipe'] })
  const chunks: Buffer[] = []
  const complaints: Buffer[] = []
  child.stdout.on('data', (bytes: Buffer) => chunks.push(bytes))
  child.stderr.on('data', (bytes: Buffer) => complaints.push(bytes))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`curl ${url}: ${code} ${Buffer.concat(complaints).toString()}`)
  const all = Buffer.concat(chunks)
  const end = all.indexOf('\r\n\r\n')
  const [first = '', ...lines] = all.subarray(0, end).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
  return { status: Number(first.split(' ')[1]), headers, body: all.subarray(end + 4) }
}

async function json<T>(url: string, ...args: string[]): Promise<T> {
  const { status, body } = await curl(url, '-H', 'Accept: application/json', ...args)
  expect(status, body.toString()).toBe(200)
  return JSON.parse(body.toString()) as T
}

/** As its HTTP library escapes a path. */
function encodePath(path: string): string {
  const escaped = /[ +',;\r\n]|[^\x20-\x7f]/gu
  return path.replace(escaped, (c) =>
    [...Buffer.from(c)].map((b) => `%${b.toString(16).toUpperCase()}`).join(''),
  )
}

let hub: HubProcess
let recorder: Recorder
let work: string
const stack = new AsyncDisposableStack()
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-llama-'))
  hub = stack.use(await startHub())
  recorder = stack.use(await startRecorder(hub.url))
  prefixes.prefix = await mountPath(hub, 'prefix')
  for (const prefix of Object.values(prefixes)) {
    await makeGgufRepo(hub.url + prefix, repo, models)
    await makeGgufRepo(hub.url + prefix, splitRepo, parts)
    await makeGgufRepo(hub.url + prefix, privateRepo, { 'm-Q4_0.gguf': modelBytes(6) }, { isPrivate: true })
  }
})
afterAll(async () => {
  await stack.disposeAsync()
  await rm(work, { recursive: true, force: true })
})
printOnFailure(() => `${recorder.report()}\n--- the hub said\n${hub.log()}`)

const prefixes = { root: '', prefix: '' }

describe.skipIf(!hasCurl).each(['root', 'prefix'] as const)('at the %s', (mount) => {
  const endpoint = () => `${hub.url}${prefixes[mount]}/`
  const step = cellsOf({ client: 'llama.cpp (its requests)', version: llamaCpp.version, mount, xet: null })

  const commitOf = async (id: string, ...args: string[]) => {
    const { branches } = await json<{ branches: { name: string; targetCommit: string }[] }>(
      `${endpoint()}api/models/${id}/refs`,
      ...args,
    )
    const commit = branches.find(({ name }) => name === 'main')?.targetCommit
    expect(commit).toMatch(/^[0-9a-f]{40}$/)
    return commit ?? ''
  }

  step('refs, tree, HEAD and GET lead to every byte', async () => {
    const commit = await commitOf(repo)
    const tree = await json<
      { type: string; path: string; oid: string; size: number; lfs?: { oid: string } }[]
    >(`${endpoint()}api/models/${repo}/tree/${commit}?recursive=true`)
    for (const [path, bytes] of Object.entries(models)) {
      const file = tree.find((entry) => entry.path === path)
      expect(file).toMatchObject({ type: 'file', size: bytes.length, lfs: { oid: sha256(bytes) } })
      const url = `${endpoint()}${repo}/resolve/${commit}/${encodePath(path)}`
      const head = await curl(url, '-I')
      expect([head.status, head.headers]).toMatchObject([
        200,
        { 'content-length': String(bytes.length), 'accept-ranges': 'bytes', etag: `"${sha256(bytes)}"` },
      ])
      const got = await curl(url)
      expect([got.status, sha256(got.body)]).toEqual([200, sha256(bytes)])
    }
  })

  step('a download that was cut goes on where it ended', async () => {
    const commit = await commitOf(repo)
    const url = `${endpoint()}${repo}/resolve/${commit}/${encodePath(small)}`
    const partial = join(work, `${mount}.downloadInProgress`)
    // The reader goes away after some of it; curl notices and hangs up.
    await run('sh', ['-c', 'curl -sSg -A "$1" "$2" | head -c 100000 > "$3"', 'sh', userAgent, url, partial], {
      env: cleanEnv(),
    }).catch(() => undefined)
    const have = await readFile(partial)
    expect(have.length).toBe(100_000)
    const rest = await curl(url, '-H', `Range: bytes=${have.length}-`)
    const size = models[small]?.length ?? 0
    expect([rest.status, rest.headers['content-range']]).toEqual([206, `bytes 100000-${size - 1}/${size}`])
    expect(sha256(Buffer.concat([have, rest.body]))).toBe(sha256(models[small] ?? ''))
  })

  step('a private model needs a token, and tells nobody else that it is there', async () => {
    const refs = (id: string, ...args: string[]) => curl(`${endpoint()}api/models/${id}/refs`, ...args)
    const told = async (id: string) => {
      const { status, body } = await refs(id)
      return [status, body.toString().replaceAll(id, 'it')]
    }
    expect(await told(privateRepo)).toEqual(await told('alice/no-such-thing'))
    const auth = ['-H', `Authorization: Bearer ${tokens.aliceReader}`]
    const commit = await commitOf(privateRepo, ...auth)
    const got = await curl(`${endpoint()}${privateRepo}/resolve/${commit}/m-Q4_0.gguf`, ...auth)
    expect([got.status, sha256(got.body)]).toEqual([200, sha256(modelBytes(6))])
  })

  step('older versions: a manifest names the file for a quantization', async () => {
    const named = async (id: string, tag: string) => {
      const url = `${endpoint()}v2/${id}/manifests/${tag}`
      const answer = await json<Record<string, { rfilename: string } | undefined>>(url)
      return [answer['ggufFile']?.rfilename, answer['mmprojFile']?.rfilename]
    }
    expect(await named(repo, 'latest')).toEqual([small, 'mmproj-F16.gguf'])
    expect(await named(repo, 'q8_0')).toEqual(['Llama-Q8_0.gguf', 'mmproj-F16.gguf'])
    expect(await named(splitRepo, 'BF16')).toEqual(['BF16/big-BF16-00001-of-00002.gguf', undefined])
    for (const [path, bytes] of Object.entries(parts)) {
      const url = `${endpoint()}${splitRepo}/resolve/main/${path}`
      expect((await curl(url, '-I')).headers['content-length']).toBe(String(bytes.length))
      expect(sha256((await curl(url)).body)).toBe(sha256(bytes))
    }
    // It tells its user that the model is private or does not exist only at this status.
    expect((await curl(`${endpoint()}v2/${privateRepo}/manifests/latest`)).status).toBe(401)
  })
})

describe.runIf(isBuilt('llama-server', 'python3', '--version')).each(['root', 'prefix'] as const)(
  'llama-server at the %s',
  (mount) => {
    const step = cellsOf({ client: 'llama.cpp', version: llamaCpp.version, mount, xet: null })
    let program: string
    let cache: string
    beforeAll(async () => {
      program = await fetchLlamaServer()
      cache = await mkdtemp(join(work, 'cache-'))
    }, builtClientsTimeoutMs)

    /** Downloads, then finds that the weights are no model; what counts is what it has by then. */
    async function serve(id: string, token = ''): Promise<string> {
      const endpoint = recorder.url + prefixes[mount]
      const env = cleanEnv({ HF_ENDPOINT: endpoint, LLAMA_CACHE: cache, HOME: cache, HF_TOKEN: token })
      const [guide = ''] = await guideBlocks('llama.cpp', 'sh')
      const line = guide.split('\n').find((text) => text.startsWith('llama-server '))
      // As the guide says, with another model and whatever port is free.
      const args = (line ?? '')
        .replace('admin/my-model-GGUF:Q4_K_M', id)
        .replace('8081', '0')
        .split(' ')
        .slice(1)
      expect(args).toEqual(['-hf', id, '--port', '0'])
      const ended = await run(program, args, { env, timeout: 120_000 }).catch((error: unknown) => error)
      const { stdout, stderr } = ended as { stdout: string; stderr: string }
      return stdout + stderr
    }
    const cached = async (id: string) => {
      const folder = join(cache, `models--${id.replace('/', '--')}`, 'snapshots')
      const files: Record<string, string> = {}
      for (const path of await readdir(folder, { recursive: true }))
        if ((await stat(join(folder, path))).isFile())
          files[path.slice(path.indexOf('/') + 1)] = sha256(await readFile(join(folder, path)))
      return files
    }

    step('downloads a model and its projector by quantization', async () => {
      recorder.take()
      const said = await serve(`${repo}:Q4_K_M`)
      const names = [small, 'mmproj-F16.gguf'] as const
      expect(await cached(repo), said).toEqual(
        Object.fromEntries(names.map((name) => [name, sha256(models[name] ?? '')])),
      )
      const asked = recorder
        .take()
        .map(({ method, path }) => `${method} ${path.slice(prefixes[mount].length)}`)
      expect(asked[0]).toBe(`GET /api/models/${repo}/refs`)
      expect(asked[1]).toMatch(/^GET \/api\/models\/[^?]+\/tree\/[0-9a-f]{40}\?recursive=true$/)
      expect(asked.filter((line) => line.startsWith('GET') && line.includes('/resolve/'))).toHaveLength(2)
    })

    step('finds the same files in its cache', async () => {
      recorder.take()
      await serve(`${repo}:Q4_K_M`)
      expect(
        recorder.take().filter(({ method, path }) => method === 'GET' && path.includes('/resolve/')),
      ).toEqual([])
    })

    step('downloads all parts of a split model', async () => {
      const said = await serve(`${splitRepo}:BF16`)
      expect(await cached(splitRepo), said).toEqual(
        Object.fromEntries(Object.entries(parts).map(([path, bytes]) => [path, sha256(bytes)])),
      )
    })

    step('downloads a private model with a token', async () => {
      const said = await serve(privateRepo, tokens.aliceReader)
      expect(await cached(privateRepo), said).toEqual({ 'm-Q4_0.gguf': sha256(modelBytes(6)) })
    })
  },
)

test('the name in the requests is one that llama.cpp can ask for', () => {
  expect(encodePath(small)).toBe('Llama%20(1B)%20[v1]^~Q4_K_M.gguf')
})
