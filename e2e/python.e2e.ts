/** The round trip with Python's stock clients: newest over Xet and over LFS, and 0.19.4. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { fsckAll } from './fsck.ts'
import { printOnFailure, startHub, tokens } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { digests, readManifest, writeOddFolder } from './model-folder.ts'
import type { Manifest } from './model-folder.ts'
import { clientEnv, startPython } from './python-walk.ts'
import type { PythonWalk } from './python-walk.ts'
import { servedContent, startRecorder } from './recorder.ts'
import type { Exchange, Recorder } from './recorder.ts'
import { refusals } from './refusals.ts'

interface TreeEntry {
  path: string
  folder?: true
  size?: number
  oid: string
  lfs?: string | null
  xet?: string | null
}

const { pythonNewest, python019, modelFolder } = inject('clients')
const noXet = { HF_HUB_DISABLE_XET: '1' }
/** Without it the newest client finds content that another repository brought into its cache, and asks for nothing. */
const ownBlobs = { HF_HUB_DISABLE_SHARED_BLOBS: '1' }
const variants = [
  { client: 'newest over Xet', python: pythonNewest, isOld: false, usesXet: true, env: ownBlobs },
  { client: 'newest over LFS', python: pythonNewest, isOld: false, usesXet: false, env: noXet },
  { client: '0.19.4', python: python019, isOld: true, usesXet: false, env: {} },
]
const subjects = [
  { subject: 'a real model', kind: 'model', repo: 'alice/all-MiniLM-L6-v2', folder: 'real', private: false },
  { subject: 'a model of odd names', kind: 'model', repo: 'acme/odd.names', folder: 'odd', private: true },
  { subject: 'a dataset', kind: 'dataset', repo: 'alice/some_data', folder: 'small', private: true },
  { subject: 'a space', kind: 'space', repo: 'acme/Some-Space', folder: 'small', private: false },
]
const run = promisify(execFile)
/** Where a client refuses to send a commit, of its own accord. */
const refusedByItself: Record<string, string[]> = { '0.19.4': ['commit without a token'] }
const inlineCommitMaxBytes = 1_000_000

let work: string
const folders: Record<string, { path: string; manifest: Manifest }> = {}

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-python-'))
  await writeOddFolder(join(work, 'odd'), { large: true })
  await writeOddFolder(join(work, 'small'), { large: false })
  for (const name of ['odd', 'small'])
    folders[name] = { path: join(work, name), manifest: await readManifest(join(work, name)) }
  if (modelFolder !== null) folders['real'] = { path: modelFolder, manifest: await readManifest(modelFolder) }
})
afterAll(() => rm(work, { recursive: true, force: true }))

function wellKnown(manifest: Manifest): { regular: string; large: string; dropped: string } {
  const dropped = '1_Pooling/config.json' in manifest ? '1_Pooling' : 'drop me'
  return { regular: 'config.json', large: 'model.safetensors', dropped }
}

/** The hub seeds .gitattributes and may add lines to it; unless uploaded, it is not part of the comparison. */
function withoutSeed<T>(found: Record<string, T>, manifest: Manifest): Record<string, T> {
  return Object.fromEntries(
    Object.entries(found).filter(([path]) => path !== '.gitattributes' || path in manifest),
  )
}

function paths(exchanges: Exchange[], method: string, pattern: RegExp): string[] {
  return exchanges
    .filter((exchange) => exchange.method === method && pattern.test(exchange.path))
    .map(({ path }) => path)
}

describe.each(variants)('huggingface_hub $client', ({ client, python, isOld, usesXet, env }) => {
  let hub: HubProcess
  let recorder: Recorder
  let home: string
  const stack = new AsyncDisposableStack()

  beforeAll(async () => {
    if (python === null) return
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    home = await mkdtemp(join(work, 'home-'))
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => (python === null ? '' : `${recorder.report()}\n--- the hub said\n${hub.log()}`))

  describe.each(subjects)('$subject', ({ kind, repo, folder, private: isPrivate }) => {
    const skipped = python === null || (folder === 'real' && modelFolder === null)
    let walk: PythonWalk
    let path: string
    let manifest: Manifest
    let known: { regular: string; large: string; dropped: string }
    let uploaded: string

    beforeAll(() => {
      if (skipped) return
      ;({ path, manifest } = folders[folder]!)
      known = wellKnown(manifest)
      const plan = { repo, kind, private: isPrivate, folder: path, ...known }
      walk = startPython(python, 'walk.py', plan, recorder, { home, env })
    })
    afterAll(async () => {
      if (!skipped) await walk[Symbol.asyncDispose]()
    })
    printOnFailure(() => (skipped ? '' : walk.complaints()))

    test.skipIf(skipped)('the token has a name and its organization', async () => {
      const { facts } = await walk.next<{ name: string; orgs: string[] }>('whoami')
      expect(facts).toEqual({ name: 'alice', orgs: ['acme'] })
    })

    test.skipIf(skipped)('creating twice is fine when asked for', async () => {
      const { facts } = await walk.next<{ url: string; again: string; files: string[] }>('create')
      const prefix = kind === 'model' ? '' : `${kind}s/`
      expect(facts.url).toBe(`${recorder.url}/${prefix}${repo}`)
      expect(facts.again).toBe(facts.url)
      expect(facts.files).toContain('.gitattributes')
    })

    test.skipIf(skipped)('the folder goes up the way this client knows', async () => {
      const { facts, exchanges } = await walk.next<{ head: string }>('upload')
      uploaded = facts.head
      expect(uploaded).toMatch(/^[0-9a-f]{40}$/)
      const batches = paths(exchanges, 'POST', /\/info\/lfs\/objects\/batch$/)
      const tokensAsked = paths(exchanges, 'GET', /\/xet-write-token\//)
      if (usesXet) {
        expect(batches).toEqual([])
        expect(tokensAsked).not.toEqual([])
      } else {
        expect(batches).not.toEqual([])
        expect(tokensAsked).toEqual([])
      }
      const commits = exchanges.filter(({ path: url }) => /\/commit\/main/.test(url))
      const largest = Math.max(...commits.map(({ requestBodySizeBytes }) => requestBodySizeBytes))
      expect(largest, 'large files stay out of the commit').toBeLessThan(2 * inlineCommitMaxBytes)
    })

    test.skipIf(skipped)('info tells what was uploaded', async () => {
      const { facts } = await walk.next<{
        id: string
        sha: string
        private: boolean
        tags: string[]
        pipeline_tag: string | null
        library: string | null
        sizes: Record<string, number>
      }>('info')
      expect(facts).toMatchObject({ id: repo, sha: uploaded, private: isPrivate })
      const sizes = Object.fromEntries(Object.entries(manifest).map(([name, file]) => [name, file.sizeBytes]))
      expect(withoutSeed(facts.sizes, manifest)).toEqual(sizes)
      if (folder === 'real') {
        expect(facts.library).toBe('sentence-transformers')
        expect(facts.pipeline_tag).toBe('sentence-similarity')
        expect(facts.tags).toEqual(expect.arrayContaining(['feature-extraction', 'license:apache-2.0']))
      } else {
        // A Space's licence is in its card data only, as on the Hub.
        expect(facts.tags).toEqual(
          expect.arrayContaining(kind === 'space' ? ['odd-names'] : ['odd-names', 'license:mit']),
        )
      }
    })

    test.skipIf(skipped)('the listing has every name as it was', async () => {
      const { facts } = await walk.next<{ files: string[] }>('list')
      const expected = new Set([...Object.keys(manifest), '.gitattributes'])
      expect(new Set(facts.files)).toEqual(expected)
    })

    test.skipIf(skipped)('the tree carries sizes, oids and digests', async () => {
      const { facts } = await walk.next<{ entries: TreeEntry[]; asked: TreeEntry[] }>('tree')
      const files = facts.entries.filter((entry) => entry.folder !== true)
      const byPath = Object.fromEntries(files.map((entry) => [entry.path, entry]))
      for (const [name, file] of Object.entries(manifest)) {
        const entry = byPath[name]
        expect(entry, name).toBeDefined()
        expect(entry?.size, name).toBe(file.sizeBytes)
        // A stored pointer has an oid of its own; its digest is that of the content.
        if (typeof entry?.lfs === 'string') expect(entry.lfs, name).toBe(file.sha256)
        else expect(entry?.oid, name).toBe(file.gitOid)
      }
      expect(byPath[known.large]?.lfs).toBe(manifest[known.large]?.sha256)
      if (usesXet) expect(byPath[known.large]?.xet).toMatch(/^[0-9a-f]{64}$/)
      const asked = facts.asked.map((entry) => entry.path).toSorted()
      const expected = [known.regular, known.large, ...(isOld ? [] : [known.dropped])].toSorted()
      expect(asked).toEqual(expected)
    })

    test.skipIf(skipped)('existence is told apart', async () => {
      const { facts } = await walk.next('exists')
      expect(facts).toEqual({ present: true, absent: false, repo: true })
    })

    test.skipIf(skipped)('one file comes back', async () => {
      const { facts } = await walk.next<{ sha256: string }>('download')
      expect(facts.sha256).toBe(manifest[known.regular]?.sha256)
    })

    test.skipIf(skipped)('a snapshot comes back byte for byte', async () => {
      const { facts, exchanges } = await walk.next<{ digests: Record<string, string> }>('snapshot')
      expect(withoutSeed(facts.digests, manifest)).toEqual(digests(manifest))
      if (usesXet) expect(paths(exchanges, 'GET', /\/reconstructions\//)).not.toEqual([])
    })

    test.skipIf(skipped)('the second snapshot asks for no content', async () => {
      const { facts, exchanges } = await walk.next<{ digests: Record<string, string> }>('snapshot again')
      expect(withoutSeed(facts.digests, manifest)).toEqual(digests(manifest))
      expect(exchanges.filter((exchange) => servedContent(exchange))).toEqual([])
    })

    test.skipIf(skipped)('an unchanged folder goes up without its bodies', async () => {
      const { facts, exchanges } = await walk.next<{ head: string; files: string[] }>('upload again')
      expect(paths(exchanges, 'PUT', /./)).toEqual([])
      expect(paths(exchanges, 'POST', /\/xorbs\//)).toEqual([])
      if (isOld) {
        // 0.19.4 does not compare oids: it commits again, small files inline, large ones by digest only.
        const sent = exchanges.reduce((sum, exchange) => sum + exchange.requestBodySizeBytes, 0)
        expect(sent).toBeLessThan(2 * inlineCommitMaxBytes)
      } else {
        expect(paths(exchanges, 'POST', /\/commit\//)).toEqual([])
        expect(facts.head).toBe(uploaded)
      }
      expect(new Set(facts.files)).toEqual(new Set([...Object.keys(manifest), '.gitattributes']))
    })

    test.skipIf(skipped)('a branch and a tag point where they should', async () => {
      const { facts } = await walk.next<{
        base: string
        branches: Record<string, string>
        tags: Record<string, [string, string]>
      }>('refs')
      expect(facts.branches).toEqual({ main: facts.base, 'dev/one': facts.base })
      expect(Object.keys(facts.tags)).toEqual(['v1.0'])
      expect(facts.tags['v1.0']?.[0]).toBe('refs/tags/v1.0')
      expect(facts.tags['v1.0']?.[1]).toMatch(/^[0-9a-f]{40}$/)
    })

    test.skipIf(skipped)('bytes and file objects go up, also to a branch', async () => {
      const { facts } = await walk.next<{ files: string[] } & Record<string, unknown>>('upload file')
      expect(facts).toMatchObject({
        bytes: 'from bytes\n',
        object: Buffer.from('\x00\x01binary object').toString('hex'),
        branch: 'on a branch\n',
      })
      expect(facts.files).toEqual(expect.arrayContaining(['added/bytes.txt', 'added/object.bin']))
      expect(facts.files).not.toContain('added/branch.txt')
    })

    test.skipIf(skipped)('one commit copies, deletes and adds', async () => {
      const { facts, exchanges } = await walk.next<{
        oid: string
        head: string
        files: string[]
        copy: string
        small_copy: string | null
      }>('commit')
      expect(facts.oid).toBe(facts.head)
      expect(facts.files).toEqual(expect.arrayContaining(['copies/large file', 'added/third.txt']))
      expect(facts.files).not.toContain('added/bytes.txt')
      expect(facts.copy).toBe(manifest[known.large]?.sha256)
      if (!isOld) expect(facts.small_copy).toBe(manifest[known.regular]?.sha256)
      expect(paths(exchanges, 'PUT', /./), 'a copy moves no content').toEqual([])
    })

    test.skipIf(skipped)('a file and a folder can be deleted', async () => {
      const { facts } = await walk.next<{ without_file: string[]; without_folder: string[] }>('delete')
      expect(facts.without_file).not.toContain(known.regular)
      expect(facts.without_file.some((name) => name.startsWith(`${known.dropped}/`))).toBe(true)
      const left = facts.without_file.filter((name) => !name.startsWith(`${known.dropped}/`))
      expect(facts.without_folder).toEqual(left)
    })

    test.skipIf(skipped)('the history of each branch has its own commits', async () => {
      type Row = [id: string, title: string, message: string, authors: string[]]
      const { facts } = await walk.next<{ head: string; main: Row[]; branch: Row[] }>('commits')
      expect(facts.main[0]?.[0]).toBe(facts.head)
      const titles = facts.main.map(([, title]) => title)
      expect(titles).toContain('Copy, delete, add')
      expect(titles.at(-1)).toBe('initial commit')
      expect(titles).not.toContain('On the branch')
      const [branchHead] = facts.branch
      expect(branchHead?.slice(1)).toEqual(['On the branch', 'With a body.', ['alice']])
      expect(facts.main.map(([id]) => id)).toContain(facts.branch[1]?.[0])
    })

    test.skipIf(skipped)('a tag, a commit and a branch still give what main has lost', async () => {
      const { facts } = await walk.next<{
        tag: string
        sha: string
        branch: string
        tagged: Record<string, string>
      }>('revisions')
      const content = manifest[known.regular]?.sha256
      expect(facts).toMatchObject({ tag: content, sha: content, branch: content })
      expect(withoutSeed(facts.tagged, manifest)).toEqual(digests(manifest))
    })

    test.skipIf(skipped)('branch and tag go, and git finds nothing to complain about', async () => {
      const { facts } = await walk.next('delete refs')
      expect(facts).toEqual({ branches: ['main'], tags: [] })
      expect(await fsckAll(hub.dataDir)).toEqual([])
    })

    test.skipIf(skipped)('names, metadata and patterns', async () => {
      const { facts } = await walk.next<Record<string, unknown>>('small things')
      expect(facts['full_name']).toBe('alice/some')
      if (isOld) return
      const large = manifest[known.large]
      expect(facts).toMatchObject({
        size: large?.sizeBytes,
        etag: large?.sha256,
        resolved: facts['head'],
        added: [],
      })
    })

    test.skipIf(skipped)('the repository goes', async () => {
      const { facts } = await walk.next('delete repo')
      expect(facts).toEqual({ exists: false })
    })
  })

  describe('what must be refused', () => {
    const skipped = python === null
    let walk: PythonWalk
    let before: unknown

    beforeAll(() => {
      if (skipped) return
      const plan = { repo: 'alice/refusing', private: 'bob/secret', missing: 'alice/nothing-here' }
      walk = startPython(python, 'refusals.py', plan, recorder, { home, env })
    })
    afterAll(async () => {
      if (!skipped) await walk[Symbol.asyncDispose]()
    })

    test.skipIf(skipped)('with something to protect', async () => {
      before = (await walk.next('prepared')).facts
    })

    test.skipIf(skipped).each(refusals)('$name', async ({ name, raises, statuses }) => {
      const { facts, exchanges } = await walk.next<{ classes: string[]; status: number; text: string }>(name)
      if (refusedByItself[client]?.includes(name)) {
        expect(paths(exchanges, 'POST', /\/commit\//)).toEqual([])
        return
      }
      expect(facts.classes, facts.text).toContain(raises)
      const last = exchanges.at(-1)
      expect(statuses, `${facts.text} ${last?.complaint ?? ''}`).toContain(facts.status)
    })

    test.skipIf(skipped)('and nothing has changed', async () => {
      const { facts } = await walk.next('after')
      expect(facts).toEqual(before)
      expect(await fsckAll(hub.dataDir)).toEqual([])
    })
  })

  // 0.19.4 has no such command.
  if (isOld) return

  describe.skipIf(python === null)('the hf command', () => {
    async function hf(args: string[]): Promise<string> {
      const settings = clientEnv({ endpoint: recorder.url, home, env })
      const { stdout } = await run(python!, [join(dirname(python!), 'hf'), ...args], { env: settings })
      return stdout
    }

    test('says who I am', async () => {
      expect(await hf(['auth', 'whoami'])).toContain('alice')
    })

    test('is told how to log in where there is no device login', async () => {
      const nobody = { ...env, HF_TOKEN: '', HF_HOME: join(work, `nobody-${String(usesXet)}`) }
      const settings = { ...clientEnv({ endpoint: recorder.url, home, env }), ...nobody }
      const hfScript = join(dirname(python!), 'hf')
      const login = run(python!, [hfScript, 'auth', 'login'], { env: settings })
      await expect(login).rejects.toMatchObject({ stderr: expect.stringContaining('hf auth login --token') })
      await run(python!, [hfScript, 'auth', 'login', '--token', tokens.alice], { env: settings })
      const { stdout } = await run(python!, [hfScript, 'auth', 'whoami'], { env: settings })
      expect(stdout).toContain('alice')
    })

    test('uploads a folder and downloads it again', async () => {
      const { path, manifest } = folders['small']!
      await hf(['upload', 'acme/by-hand', path, '.', '--private'])
      const target = join(work, `by-hand-${String(usesXet)}`)
      await hf(['download', 'acme/by-hand', '--local-dir', target])
      const { '.cache': _, ...found } = await readManifest(target).then(digests)
      const own = Object.entries(found).filter(([name]) => !name.startsWith('.cache/'))
      expect(withoutSeed(Object.fromEntries(own), manifest)).toEqual(digests(manifest))
    })

    test('uploads one file and downloads it by name', async () => {
      const file = join(work, 'one file.txt')
      await writeFile(file, 'by hand\n')
      await hf(['upload', 'acme/by-hand', file, 'sub dir/one.txt', '--commit-message', 'One file'])
      const target = join(work, `one-file-${String(usesXet)}`)
      await hf(['download', 'acme/by-hand', 'sub dir/one.txt', '--local-dir', target])
      const { 'sub dir/one.txt': one } = await readManifest(target)
      expect(one?.sizeBytes).toBe('by hand\n'.length)
    })
  })
})
