/**
 * Whatever client brought a large file, every client gets it: over Xet, over LFS, in ranges, before its bytes were moved
 * from LFS to Xet and after, with the hub killed in the middle of moving them. `npm run matrix` takes larger files.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

import { createChunker } from '@cairn/protocol/xet/chunker'
import { GitClient } from '@cairn/testkit/git-client'
import { generateContent } from '@cairn/testkit/xet-content'
import * as js from '@huggingface/hub'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { isFull } from './generations.ts'
import { gitLfsVersion } from './git-versions.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { administer } from './mount.ts'
import { clientEnv } from './python-walk.ts'
import { startRecorder, type Recorder } from './recorder.ts'

const run = promisify(execFile)
const { pythonNewest } = inject('clients')
const isReady = pythonNewest !== null && gitLfsVersion !== null
const sizeBytes = isFull ? 20_000_000 : 2_400_000
const kills = isFull ? 8 : 2
const id = 'alice/cross'
const stack = new AsyncDisposableStack()
let hub: HubProcess
let recorder: Recorder
let client: GitClient
let work: string

/** Parts that compress and parts that do not, and nothing that another file has. */
function contentFor(seed: number): Buffer {
  const part = Math.floor(sizeBytes / 3)
  const recipes = ['random', 'csv', 'floats'] as const
  const parts = recipes.map((recipe) => generateContent({ recipe, seed, sizeBytes: part + seed }))
  return Buffer.concat(parts)
}

const noXet = { HF_HUB_DISABLE_XET: '1' }
const hf = (env: Record<string, string>, ...args: string[]) =>
  run(pythonNewest!, [join(dirname(pythonNewest!), 'hf'), ...args], { env: pythonEnv(env) })
const upload = (env: Record<string, string>) => (path: string) =>
  hf(env, 'upload', id, join(work, path), path)
const jsUpload = (useXet: boolean) => async (path: string, bytes: Buffer) => {
  const file = { path, content: new Blob([Uint8Array.from(bytes)]) }
  await js.uploadFile({ ...caller(), repo: id, file, useXet })
}

const uploaders: {
  by: string
  isXet: boolean
  put: (path: string, bytes: Buffer) => Promise<unknown>
}[] = [
  { by: 'Python over Xet', isXet: true, put: upload({}) },
  { by: 'Python over LFS', isXet: false, put: upload(noXet) },
  { by: 'JavaScript over Xet', isXet: true, put: jsUpload(true) },
  { by: 'JavaScript over LFS', isXet: false, put: jsUpload(false) },
  { by: 'git-lfs', isXet: false, put: push },
]
const files = uploaders.map((uploader, index) => {
  const bytes = contentFor(index + 1)
  const path = `${uploader.by.toLowerCase().replaceAll(' ', '-')}.bin`
  return { ...uploader, bytes, path, sha256: createHash('sha256').update(bytes).digest('hex') }
})
const expected = Object.fromEntries(files.map(({ path, sha256 }) => [path, sha256]))

beforeAll(async () => {
  if (!isReady) return
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-cross-'))
  stack.defer(() => rm(work, { recursive: true, force: true }))
  client = stack.use(await GitClient.open())
  hub = stack.use(await startHub())
  recorder = stack.use(await startRecorder(hub.url))
  await client.git('', 'lfs', 'install', '--skip-repo')
  await js.createRepo({ ...caller(), repo: id })
})
afterAll(() => stack.disposeAsync())
printOnFailure(() => (isReady ? `${recorder.report()}\n--- the hub said\n${hub.log()}` : ''))

const caller = () => ({ hubUrl: recorder.url, accessToken: tokens.alice })
/** A home of its own for each call: nothing is known from before. */
let homes = 0
const pythonEnv = (env: Record<string, string>) =>
  clientEnv({ endpoint: recorder.url, home: join(work, `home-${++homes}`), env })

function remote(): string {
  return `${recorder.url.replace('//', `//alice:${tokens.alice}@`)}/${id}`
}

async function push(path: string, bytes: Buffer): Promise<void> {
  await client.git('', 'clone', '-q', remote(), 'pushing')
  await writeFile(join(client.folder, 'pushing', path), bytes)
  await client.git('pushing', 'add', path)
  await client.git('pushing', 'commit', '-q', '-m', path)
  await client.git('pushing', 'push', '-q', 'origin', 'main')
}

test.skipIf(!isReady).each(files)('$by uploads', async ({ isXet, path, bytes, put }) => {
  await writeFile(join(work, path), bytes)
  recorder.take()
  await put(path, bytes)
  const paths = recorder.take().map((exchange) => `${exchange.method} ${exchange.path}`)
  expect(paths.some((one) => /^POST .*\/xorbs\//.test(one))).toBe(isXet)
})

async function digestsIn(folder: string): Promise<Record<string, string>> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.bin'))
  const digests = names.map(async (name) => {
    const bytes = await readFile(join(folder, name))
    return [name, createHash('sha256').update(bytes).digest('hex')]
  })
  return Object.fromEntries(await Promise.all(digests)) as Record<string, string>
}

/** Ranges that begin or end at the edges of chunks, and some anywhere. */
function rangesOf(bytes: Buffer): [number, number][] {
  const chunker = createChunker()
  const edges: number[] = []
  for (const { length } of [...chunker.push(bytes), ...chunker.finish()])
    edges.push((edges.at(-1) ?? 0) + length)
  const [first = 0, second = 0] = edges
  const middle = edges[edges.length >> 1] ?? 0
  const anywhere = Math.floor(Math.random() * (bytes.length - 300_000))
  return [
    [0, 0],
    [first - 1, first],
    [first, second - 1],
    [middle - 1, middle + 70_000],
    [anywhere, anywhere + 200_000],
    [bytes.length - 1, bytes.length - 1],
  ]
}

async function curl(path: string, ...args: string[]): Promise<Buffer> {
  const url = `${recorder.url}/${id}/resolve/main/${path}`
  const all = ['-sSfL', '-H', `Authorization: Bearer ${tokens.alice}`, ...args, url]
  return (await run('curl', all, { encoding: 'buffer', maxBuffer: 1 << 27 })).stdout
}

function downloads(stage: string): void {
  const folder = (name: string) => join(work, `${stage} ${name}`)
  const byPython = async (name: string, env: Record<string, string>) => {
    await hf(env, 'download', id, '--local-dir', folder(name))
    expect(await digestsIn(folder(name))).toEqual(expected)
  }

  describe.skipIf(!isReady)(stage, () => {
    test('Python over Xet gets all of them', () => byPython('xet', {}))
    test('Python without Xet gets all of them', () => byPython('plain', noXet))

    test.each([true, false])('JavaScript gets all of them (xet: %s)', async (xet) => {
      await mkdir(folder(`js ${xet}`))
      for (const { path } of files) {
        const blob = await js.downloadFile({ ...caller(), repo: id, path, xet })
        await writeFile(join(folder(`js ${xet}`), path), new Uint8Array(await blob!.arrayBuffer()))
      }
      expect(await digestsIn(folder(`js ${xet}`))).toEqual(expected)
    })

    test('curl gets all of them, whole and in ranges', async () => {
      for (const { path, bytes } of files) {
        expect(Buffer.compare(await curl(path), bytes)).toBe(0)
        for (const [start, end] of rangesOf(bytes)) {
          const part = await curl(path, '-r', `${start}-${end}`)
          expect([path, start, Buffer.compare(part, bytes.subarray(start, end + 1))]).toEqual([
            path,
            start,
            0,
          ])
        }
      }
    })

    test('git-lfs gets all of them', async () => {
      const clone = `${stage.replaceAll(' ', '-')}-clone`
      await client.git('', 'clone', '-q', remote(), clone)
      await client.git(clone, 'lfs', 'fsck')
      expect(await digestsIn(join(client.folder, clone))).toEqual(expected)
    })
  })
}

downloads('as uploaded')

/** By path. */
async function xetHashes(): Promise<Record<string, string | null>> {
  const found = files.map(async ({ path }) => {
    const url = `${hub.url}/${id}/resolve/main/${path}`
    const headers = { Authorization: `Bearer ${tokens.alice}` }
    const answer = await fetch(url, { method: 'HEAD', headers })
    expect(answer.headers.get('x-linked-etag')).toBe(`"${expected[path]}"`)
    return [path, answer.headers.get('x-xet-hash')]
  })
  return Object.fromEntries(await Promise.all(found)) as Record<string, string | null>
}

test.skipIf(!isReady)('the hub is killed while it moves them, and finishes afterwards', async () => {
  const before = await xetHashes()
  expect(Object.values(before).filter((hash) => hash === null)).toHaveLength(3)
  for (let kill = 1; kill <= kills; kill += 1) {
    const migrating = administer(hub, 'migrate-lfs', '--remove').catch(() => undefined)
    await delay(200 + Math.random() * 600)
    await hub.kill('SIGKILL')
    await migrating
    await hub.restart()
  }
  await administer(hub, 'migrate-lfs', id, '--remove')
  const blobs = await readdir(join(hub.dataDir, 'blobs'), { recursive: true })
  expect(blobs.filter((path) => /^lfs\/.*[0-9a-f]{64}$/.test(path))).toEqual([])
  await administer(hub, 'fsck', '--full')

  // The hub has cut the files where hf_xet cuts them.
  const after = await xetHashes()
  const moved = files.filter(({ isXet }) => !isXet)
  const script = 'import hf_xet, sys; print(*[f.hash for f in hf_xet.hash_files(sys.argv[1:])])'
  const paths = moved.map(({ path }) => join(work, path))
  const { stdout } = await run(pythonNewest!, ['-c', script, ...paths], { env: pythonEnv({}) })
  expect(moved.map(({ path }) => after[path])).toEqual(stdout.trim().split(' '))
})

downloads('after they were moved')
