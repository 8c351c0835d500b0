/** The round trip with the stock JavaScript client, once over Xet and once over LFS. */
import { createHash } from 'node:crypto'
import { openAsBlob } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  checkRepoAccess,
  commit,
  countCommits,
  createBranch,
  createRepo,
  deleteBranch,
  deleteFile,
  deleteRepo,
  downloadFile,
  fileExists,
  HubApiError,
  listCommits,
  listFiles,
  pathsInfo,
  repoExists,
  snapshotDownload,
  uploadFiles,
  uploadFilesWithProgress,
  whoAmI,
} from '@huggingface/hub'
import type { CommitProgressEvent, ListFileEntry, RepoDesignation, RepoId } from '@huggingface/hub'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { fsckAll } from './fsck.ts'
import { printOnFailure, startHub, tokens } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { digests, readManifest, unsendableByJs, writeOddFolder } from './model-folder.ts'
import type { Manifest } from './model-folder.ts'
import { servedContent, startRecorder } from './recorder.ts'
import type { Exchange, Recorder } from './recorder.ts'

const { modelFolder } = inject('clients')
const variants = [
  { over: 'Xet', useXet: true },
  { over: 'LFS', useXet: false },
]

let work: string
let odd: string
let oddManifest: Manifest

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-js-'))
  odd = join(work, 'odd')
  await writeOddFolder(odd, { large: true, keep: (path) => !unsendableByJs.test(path) })
  oddManifest = await readManifest(odd)
})
afterAll(() => rm(work, { recursive: true, force: true }))

async function contentsOf(folder: string, manifest: Manifest): Promise<{ path: string; content: Blob }[]> {
  return Promise.all(
    Object.keys(manifest).map(async (path) => ({ path, content: await openAsBlob(join(folder, path)) })),
  )
}

async function sha256Of(blob: Blob | null): Promise<string> {
  if (blob === null) throw new Error('the file does not exist')
  const hash = createHash('sha256')
  for await (const bytes of blob.stream()) hash.update(bytes as Uint8Array)
  return hash.digest('hex')
}

function requests(exchanges: Exchange[], method: string, pattern: RegExp): string[] {
  return exchanges
    .filter((exchange) => exchange.method === method && pattern.test(exchange.path))
    .map(({ path }) => path)
}

async function refusalOf(call: Promise<unknown>): Promise<number> {
  try {
    await call
  } catch (error) {
    if (error instanceof HubApiError) return error.statusCode
    throw error
  }
  throw new Error('nothing was refused')
}

describe.each(variants)('@huggingface/hub over $over', ({ useXet }) => {
  const repo: RepoId = { type: 'model', name: 'acme/from-js' }
  const stack = new AsyncDisposableStack()
  let hub: HubProcess
  let recorder: Recorder
  let uploaded: string
  let caller: { hubUrl: string; accessToken: string }

  beforeAll(async () => {
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    caller = { hubUrl: recorder.url, accessToken: tokens.alice }
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => `${recorder.report()}\n--- the hub said\n${hub.log()}`)

  async function list(of: RepoDesignation, revision?: string): Promise<ListFileEntry[]> {
    const options = { ...caller, repo: of, recursive: true, ...(revision === undefined ? {} : { revision }) }
    return Array.fromAsync(listFiles(options))
  }

  async function filePaths(revision?: string): Promise<string[]> {
    const entries = await list(repo, revision)
    return entries.filter(({ type }) => type === 'file').map(({ path }) => path)
  }

  test('the token has a name and its organization', async () => {
    const me = await whoAmI(caller)
    expect(me).toMatchObject({ type: 'user', name: 'alice', orgs: [{ name: 'acme' }] })
  })

  test('a repository is created with its first files', async () => {
    expect(await repoExists({ ...caller, repo })).toBe(false)
    const files = [{ path: 'notes/first.txt', content: new Blob(['first\n']) }]
    const made = await createRepo({ ...caller, repo, visibility: 'private', license: 'mit', files })
    expect(made.repoUrl).toBe(`${recorder.url}/acme/from-js`)
    expect(await repoExists({ ...caller, repo })).toBe(true)
    await checkRepoAccess({ ...caller, repo })
    const first = await downloadFile({ ...caller, repo, path: 'notes/first.txt' })
    expect(await first?.text()).toBe('first\n')
    const card = await downloadFile({ ...caller, repo, path: 'README.md' })
    expect(await card?.text()).toContain('license: mit')
  })

  test('a folder goes up the way that was asked for', async () => {
    recorder.take()
    const files = await contentsOf(odd, oddManifest)
    const made = await uploadFiles({ ...caller, repo, files, useXet, commitTitle: 'The whole folder' })
    uploaded = made?.commit.oid ?? ''
    expect(uploaded).toMatch(/^[0-9a-f]{40}$/)
    expect(made?.commit.url).toBe(`${recorder.url}/acme/from-js/commit/${uploaded}`)
    const exchanges = recorder.take()
    const xorbs = requests(exchanges, 'POST', /\/v1\/xorbs\//)
    const puts = requests(exchanges, 'PUT', /./)
    if (useXet) {
      expect(xorbs).not.toEqual([])
      expect(puts).toEqual([])
    } else {
      expect(xorbs).toEqual([])
      expect(puts).not.toEqual([])
    }
  })

  test('the listing has every name, size and digest', async () => {
    const entries = (await list(repo)).filter(({ type }) => type === 'file')
    const found = Object.fromEntries(entries.map((entry) => [entry.path, entry]))
    const names = [...Object.keys(oddManifest), '.gitattributes', 'notes/first.txt']
    expect(new Set(Object.keys(found))).toEqual(new Set(names))
    for (const [path, file] of Object.entries(oddManifest)) {
      expect(found[path]?.size, path).toBe(file.sizeBytes)
      if (found[path]?.lfs === undefined) expect(found[path]?.oid, path).toBe(file.gitOid)
      else expect(found[path].lfs, path).toMatchObject({ oid: file.sha256, size: file.sizeBytes })
    }
    expect(found['model.safetensors']?.lfs).toBeDefined()
  })

  test('paths-info tells files from folders, with the commit that touched them', async () => {
    const paths = ['model.safetensors', 'nested', 'no such file']
    const found = await pathsInfo({ ...caller, repo, paths, expand: true })
    expect(Object.fromEntries(found.map(({ path, type }) => [path, type]))).toEqual({
      'model.safetensors': 'file',
      nested: 'directory',
    })
    const weights = found.find(({ path }) => path === 'model.safetensors')
    expect(weights?.lastCommit).toMatchObject({ id: uploaded, title: 'The whole folder' })
  })

  test('every file comes back byte for byte', async () => {
    for (const [path, file] of Object.entries(oddManifest)) {
      const blob = await downloadFile({ ...caller, repo, path, xet: useXet })
      expect(blob?.size, path).toBe(file.sizeBytes)
      expect(await sha256Of(blob), path).toBe(file.sha256)
    }
  })

  test('a slice asks for its range only', async () => {
    const path = 'model.safetensors'
    const blob = await downloadFile({ ...caller, repo, path, xet: useXet })
    recorder.take()
    const slice = blob!.slice(40_000_000, 40_100_000)
    const original = (await openAsBlob(join(odd, path))).slice(40_000_000, 40_100_000)
    expect(await sha256Of(slice)).toBe(await sha256Of(original))
    const received = recorder.take().reduce((sum, exchange) => sum + exchange.responseBodySizeBytes, 0)
    expect(received).toBeLessThan(8_000_000)
  })

  test('a missing file is null, and a name escaped by hand is found', async () => {
    expect(await downloadFile({ ...caller, repo, path: 'no such file' })).toBeNull()
    expect(await fileExists({ ...caller, repo, path: 'no such file' })).toBe(false)
    expect(await fileExists({ ...caller, repo, path: 'nested/tensor 1.bin' })).toBe(true)
    await commit({
      ...caller,
      repo,
      useXet,
      title: 'A hash',
      operations: [{ operation: 'addOrUpdate', path: 'a#b?c%20.txt', content: new Blob(['escaped\n']) }],
    })
    const escaped = await downloadFile({ ...caller, repo, path: encodeURIComponent('a#b?c%20.txt') })
    expect(await escaped?.text()).toBe('escaped\n')
    await deleteFile({ ...caller, repo, path: 'a#b?c%20.txt' })
  })

  test('a snapshot is complete, and the second asks for no content', async () => {
    const cacheDir = await mkdtemp(join(work, 'cache-'))
    const folder = await snapshotDownload({ ...caller, repo, cacheDir, revision: uploaded })
    const found = digests(await readManifest(folder))
    expect(found).toMatchObject(digests(oddManifest))
    recorder.take()
    await snapshotDownload({ ...caller, repo, cacheDir, revision: uploaded })
    expect(recorder.take().filter(servedContent)).toEqual([])
  })

  test('an unchanged folder goes up without its large bodies, telling its progress', async () => {
    const files = await contentsOf(odd, oddManifest)
    recorder.take()
    const events: CommitProgressEvent[] = []
    const progress = uploadFilesWithProgress({
      ...caller,
      repo,
      files,
      useXet,
      commitTitle: 'The same folder',
    })
    for await (const event of progress) events.push(event)
    const phases = events.flatMap((event) => (event.event === 'phase' ? [event.phase] : []))
    expect(phases.at(-1)).toBe('committing')
    const exchanges = recorder.take()
    expect(requests(exchanges, 'PUT', /./)).toEqual([])
    expect(requests(exchanges, 'POST', /\/v1\/xorbs\//)).toEqual([])
    const names = [...Object.keys(oddManifest), '.gitattributes', 'notes/first.txt']
    expect(new Set(await filePaths())).toEqual(new Set(names))
  })

  test('one commit adds, edits and deletes', async () => {
    const path = 'model.safetensors'
    const originalContent = await downloadFile({ ...caller, repo, path, xet: useXet })
    const start = 1_000_000
    const edits = [{ start, end: start + 4, content: new Blob(['an edit in the middle']) }]
    await commit({
      ...caller,
      repo,
      useXet,
      title: 'Add, edit, delete',
      description: 'Together.',
      operations: [
        { operation: 'addOrUpdate', path: 'added.txt', content: new Blob(['added\n']) },
        { operation: 'edit', path, originalContent: originalContent!, edits },
        { operation: 'delete', path: 'config.json' },
      ],
    })
    const local = await openAsBlob(join(odd, path))
    const edited = new Blob([local.slice(0, start), 'an edit in the middle', local.slice(start + 4)])
    const back = await downloadFile({ ...caller, repo, path, xet: useXet })
    expect(await sha256Of(back)).toBe(await sha256Of(edited))
    const names = await filePaths()
    expect(names).toContain('added.txt')
    expect(names).not.toContain('config.json')
  })

  test('a stale parent is refused and changes nothing', async () => {
    const before = await countCommits({ ...caller, repo })
    const operations = [{ operation: 'addOrUpdate' as const, path: 'stale.txt', content: new Blob(['x']) }]
    const stale = commit({ ...caller, repo, useXet, title: 'Stale', parentCommit: uploaded, operations })
    expect(await refusalOf(stale)).toBe(412)
    expect(await countCommits({ ...caller, repo })).toBe(before)
    expect(await fileExists({ ...caller, repo, path: 'stale.txt' })).toBe(false)
  })

  test('a branch from an older commit has that content and its own future', async () => {
    await createBranch({ ...caller, repo, branch: 'dev/older', revision: uploaded })
    const operations = [{ operation: 'addOrUpdate' as const, path: 'branch.txt', content: new Blob(['b\n']) }]
    await commit({ ...caller, repo, useXet, title: 'On the branch', branch: 'dev/older', operations })
    const names = await filePaths('dev/older')
    expect(names).toEqual(expect.arrayContaining(['config.json', 'branch.txt']))
    const old = await downloadFile({ ...caller, repo, path: 'config.json', revision: 'dev/older' })
    expect(await sha256Of(old)).toBe(oddManifest['config.json']?.sha256)
    const commits = await Array.fromAsync(
      listCommits({ ...caller, repo, revision: 'dev/older', batchSize: 2 }),
    )
    expect(commits.slice(0, 2).map(({ title }) => title)).toEqual(['On the branch', 'The whole folder'])
    expect(commits[1]?.oid).toBe(uploaded)
    expect(await countCommits({ ...caller, repo, revision: 'dev/older' })).toBe(commits.length)
    await deleteBranch({ ...caller, repo, branch: 'dev/older' })
    expect(await refusalOf(filePaths('dev/older'))).toBe(404)
    expect(await filePaths(uploaded)).toContain('config.json')
  })

  test('strangers see no private repository, readers cannot write', async () => {
    const { hubUrl } = caller
    expect(await refusalOf(checkRepoAccess({ hubUrl, repo }))).toBe(401)
    expect(await refusalOf(checkRepoAccess({ hubUrl, repo, accessToken: tokens.bob }))).toBe(404)
    const operations = [{ operation: 'delete' as const, path: 'added.txt' }]
    expect(await refusalOf(commit({ hubUrl, repo, title: 'Nobody', operations }))).toBe(401)
    const reader = { hubUrl, repo, accessToken: tokens.aliceReader }
    await checkRepoAccess(reader)
    expect(await refusalOf(deleteFile({ ...reader, path: 'added.txt' }))).toBe(403)
    expect(await fileExists({ ...caller, repo, path: 'added.txt' })).toBe(true)
  })

  test.skipIf(modelFolder === null)('a real model makes the round trip', async () => {
    const model: RepoId = { type: 'model', name: 'alice/minilm-from-js' }
    const manifest = await readManifest(modelFolder!)
    await createRepo({ ...caller, repo: model })
    await uploadFiles({ ...caller, repo: model, files: await contentsOf(modelFolder!, manifest), useXet })
    const cacheDir = await mkdtemp(join(work, 'cache-'))
    const folder = await snapshotDownload({ ...caller, repo: model, cacheDir })
    expect(digests(await readManifest(folder))).toEqual(digests(manifest))
  })

  test.each(['dataset', 'space'] as const)('a %s makes a short round trip', async (type) => {
    const other: RepoId = { type, name: `alice/js-${type}` }
    const sdk = type === 'space' ? { sdk: 'static' as const } : {}
    const made = await createRepo({ ...caller, repo: other, ...sdk })
    expect(made.repoUrl).toBe(`${recorder.url}/${type}s/alice/js-${type}`)
    const content = await openAsBlob(join(odd, 'nested/tensor 1.bin'))
    await uploadFiles({ ...caller, repo: other, useXet, files: [{ path: 'data/one part.parquet', content }] })
    expect((await list(other)).map(({ path }) => path)).toContain('data/one part.parquet')
    const back = await downloadFile({ ...caller, repo: other, path: 'data/one part.parquet', xet: useXet })
    expect(await sha256Of(back)).toBe(await sha256Of(content))
    await deleteRepo({ ...caller, repo: other })
    expect(await repoExists({ ...caller, repo: other })).toBe(false)
  })

  test('git has no complaint, and the repository goes', async () => {
    expect(await fsckAll(hub.dataDir)).toEqual([])
    await deleteRepo({ ...caller, repo })
    expect(await repoExists({ ...caller, repo })).toBe(false)
    expect(await refusalOf(deleteRepo({ ...caller, repo }))).toBe(404)
  })
})
