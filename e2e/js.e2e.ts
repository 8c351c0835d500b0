/** The round trip with the stock JavaScript clients, over Xet and over LFS, at the root and under a registry's prefix. */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, openAsBlob } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import type * as Hub from '@huggingface/hub'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { ABSENT, cellsOf } from './cells.ts'
import { fsckAll } from './fsck.ts'
import { jsGenerations, settingsOf } from './generations.ts'
import { cleanEnv, printOnFailure, startHub, tokens } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { digests, readManifest, unsendableByJs, writeOddFolder } from './model-folder.ts'
import type { Manifest } from './model-folder.ts'
import { makeManyFiles, manyFilesCount, mountPath, post } from './mount.ts'
import { servedContent, startRecorder } from './recorder.ts'
import type { Exchange, Recorder } from './recorder.ts'

const { modelFolder, js: modules } = inject('clients')
const settings = settingsOf(jsGenerations)
const run = promisify(execFile)
const sizes = { large: true, small: false }

let work: string
const manifests: Record<string, Manifest> = {}

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-js-'))
  for (const [size, large] of Object.entries(sizes)) {
    await writeOddFolder(join(work, size), { large, keep: (path) => !unsendableByJs.test(path) })
    manifests[size] = await readManifest(join(work, size))
  }
})
afterAll(() => rm(work, { recursive: true, force: true }))

async function contentsOf(folder: string, manifest: Manifest): Promise<{ path: string; content: Blob }[]> {
  return Promise.all(
    Object.keys(manifest).map(async (path) => ({ path, content: await openAsBlob(join(folder, path)) })),
  )
}

async function sha256Of(blob: Blob): Promise<string> {
  const hash = createHash('sha256')
  for await (const bytes of blob.stream()) hash.update(bytes as Uint8Array)
  return hash.digest('hex')
}

function requests(exchanges: Exchange[], method: string, pattern: RegExp): string[] {
  return exchanges
    .filter((exchange) => exchange.method === method && pattern.test(exchange.path))
    .map(({ path }) => path)
}

describe.each(settings)('@huggingface/hub $label', ({ version, mount, usesXet, xet, isNewest }) => {
  const step = cellsOf({ client: '@huggingface/hub', version, mount, xet: usesXet })
  const repo: Hub.RepoId = { type: 'model', name: 'acme/from-js' }
  const size = isNewest && mount === 'root' ? 'large' : 'small'
  /** A client that reads by Xet and cannot write so needs somebody who can. */
  const isReader = usesXet && xet === 'downloads'
  const stack = new AsyncDisposableStack()
  let js: typeof Hub
  let writer: typeof Hub
  let hub: HubProcess
  let recorder: Recorder
  let odd: string
  let oddManifest: Manifest
  let uploaded: string
  let prefix: string
  let caller: { hubUrl: string; accessToken: string }

  beforeAll(async () => {
    js = (await import(modules[version]!)) as typeof Hub
    writer = isReader ? ((await import('@huggingface/hub')) as typeof Hub) : js
    odd = join(work, size)
    oddManifest = manifests[size]!
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    prefix = await mountPath(hub, mount)
    caller = { hubUrl: recorder.url + prefix, ...as(tokens.alice) }
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => `${recorder.report()}\n--- the hub said\n${hub.log()}`)

  /** 0.15 knows `credentials` only. */
  function as(accessToken: string): { accessToken: string } {
    return version < '0.16'
      ? ({ credentials: { accessToken } } as object as { accessToken: string })
      : { accessToken }
  }

  async function download(path: string, revision?: string): Promise<Blob> {
    const found = await lookFor(repo, path, revision)
    if (found === null) throw new Error(`${path} does not exist`)
    return found
  }

  /** Before 2.0 a response, then a blob. */
  async function lookFor(of: Hub.RepoId, path: string, revision?: string): Promise<Blob | null> {
    const asked = { ...caller, repo: of, path, xet: usesXet }
    const found: Blob | Response | null = await js.downloadFile(
      revision === undefined ? asked : { ...asked, revision },
    )
    return found instanceof Response ? found.blob() : found
  }

  async function list(of: Hub.RepoDesignation, revision?: string): Promise<Hub.ListFileEntry[]> {
    const options = { ...caller, repo: of, recursive: true, ...(revision === undefined ? {} : { revision }) }
    return Array.fromAsync(js.listFiles(options))
  }

  async function filePaths(revision?: string): Promise<string[]> {
    const entries = await list(repo, revision)
    return entries.filter(({ type }) => type === 'file').map(({ path }) => path)
  }

  async function isThere(of: Hub.RepoId): Promise<boolean> {
    const { repoExists }: Partial<typeof Hub> = js
    if (repoExists !== undefined) return repoExists({ ...caller, repo: of })
    return js.fileExists({ ...caller, repo: of, path: '.gitattributes' })
  }

  async function refusalOf(call: Promise<unknown>): Promise<number> {
    try {
      await call
    } catch (error) {
      if (error instanceof js.HubApiError || error instanceof writer.HubApiError) return error.statusCode
      throw error
    }
    throw new Error('nothing was refused')
  }

  step('the token has a name and its organization', async () => {
    const me = await js.whoAmI(caller)
    expect(me).toMatchObject({ type: 'user', name: 'alice', orgs: [{ name: 'acme' }] })
  })

  step('a repository is created with its first files', async () => {
    expect(await isThere(repo)).toBe(false)
    const files = [{ path: 'notes/first.txt', content: new Blob(['first\n']) }]
    const made = await js.createRepo({ ...caller, repo, private: true, license: 'mit', files })
    const web = mount === 'root' ? caller.hubUrl : `${caller.hubUrl}/models`
    expect(made.repoUrl).toBe(`${web}/acme/from-js`)
    expect(await isThere(repo)).toBe(true)
    expect(await (await download('notes/first.txt')).text()).toBe('first\n')
    expect(await (await download('README.md')).text()).toContain('license: mit')
    expect(await refusalOf(js.createRepo({ ...caller, repo }))).toBe(409)
  })

  step('access can be checked', async () => {
    if (!('checkRepoAccess' in js)) return ABSENT
    await js.checkRepoAccess({ ...caller, repo })
    expect(await refusalOf(js.checkRepoAccess({ hubUrl: caller.hubUrl, repo }))).toBe(401)
    const bob = { hubUrl: caller.hubUrl, ...as(tokens.bob) }
    expect(await refusalOf(js.checkRepoAccess({ ...bob, repo }))).toBe(404)
  })

  step('a folder goes up the way that was asked for', async () => {
    recorder.take()
    const files = await contentsOf(odd, oddManifest)
    const made = await writer.uploadFiles({
      ...caller,
      repo,
      files,
      useXet: usesXet,
      commitTitle: 'The whole folder',
    })
    uploaded = made?.commit.oid ?? ''
    expect(uploaded).toMatch(/^[0-9a-f]{40}$/)
    const web = mount === 'root' ? caller.hubUrl : `${caller.hubUrl}/models`
    expect(made?.commit.url).toBe(`${web}/acme/from-js/commit/${uploaded}`)
    const exchanges = recorder.take()
    const xorbs = requests(exchanges, 'POST', /\/v1\/xorbs\//)
    const puts = requests(exchanges, 'PUT', /./)
    if (usesXet) {
      expect(xorbs).not.toEqual([])
      expect(puts).toEqual([])
    } else {
      expect(xorbs).toEqual([])
      expect(puts).not.toEqual([])
    }
    return isReader ? ABSENT : undefined
  })

  step('the listing has every name, size and digest', async () => {
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

  step('a listing of several pages is complete', async () => {
    await makeManyFiles(caller.hubUrl, 'acme/many')
    recorder.take()
    const entries = await list({ type: 'model', name: 'acme/many' })
    expect(new Set(entries.map(({ path }) => path)).size).toBe(manyFilesCount + 2)
    expect(requests(recorder.take(), 'GET', /\/tree\/main.*cursor=/).length).toBeGreaterThan(0)
  })

  step('paths-info tells files from folders, with the commit that touched them', async () => {
    if (!('pathsInfo' in js)) return ABSENT
    const paths = ['model.safetensors', 'nested', 'no such file']
    const found = await js.pathsInfo({ ...caller, repo, paths, expand: true })
    expect(Object.fromEntries(found.map(({ path, type }) => [path, type]))).toEqual({
      'model.safetensors': 'file',
      nested: 'directory',
    })
    const weights = found.find(({ path }) => path === 'model.safetensors')
    expect(weights?.lastCommit).toMatchObject({ id: uploaded, title: 'The whole folder' })
  })

  step('every file comes back byte for byte', async () => {
    recorder.take()
    for (const [path, file] of Object.entries(oddManifest)) {
      const blob = await download(path)
      expect(blob.size, path).toBe(file.sizeBytes)
      expect(await sha256Of(blob), path).toBe(file.sha256)
    }
    const plans = requests(recorder.take(), 'GET', /\/reconstructions?\//)
    expect(plans.length > 0).toBe(usesXet)
  })

  step('a slice asks for its range only', async () => {
    const path = 'model.safetensors'
    const { sizeBytes } = oddManifest[path]!
    const start = Math.floor(sizeBytes / 2)
    const original = (await openAsBlob(join(odd, path))).slice(start, start + 100_000)
    let slice: Blob
    recorder.take()
    if (version < '2') {
      const range = { range: [start, start + 99_999] as [number, number] }
      slice = await (
        (await js.downloadFile({ ...caller, repo, path, ...range })) as unknown as Response
      ).blob()
    } else slice = (await download(path)).slice(start, start + 100_000)
    expect(await sha256Of(slice)).toBe(await sha256Of(original))
    const received = recorder.take().reduce((sum, exchange) => sum + exchange.responseBodySizeBytes, 0)
    expect(received).toBeLessThan(Math.min(8_000_000, usesXet ? Infinity : 110_000))
  })

  step('a missing file is null, and a name escaped by hand is found', async () => {
    expect(await lookFor(repo, 'no such file')).toBeNull()
    expect(await js.fileExists({ ...caller, repo, path: 'no such file' })).toBe(false)
    expect(await js.fileExists({ ...caller, repo, path: 'nested/tensor 1.bin' })).toBe(true)
    await js.commit({
      ...caller,
      repo,
      useXet: usesXet,
      title: 'A hash',
      operations: [{ operation: 'addOrUpdate', path: 'a#b?c%20.txt', content: new Blob(['escaped\n']) }],
    })
    const escaped = await download(encodeURIComponent('a#b?c%20.txt'))
    expect(await escaped.text()).toBe('escaped\n')
    await js.deleteFile({ ...caller, repo, path: 'a#b?c%20.txt' })
    expect(await filePaths()).not.toContain('a#b?c%20.txt')
  })

  step('a missing repository and a missing revision are refused', async () => {
    const missing = { type: 'model' as const, name: 'acme/nothing-here' }
    expect(await refusalOf(list(missing))).toBe(404)
    expect(await refusalOf(filePaths('no-such-branch'))).toBe(404)
    expect(await refusalOf(download('config.json', 'no-such-branch'))).toBe(404)
    expect(await refusalOf(js.deleteRepo({ ...caller, repo: missing }))).toBe(404)
  })

  step('a snapshot is complete, and the second asks for no content', async () => {
    if (!('snapshotDownload' in js)) return ABSENT
    const cacheDir = await mkdtemp(join(work, 'cache-'))
    const folder = await js.snapshotDownload({ ...caller, repo, cacheDir, revision: uploaded })
    const found = digests(await readManifest(folder))
    expect(found).toMatchObject(digests(oddManifest))
    recorder.take()
    await js.snapshotDownload({ ...caller, repo, cacheDir, revision: uploaded })
    expect(recorder.take().filter((exchange) => servedContent(exchange, prefix))).toEqual([])
  })

  step('an unchanged folder goes up without its large bodies, telling its progress', async () => {
    const files = await contentsOf(odd, oddManifest)
    recorder.take()
    const events: Hub.CommitProgressEvent[] = []
    const progress = js.uploadFilesWithProgress({
      ...caller,
      repo,
      files,
      useXet: usesXet,
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

  step('one commit adds and deletes', async () => {
    await js.commit({
      ...caller,
      repo,
      useXet: usesXet,
      title: 'Add, delete',
      description: 'Together.',
      operations: [
        { operation: 'addOrUpdate', path: 'added.txt', content: new Blob(['added\n']) },
        { operation: 'delete', path: 'config.json' },
      ],
    })
    const names = await filePaths()
    expect(names).toContain('added.txt')
    expect(names).not.toContain('config.json')
  })

  step('one commit edits the middle of a large file', async () => {
    if (!isNewest) return ABSENT
    const path = 'model.safetensors'
    const originalContent = await download(path)
    const start = Math.floor(oddManifest[path]!.sizeBytes / 2)
    const edits = [{ start, end: start + 4, content: new Blob(['an edit in the middle']) }]
    await js.commit({
      ...caller,
      repo,
      useXet: usesXet,
      title: 'Edit',
      operations: [{ operation: 'edit', path, originalContent, edits }],
    })
    const local = await openAsBlob(join(odd, path))
    const edited = new Blob([local.slice(0, start), 'an edit in the middle', local.slice(start + 4)])
    expect(await sha256Of(await download(path))).toBe(await sha256Of(edited))
  })

  step('a stale parent is refused and changes nothing', async () => {
    const before = await js.countCommits({ ...caller, repo })
    const operations = [{ operation: 'addOrUpdate' as const, path: 'stale.txt', content: new Blob(['x']) }]
    const stale = js.commit({
      ...caller,
      repo,
      useXet: usesXet,
      title: 'Stale',
      parentCommit: uploaded,
      operations,
    })
    expect(await refusalOf(stale)).toBe(412)
    expect(await js.countCommits({ ...caller, repo })).toBe(before)
    expect(await js.fileExists({ ...caller, repo, path: 'stale.txt' })).toBe(false)
  })

  step('what was done and not heard of can be asked for again', async () => {
    const before = await js.countCommits({ ...caller, repo })
    const operations = [
      { operation: 'addOrUpdate' as const, path: 'lost/answer.txt', content: new Blob(['once\n']) },
    ]
    const send = (): ReturnType<typeof js.commit> =>
      js.commit({ ...caller, repo, useXet: usesXet, title: 'Sent twice', operations })
    recorder.loseAnswer('POST', /\/commit\/main/)
    await expect(send()).rejects.toThrow()
    await send()
    expect(await js.countCommits({ ...caller, repo })).toBe(before + 1)
    expect(await (await download('lost/answer.txt')).text()).toBe('once\n')
  })

  step('a branch from an older commit has that content and its own future', async () => {
    // No older version can make one; they can use it.
    const branches = 'createBranch' in js ? js : writer
    if ('createBranch' in branches)
      await branches.createBranch({ ...caller, repo, branch: 'dev/older', revision: uploaded })
    else
      await post(
        `${caller.hubUrl}/api/models/${repo.name}/branch/dev%2Folder`,
        JSON.stringify({ startingPoint: uploaded }),
      )
    const operations = [{ operation: 'addOrUpdate' as const, path: 'branch.txt', content: new Blob(['b\n']) }]
    await js.commit({
      ...caller,
      repo,
      useXet: usesXet,
      title: 'On the branch',
      branch: 'dev/older',
      operations,
    })
    const names = await filePaths('dev/older')
    expect(names).toEqual(expect.arrayContaining(['config.json', 'branch.txt']))
    const old = await download('config.json', 'dev/older')
    expect(await sha256Of(old)).toBe(oddManifest['config.json']?.sha256)
    const commits = await Array.fromAsync(
      js.listCommits({ ...caller, repo, revision: 'dev/older', batchSize: 2 }),
    )
    expect(commits.slice(0, 2).map(({ title }) => title)).toEqual(['On the branch', 'The whole folder'])
    expect(commits[1]?.oid).toBe(uploaded)
    expect(await js.countCommits({ ...caller, repo, revision: 'dev/older' })).toBe(commits.length)
  })

  step('a branch goes', async () => {
    if (!('deleteBranch' in js)) return ABSENT
    await js.deleteBranch({ ...caller, repo, branch: 'dev/older' })
    expect(await refusalOf(filePaths('dev/older'))).toBe(404)
    expect(await filePaths(uploaded)).toContain('config.json')
  })

  step('a tag and a short commit id give what main has lost', async () => {
    await post(`${caller.hubUrl}/api/models/${repo.name}/tag/${uploaded}`, JSON.stringify({ tag: 'v1.0' }))
    for (const revision of ['v1.0', uploaded, uploaded.slice(0, 8)])
      expect(await sha256Of(await download('config.json', revision)), revision).toBe(
        oddManifest['config.json']?.sha256,
      )
  })

  step('strangers see no private repository, readers cannot write', async () => {
    const { hubUrl } = caller
    const operations = [{ operation: 'delete' as const, path: 'added.txt' }]
    const bob = { hubUrl, ...as(tokens.bob) }
    expect(await refusalOf(js.commit({ ...bob, repo, title: 'Nobody', operations }))).toBe(404)
    const reader = { hubUrl, repo, ...as(tokens.aliceReader) }
    expect(await refusalOf(js.deleteFile({ ...reader, path: 'added.txt' }))).toBe(403)
    expect(await js.fileExists({ ...caller, repo, path: 'added.txt' })).toBe(true)
  })

  if (size === 'large')
    test.skipIf(modelFolder === null)('a real model makes the round trip', async () => {
      const model: Hub.RepoId = { type: 'model', name: 'alice/minilm-from-js' }
      const manifest = await readManifest(modelFolder!)
      await js.createRepo({ ...caller, repo: model })
      await js.uploadFiles({
        ...caller,
        repo: model,
        files: await contentsOf(modelFolder!, manifest),
        useXet: usesXet,
      })
      const cacheDir = await mkdtemp(join(work, 'cache-'))
      const folder = await js.snapshotDownload({ ...caller, repo: model, cacheDir })
      expect(digests(await readManifest(folder))).toEqual(digests(manifest))
    })

  for (const type of ['dataset', 'space'] as const)
    step(`a ${type} makes a short round trip`, async () => {
      const other: Hub.RepoId = { type, name: `alice/js-${type}` }
      const sdk = type === 'space' ? { sdk: 'static' as const } : {}
      const made = await js.createRepo({ ...caller, repo: other, ...sdk })
      expect(made.repoUrl).toBe(`${caller.hubUrl}/${type}s/alice/js-${type}`)
      const path = 'data/one part.parquet'
      const content = await openAsBlob(join(odd, 'nested/tensor 1.bin'))
      await js.uploadFiles({ ...caller, repo: other, useXet: usesXet, files: [{ path, content }] })
      expect((await list(other)).map((entry) => entry.path)).toContain(path)
      const back = await lookFor(other, path)
      expect(await sha256Of(back!)).toBe(await sha256Of(content))
      await js.deleteRepo({ ...caller, repo: other })
      expect(await isThere(other)).toBe(false)
    })

  step('the old name of a renamed repository leads to the new one', async () => {
    const move = { fromRepo: repo.name, toRepo: 'acme/renamed', type: 'model' }
    await post(`${caller.hubUrl}/api/repos/move`, JSON.stringify(move))
    expect(await (await download('added.txt')).text()).toBe('added\n')
    expect(await filePaths()).toContain('added.txt')
    const { sizeBytes } = oddManifest['nested/tensor 1.bin']!
    expect((await download('nested/tensor 1.bin')).size).toBe(sizeBytes)
  })

  step('an address with slashes too many is the same hub', async () => {
    const sloppy = { ...caller, hubUrl: `${caller.hubUrl}/` }
    expect((await js.whoAmI(sloppy)).name).toBe('alice')
    const entries = await Array.fromAsync(js.listFiles({ ...sloppy, repo: 'acme/renamed' }))
    expect(entries.map(({ path }) => path)).toContain('added.txt')
    const path = 'added.txt'
    const found: Blob | Response | null = await js.downloadFile({ ...sloppy, repo: 'acme/renamed', path })
    expect(await found?.text()).toBe('added\n')
  })

  step('the hfjs command uploads a folder', async () => {
    const cli = join(dirname(modules[version]!), 'cli.js')
    if (!existsSync(cli)) return ABSENT
    const env = cleanEnv({ HF_ENDPOINT: caller.hubUrl, HF_TOKEN: tokens.alice })
    const folder = join(odd, 'nested')
    await run(process.execPath, [cli, 'upload', 'acme/by-hfjs', folder, '.'], { env })
    const entries = await list({ type: 'model', name: 'acme/by-hfjs' })
    const names = Object.keys(oddManifest).flatMap((path) =>
      path.startsWith('nested/') ? [path.slice('nested/'.length)] : [],
    )
    expect(entries.map(({ path }) => path)).toEqual(expect.arrayContaining(names))
  })

  step('the repository goes', async () => {
    expect(await fsckAll(hub.dataDir)).toEqual([])
    const renamed: Hub.RepoId = { type: 'model', name: 'acme/renamed' }
    await js.deleteRepo({ ...caller, repo: renamed })
    expect(await isThere(renamed)).toBe(false)
    expect(await refusalOf(js.deleteRepo({ ...caller, repo: renamed }))).toBe(404)
  })
})
