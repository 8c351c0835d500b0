/** The round trip with Python's stock clients, over Xet and over LFS, at the root and under a registry's prefix. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { cellsOf } from './cells.ts'
import { fsckAll } from './fsck.ts'
import { pythonGenerations, settingsOf } from './generations.ts'
import { printOnFailure, startHub, tokens } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { digests, readManifest, writeOddFolder } from './model-folder.ts'
import type { Manifest } from './model-folder.ts'
import { makeManyFiles, manyFilesCount, mountPath } from './mount.ts'
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

const { python: pythons, modelFolder } = inject('clients')
const noXet = { HF_HUB_DISABLE_XET: '1' }
/** Without it the newest client finds content that another repository brought into its cache, and asks for nothing. */
const ownBlobs = { HF_HUB_DISABLE_SHARED_BLOBS: '1' }
const settings = settingsOf(pythonGenerations)
/** The first one is all that a prefix and the generations between the oldest and the newest need. */
const subjects = [
  { subject: 'a model', kind: 'model', repo: 'alice/small.model', folder: 'small', private: true },
  { subject: 'a real model', kind: 'model', repo: 'alice/all-MiniLM-L6-v2', folder: 'real', private: false },
  { subject: 'a model of odd names', kind: 'model', repo: 'acme/odd.names', folder: 'odd', private: true },
  { subject: 'a dataset', kind: 'dataset', repo: 'alice/some_data', folder: 'small', private: true },
  { subject: 'a space', kind: 'space', repo: 'acme/Some-Space', folder: 'small', private: false },
]
const run = promisify(execFile)

function isBefore(version: string, other: string): boolean {
  return version.localeCompare(other, 'en', { numeric: true }) < 0
}

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

describe.each(settings)('huggingface_hub $label', ({ version, mount, usesXet, isNewest }) => {
  const python = pythons[version] ?? null
  const isOld = isBefore(version, '0.20')
  const env = usesXet ? ownBlobs : noXet
  const many = 'acme/many'
  let hub: HubProcess
  let recorder: Recorder
  let home: string
  let prefix: string
  let endpoint: string
  const stack = new AsyncDisposableStack()

  beforeAll(async () => {
    if (python === null) return
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    home = await mkdtemp(join(work, 'home-'))
    prefix = await mountPath(hub, mount)
    endpoint = recorder.url + prefix
    await makeManyFiles(endpoint, many)
  })
  afterAll(() => stack.disposeAsync())
  printOnFailure(() => (python === null ? '' : `${recorder.report()}\n--- the hub said\n${hub.log()}`))

  const isWhole = mount === 'root' && (isOld || isNewest)

  describe.each(isWhole ? subjects.slice(1) : subjects.slice(0, 1))('$subject', (subject) => {
    const { kind, repo, folder, private: isPrivate } = subject
    const skipped = python === null || (folder === 'real' && modelFolder === null)
    const step = cellsOf({ client: 'huggingface_hub', version, mount, xet: usesXet }, { skip: skipped })
    /** Models have a segment of their own under a prefix, which keeps old clients from a mistake. */
    const web = (type: string, name: string): string =>
      `${endpoint}/${type === 'model' ? (mount === 'root' ? '' : 'models/') : `${type}s/`}${name}`
    /** Versions that stumble over a model's address under a prefix are not told what they would compare. */
    const comparesOids = !isBefore(version, '0.24') && (mount === 'root' || !isBefore(version, '1.2'))
    let walk: PythonWalk
    let path: string
    let manifest: Manifest
    let known: { regular: string; large: string; dropped: string }
    let uploaded: string

    beforeAll(() => {
      if (skipped) return
      ;({ path, manifest } = folders[folder]!)
      known = wellKnown(manifest)
      const plan = {
        repo,
        kind,
        private: isPrivate,
        folder: path,
        ...known,
        many,
        renamed: `${repo}-renamed`,
      }
      walk = startPython(python, 'walk.py', plan, recorder, { home, env, prefix })
    })
    afterAll(async () => {
      if (!skipped) await walk[Symbol.asyncDispose]()
    })
    printOnFailure(() => (skipped ? '' : walk.complaints()))

    step('the token has a name and its organization', async () => {
      const { facts } = await walk.next<{ name: string; orgs: string[] }>('whoami')
      expect(facts).toEqual({ name: 'alice', orgs: ['acme'] })
    })

    step('creating twice is fine when asked for', async () => {
      const { facts } = await walk.next<{ url: string; again: string; files: string[] }>('create')
      expect(facts.url).toBe(web(kind, repo))
      expect(facts.again).toBe(facts.url)
      expect(facts.files).toContain('.gitattributes')
    })

    step('who may only read goes on with what is there, when asked for', async () => {
      const { facts } = await walk.next('create as reader')
      expect(facts).toEqual({ id: repo })
    })

    step('the folder goes up the way this client knows', async () => {
      const { facts, exchanges } = await walk.next<{ head: string }>('upload')
      uploaded = facts.head
      expect(uploaded).toMatch(/^[0-9a-f]{40}$/)
      const batches = paths(exchanges, 'POST', /\/info\/lfs\/objects\/batch$/)
      const tokensAsked = paths(exchanges, 'GET', /\/xet-write-token\//)
      if (usesXet) {
        expect(tokensAsked).not.toEqual([])
        expect(paths(exchanges, 'PUT', /./)).toEqual([])
        // From here on without asking in the LFS batch first.
        if (!isBefore(version, '1.20')) expect(batches).toEqual([])
        // The first generation that has it says things in the singular.
        const xorb =
          version === '0.33.5' ? /\/xorb\/default\/[0-9a-f]{64}$/ : /\/v1\/xorbs\/default\/[0-9a-f]{64}$/
        expect(paths(exchanges, 'POST', xorb)).not.toEqual([])
      } else {
        expect(batches).not.toEqual([])
        expect(tokensAsked).toEqual([])
      }
      const commits = exchanges.filter(({ path: url }) => /\/commit\/main/.test(url))
      const largest = Math.max(...commits.map(({ requestBodySizeBytes }) => requestBodySizeBytes))
      expect(largest, 'large files stay out of the commit').toBeLessThan(2 * inlineCommitMaxBytes)
    })

    step('info tells what was uploaded', async () => {
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

    step('the listing has every name as it was', async () => {
      const { facts } = await walk.next<{ files: string[] }>('list')
      const expected = new Set([...Object.keys(manifest), '.gitattributes'])
      expect(new Set(facts.files)).toEqual(expected)
    })

    step('a listing of several pages is complete', async () => {
      const { facts, exchanges } = await walk.next<{ files: string[] }>('pages')
      expect(new Set(facts.files).size).toBe(manyFilesCount + 1)
      if (!isBefore(version, '0.20')) expect(paths(exchanges, 'GET', /\/tree\/.*cursor=/)).not.toEqual([])
    })

    step('the tree carries sizes, oids and digests', async () => {
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
      if (usesXet && !isBefore(version, '1.19')) expect(byPath[known.large]?.xet).toMatch(/^[0-9a-f]{64}$/)
      const asked = facts.asked.map((entry) => entry.path).toSorted()
      const expected = [known.regular, known.large, ...(isOld ? [] : [known.dropped])].toSorted()
      expect(asked).toEqual(expected)
    })

    step('existence is told apart', async () => {
      const { facts } = await walk.next('exists')
      expect(facts).toEqual({ present: true, absent: false, repo: true })
    })

    step('one file comes back', async () => {
      const { facts } = await walk.next<{ sha256: string }>('download')
      expect(facts.sha256).toBe(manifest[known.regular]?.sha256)
    })

    step('a snapshot comes back byte for byte', async () => {
      const { facts, exchanges } = await walk.next<{ digests: Record<string, string> }>('snapshot')
      expect(withoutSeed(facts.digests, manifest)).toEqual(digests(manifest))
      if (usesXet) expect(paths(exchanges, 'GET', /\/reconstructions?\//)).not.toEqual([])
    })

    step('the second snapshot asks for no content', async () => {
      const { facts, exchanges } = await walk.next<{ digests: Record<string, string> }>('snapshot again')
      expect(withoutSeed(facts.digests, manifest)).toEqual(digests(manifest))
      expect(exchanges.filter((exchange) => servedContent(exchange, prefix))).toEqual([])
    })

    step('an unchanged folder goes up without its bodies', async () => {
      const { facts, exchanges } = await walk.next<{ head: string; files: string[] }>('upload again')
      expect(paths(exchanges, 'PUT', /./)).toEqual([])
      expect(paths(exchanges, 'POST', /\/xorbs\//)).toEqual([])
      if (comparesOids) expect(paths(exchanges, 'POST', /\/commit\//)).toEqual([])
      else {
        // Sent again: small files inline, large ones by digest only.
        const sent = exchanges.reduce((sum, exchange) => sum + exchange.requestBodySizeBytes, 0)
        expect(sent).toBeLessThan(2 * inlineCommitMaxBytes)
      }
      expect(facts.head).toBe(uploaded)
      expect(new Set(facts.files)).toEqual(new Set([...Object.keys(manifest), '.gitattributes']))
    })

    step('a branch and a tag point where they should', async () => {
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

    step('bytes and file objects go up, also to a branch', async () => {
      const { facts } = await walk.next<{ files: string[] } & Record<string, unknown>>('upload file')
      expect(facts).toMatchObject({
        bytes: 'from bytes\n',
        object: Buffer.from('\x00\x01binary object').toString('hex'),
        branch: 'on a branch\n',
      })
      expect(facts.files).toEqual(expect.arrayContaining(['added/bytes.txt', 'added/object.bin']))
      expect(facts.files).not.toContain('added/branch.txt')
    })

    step('one commit copies, deletes and adds', async () => {
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

    step('a stale parent is refused and changes nothing', async () => {
      const { facts } = await walk.next<{ oid: string; head: string; stale: string[]; files: string[] }>(
        'parent',
      )
      expect(facts.oid).toBe(facts.head)
      expect(facts.stale).toContain('HfHubHTTPError')
      expect(facts.files).toContain('parents/first.txt')
      expect(facts.files).not.toContain('parents/second.txt')
    })

    step('what was done and not heard of can be asked for again', async () => {
      if (!skipped) recorder.loseAnswer('POST', /\/api\/repos\/create$/)
      if (!skipped) recorder.loseAnswer('POST', /\/commit\/main/)
      const { facts, exchanges } = await walk.next<{
        created: string
        oid: string
        head: string
        before: string[]
        after: string[]
      }>('lost answers')
      expect(exchanges.filter(({ isLost }) => isLost)).toHaveLength(2)
      expect(paths(exchanges, 'POST', /\/api\/repos\/create$/)).toHaveLength(2)
      // Who compares oids finds the file in place and does not send it again.
      if (!comparesOids) expect(paths(exchanges, 'POST', /\/commit\/main/)).toHaveLength(2)
      expect(facts.created).toBe(web(kind, `${repo}-lost`))
      expect(facts.oid).toBe(facts.head)
      expect(facts.after).toEqual(['Sent twice', ...facts.before])
    })

    step('the file system lists and reads the middle of a file', async () => {
      const { facts, exchanges } = await walk.next<{
        names: string[]
        size: number
        piece: string
        expected: string
      }>('file system')
      expect(facts.names).toEqual(expect.arrayContaining([known.large, known.dropped]))
      expect(facts.size).toBe(manifest[known.large]?.sizeBytes)
      expect(facts.piece).toBe(facts.expected)
      expect(facts.piece).toHaveLength(2_000)
      const received = exchanges.filter(({ path: url }) => url.includes('/resolve/'))
      const bytes = received.reduce((sum, exchange) => sum + exchange.responseBodySizeBytes, 0)
      expect(bytes).toBeLessThan(20_000)
    })

    step('what is missing raises the class that people catch', async () => {
      const { facts } = await walk.next<Record<string, string[]>>('missing')
      expect(facts['repo']).toContain('RepositoryNotFoundError')
      expect(facts['revision']).toContain('RevisionNotFoundError')
      expect(facts['file']).toContain('EntryNotFoundError')
      expect(facts['file_of_repo']).toContain('RepositoryNotFoundError')
      expect(facts['file_of_revision']).toContain('RevisionNotFoundError')
    })

    step('a file and a folder can be deleted', async () => {
      const { facts } = await walk.next<{ without_file: string[]; without_folder: string[] }>('delete')
      expect(facts.without_file).not.toContain(known.regular)
      expect(facts.without_file.some((name) => name.startsWith(`${known.dropped}/`))).toBe(true)
      const left = facts.without_file.filter((name) => !name.startsWith(`${known.dropped}/`))
      expect(facts.without_folder).toEqual(left)
    })

    step('the history of each branch has its own commits', async () => {
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

    step('a tag, a commit and a branch still give what main has lost', async () => {
      const { facts } = await walk.next<{
        tag: string
        sha: string
        short: string
        branch: string
        tagged: Record<string, string>
      }>('revisions')
      const content = manifest[known.regular]?.sha256
      expect(facts).toMatchObject({ tag: content, sha: content, short: content, branch: content })
      expect(withoutSeed(facts.tagged, manifest)).toEqual(digests(manifest))
    })

    step('branch and tag go, and git finds nothing to complain about', async () => {
      const { facts } = await walk.next('delete refs')
      expect(facts).toEqual({ branches: ['main'], tags: [] })
      expect(await fsckAll(hub.dataDir)).toEqual([])
    })

    step('names, metadata and patterns', async () => {
      const { facts } = await walk.next<Record<string, unknown>>('small things')
      expect(facts['full_name']).toBe('alice/some')
      const large = manifest[known.large]
      if (!isOld) expect(facts).toMatchObject({ size: large?.sizeBytes, etag: large?.sha256 })
      if (!isBefore(version, '0.24')) expect(facts['added']).toEqual([])
      if (isNewest) expect(facts['resolved']).toBe(facts['head'])
    })

    step('a repository of another kind comes and goes', async () => {
      const { facts } = await walk.next('other kind')
      const url = web(kind === 'model' ? 'dataset' : 'model', `${repo}-data`)
      expect(facts).toEqual({ created: [url, url], content: 'of the other kind\n', exists: false })
    })

    step('an address with slashes too many is the same hub', async () => {
      const { facts } = await walk.next<{ files: string[] }>('slashes')
      expect(facts).toMatchObject({ name: 'alice', content: 'slashes\n' })
      if (kind === 'model') expect(facts).toMatchObject({ from_environment: 'slashes\n' })
      expect(facts.files).toContain('slashes.txt')
    })

    step('the old name of a renamed repository leads to the new one', async () => {
      const { facts } = await walk.next<{
        id: string
        content: string | null
        error: { classes: string[]; text: string } | null
        by_new_name: string
      }>('rename')
      expect(facts.id).toBe(`${repo}-renamed`)
      expect(facts.by_new_name).toBe('to the old name\n')
      expect({ content: facts.content, error: facts.error }).toEqual({
        content: 'to the old name\n',
        error: null,
      })
    })

    step('the repository goes', async () => {
      const { facts } = await walk.next('delete repo')
      expect(facts).toEqual({ exists: false })
    })
  })

  // A registry's namespaces are free: who may do what is another story there, with tests of its own.
  if (mount === 'prefix') return

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
      if (refusedByItself[version]?.includes(name)) {
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

  // Older ones have no such command.
  if (!isNewest) return

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
