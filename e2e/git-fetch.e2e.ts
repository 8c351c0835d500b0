/** Every way in which git reads a repository: protocols, parts, addresses and credentials. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { GitClient } from '@cairn/testkit/git-client'
import { afterAll, beforeAll, describe, expect } from 'vitest'

import { cellsOf } from './cells.ts'
import { git as gitIn } from './fsck.ts'
import { isFull } from './generations.ts'
import { gitVersion } from './git-versions.ts'
import { HostedRepo, kinds, objectsOf, openPullRequests } from './hosted-repo.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { mountPath } from './mount.ts'

const stack = new AsyncDisposableStack()
const repos = new Map<string, HostedRepo>()
let hub: HubProcess
let client: GitClient

beforeAll(async () => {
  client = stack.use(await GitClient.open())
  hub = stack.use(await startHub())
  if (isFull) await mountPath(hub, 'prefix')
  for (const [index, kind] of kinds.entries()) {
    const repo = await HostedRepo.create(hub, kind, `read-${index}`)
    await repo.commit({ 'a.txt': 'one', 'folder/b.txt': 'b', 'folder/in/c.txt': 'c' }, 'First')
    await repo.api('/branch/side', { method: 'POST', body: {} })
    await repo.commit({ 'side.txt': 'side' }, 'Aside', 'side')
    await repo.commit({ 'a.txt': 'two', 'other/d.txt': 'd' }, 'Second')
    await repo.api('/tag/main', { method: 'POST', body: { tag: 'v1', message: 'The first' } })
    await repo.commit({ 'a.txt': 'three' }, 'Third')
    repos.set(kind.label, repo)
  }
  await openPullRequests(hub, [...repos.values()])
})
afterAll(() => stack.disposeAsync())
printOnFailure(() => `--- the hub said\n${hub.log()}`)

describe.each(kinds)('git reads a $label', ({ label, type, mount, isPrivate }) => {
  const setting = { client: 'git', version: gitVersion, mount, xet: null }
  const step = cellsOf(setting)
  /** What does not depend on the kind of repository: with one of them, where time is short. */
  const once = cellsOf(setting, { skip: !isFull && type !== 'model' })
  /** With the matrix only. */
  const rare = cellsOf(setting, { skip: !isFull })
  const git = (folder: string, ...args: string[]) => client.git(folder, ...args)
  const theRepo = () => repos.get(label) ?? expect.unreachable(label)
  const remote = () => theRepo().remote()
  let count = 0
  const fresh = (): string => `${label.replaceAll(' ', '-')}-${(count += 1)}`

  async function expectWhole(folder: string): Promise<void> {
    expect(await git(folder, 'fsck', '--strict', '--full')).toBe('')
    const objects = await git(folder, 'rev-list', '--objects', '--no-object-names', '--all')
    const published = await gitIn(await theRepo().bare(), [
      'rev-list',
      '--objects',
      '--no-object-names',
      '--branches',
      '--tags',
    ])
    expect(objectsOf(objects)).toEqual(objectsOf(published))
  }

  describe.each([0, 1, 2])('version %i', (version) => {
    const spoken = ['-c', `protocol.version=${version}`]

    step(`a clone by version ${version} of the protocol is complete`, async () => {
      const folder = fresh()
      const trace = { GIT_TRACE_PACKET: '1' }
      const ran = await client.run('', [...spoken, 'clone', '-q', remote(), folder], trace)
      expect(ran.code, ran.stderr).toBe(0)
      expect(/< version (\d)/.exec(ran.stderr)?.[1] ?? '0').toBe(String(version))
      expect(await git(folder, 'rev-parse', 'HEAD')).toBe(await theRepo().head())
      expect(await git(folder, 'symbolic-ref', 'refs/remotes/origin/HEAD')).toBe('refs/remotes/origin/main')
      expect(await git(folder, 'cat-file', '-t', 'v1')).toBe('tag')
      await expectWhole(folder)
    })

    step(`pull requests show in version ${version} as they should`, async () => {
      const listed = await git('', ...spoken, 'ls-remote', remote())
      expect(listed.includes('refs/pr/1')).toBe(version < 2)
      const folder = fresh()
      await git('', 'init', '-q', folder)
      await git(folder, ...spoken, 'fetch', '-q', remote(), 'refs/pr/1:pr/1')
      expect(await git(folder, 'rev-parse', 'pr/1')).toBe(await theRepo().head('side'))
    })
  })

  once('a shallow clone of one branch becomes deeper, and whole', async () => {
    const folder = fresh()
    await git('', 'clone', '-q', '--depth=1', '--branch=main', remote(), folder)
    expect(await git(folder, 'rev-list', '--count', 'HEAD')).toBe('1')
    expect(await git(folder, 'branch', '-r')).not.toContain('side')
    await git(folder, 'fetch', '-q', '--deepen=1')
    expect(await git(folder, 'log', '--format=%s')).toBe('Third\nSecond')
    await git(folder, 'fetch', '-q', '--unshallow')
    await git(folder, 'fetch', '-q', '--tags', 'origin', 'side:side')
    expect(await git(folder, 'log', '--format=%s')).toBe('Third\nSecond\nFirst\ninitial commit')
    await expectWhole(folder)
  })

  rare('a single branch, and history since a day or without a branch', async () => {
    const folder = fresh()
    await git('', 'clone', '-q', '--single-branch', '--no-tags', '--branch=side', remote(), folder)
    expect(await git(folder, 'log', '--format=%s')).toBe('Aside\nFirst\ninitial commit')
    expect(await git(folder, 'for-each-ref', '--format=%(refname)', 'refs/remotes/origin/main')).toBe('')
    const since = fresh()
    await git('', 'clone', '-q', '--shallow-since=2020-01-01', '--no-single-branch', remote(), since)
    await expectWhole(since)
    const excluded = fresh()
    await git('', 'clone', '-q', '--shallow-exclude=side', remote(), excluded)
    expect(await git(excluded, 'log', '--format=%s')).toBe('Third\nSecond')
  })

  const filters = ['blob:none', 'tree:0', ...(isFull ? ['blob:limit=4'] : [])]
  describe.each(filters)('%s', (filter) => {
    once(`a partial clone, --filter=${filter}, fetches the rest when it needs it`, async () => {
      const folder = fresh()
      await git('', 'clone', '-q', '--no-checkout', `--filter=${filter}`, remote(), folder)
      const missing = await git(folder, 'rev-list', '--objects', '--all', '--missing=print')
      expect(missing.split('\n').filter((line) => line.startsWith('?')).length).toBeGreaterThan(0)
      await git(folder, 'checkout', '-q', 'main')
      expect(await readFile(join(client.folder, folder, 'a.txt'), 'utf8')).toBe('three')
      expect(await git(folder, 'show', 'HEAD~2:a.txt')).toBe('one')
      expect(await git(folder, 'log', '-p', '--all')).toContain('+two')
      expect(await git(folder, 'fsck', '--strict')).toBe('')
    })
  })

  once('a sparse checkout has its folders only', async () => {
    const folder = fresh()
    await git('', 'clone', '-q', '--filter=blob:none', '--sparse', remote(), folder)
    await git(folder, 'sparse-checkout', 'set', 'folder/in')
    const names = await readdir(join(client.folder, folder), { recursive: true })
    expect(names.filter((name) => !name.startsWith('.git')).toSorted()).toEqual([
      'a.txt',
      'folder',
      'folder/b.txt',
      'folder/in',
      'folder/in/c.txt',
    ])
    expect(await git(folder, 'status', '--porcelain')).toBe('')
  })

  once('a commit by its id, as long as a ref leads to it', async () => {
    const folder = fresh()
    await git('', 'init', '-q', folder)
    const past = (await gitIn(await theRepo().bare(), ['rev-parse', 'refs/heads/main~2'])).trim()
    await git(folder, 'fetch', '-q', '--depth=1', remote(), past)
    expect(await git(folder, 'log', '--format=%H %s', 'FETCH_HEAD')).toBe(`${past} First`)
    const nowhere = '0123456789012345678901234567890123456789'
    expect(await client.refused(folder, 'fetch', '-q', remote(), nowhere)).toContain(`not our ref ${nowhere}`)
  })

  rare('who has much that the hub has not is understood, in a compressed request', async () => {
    const folder = fresh()
    await git('', 'clone', '-q', remote(), folder)
    const lines = Array.from({ length: 400 }, (_, index) => [
      'commit refs/heads/own',
      `committer Ana <ana@example.com> ${1_800_000_000 + index} +0000`,
      'data 2',
      'x\n',
      ...(index === 0 ? ['from refs/heads/main'] : []),
    ])
    const stream = join(client.folder, `${folder}.import`)
    await writeFile(stream, `${lines.flat().join('\n')}\n`)
    await git(folder, '-c', `alias.load=!git fast-import --quiet < '${stream}'`, 'load')
    const next = await theRepo().commit({ 'later.txt': `${label}\n` }, 'Later', 'side')
    const ran = await client.run(folder, ['fetch', 'origin'], { GIT_TRACE_CURL: '1' })
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stderr).toMatch(/=> Send header: content-encoding: gzip/i)
    expect(await git(folder, 'rev-parse', 'origin/side')).toBe(next)
    expect(await git(folder, 'fsck', '--strict')).toBe('')
  })

  step('the address ends in a name, in .git or in a slash', async () => {
    const forms = ['', '.git', '/', '.git/']
    const told = await Promise.all(
      forms.map((form) => git('', 'ls-remote', theRepo().remote(tokens.alice, form))),
    )
    expect(told[0]).toContain('refs/heads/side')
    expect(new Set(told).size).toBe(1)
  })

  once('the token is a password, a user name, or in a header, or comes from a helper', async () => {
    const address = theRepo().address()
    const helper = `!f() { echo username=hf_user; echo password=${tokens.alice}; }; f`
    for (const args of [
      [address.replace('://', `://whoever:${tokens.alice}@`)],
      [address.replace('://', `://${tokens.alice}@`)],
      [address.replace('://', `://${tokens.alice}:x-oauth-basic@`)],
      ['-c', `http.extraHeader=Authorization: Bearer ${tokens.alice}`, address],
      ['-c', `credential.helper=${helper}`, address],
    ]) {
      const url = args.pop()!
      expect(await git('', ...args, 'ls-remote', url)).toContain('refs/heads/main')
    }
    // What is public git asks for without a token first.
    if (!isPrivate) return
    expect(await client.refused('', 'ls-remote', theRepo().remote('hf_wrong'))).toContain(
      'Authentication failed',
    )
  })

  step('who may not read is told nothing', async () => {
    const outsiders = [theRepo().address(), theRepo().remote(tokens.bob)]
    if (!isPrivate) {
      for (const url of outsiders) expect(await git('', 'ls-remote', url)).toContain('refs/heads/main')
      return
    }
    const nowhere = await client.refused('', 'ls-remote', theRepo().remote(tokens.bob, '', 'acme/nowhere'))
    const [anonymous = '', stranger = ''] = await Promise.all(
      outsiders.map((url) => client.refused('', 'ls-remote', url)),
    )
    expect(anonymous).toContain('could not read Username')
    expect(stranger.replaceAll(theRepo().id, 'acme/nowhere')).toBe(nowhere)
  })

  once('a submodule comes along', async () => {
    const outer = fresh()
    const target = await HostedRepo.create(hub, theRepo().kind, `outer-of-${theRepo().id.slice(5)}`)
    await git('', 'clone', '-q', target.remote(), outer)
    const inner = `../${theRepo().id.slice(5)}`
    await git(outer, 'submodule', '--quiet', 'add', inner, 'parts/inner')
    await git(outer, 'commit', '-q', '-m', 'With a submodule')
    await git(outer, 'push', '-q', 'origin', 'main')
    const folder = fresh()
    await git('', 'clone', '-q', '--recurse-submodules', target.remote(), folder)
    expect(await readFile(join(client.folder, folder, 'parts/inner/a.txt'), 'utf8')).toBe('three')
    expect(await git(join(folder, 'parts/inner'), 'rev-parse', 'HEAD')).toBe(await theRepo().head())
    await target.expectAgreement(client)
  })

  step('the old name of a renamed repository leads to the new one', async () => {
    const old = theRepo().id
    const [before, clone] = [fresh(), fresh()]
    await git('', 'clone', '-q', remote(), before)
    await theRepo().moveTo(`renamed-${old.slice(5)}`)
    for (const form of ['', '.git'])
      await git('', 'clone', '-q', theRepo().remote(tokens.alice, form, old), clone + form)
    await git(before, 'commit', '-q', '--allow-empty', '-m', 'By the old name')
    await git(before, 'push', '-q', 'origin', 'main')
    await git(clone, 'pull', '-q', '--ff-only')
    expect(await git(clone, 'rev-parse', 'HEAD')).toBe(await theRepo().head())
    await theRepo().expectAgreement(client)
  })
})
