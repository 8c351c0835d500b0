/** Pushing with real git: what lands, what is refused, and that the API sees the same at once. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { GitClient } from '@cairn/testkit/git-client'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson, headOf, sha256, uploadLfs } from './client.ts'
import { remote } from './git-remote.ts'
import { expectUnchanged } from './hub-state.ts'

let hub: TestHub
let client: GitClient
let id: string
let work: string
let count = 0
const git = (...args: string[]) => client.git(work, ...args)
const refused = (...args: string[]) => expectUnchanged(hub, () => client.refused(work, ...args))

beforeAll(async () => {
  client = await GitClient.open()
  hub = await startHub()
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await client[Symbol.asyncDispose]()
})
/** A repository, and a clone of it. */
beforeEach(async () => {
  count += 1
  work = `work-${count}`
  id = await createRepo(hub, 'alice', `alice/pushed-${count}`)
  await client.git('', 'clone', '-q', remote(hub, 'alice', id), work)
})

async function write(path: string, content: string | Uint8Array): Promise<void> {
  const target = join(client.folder, work, path)
  await mkdir(dirname(target), { recursive: true })
  await writeFile(target, content)
}

/** A commit of these files in the clone; returns its id. */
async function commitHere(files: Record<string, string | Uint8Array>, message = 'here'): Promise<string> {
  for (const [path, content] of Object.entries(files)) await write(path, content)
  await git('add', '-A')
  await git('commit', '-q', '-m', message)
  return git('rev-parse', 'HEAD')
}

const refsOf = async () => (await client.git('', 'ls-remote', remote(hub, 'alice', id))).split('\n')

async function rowOf(name: string) {
  const [namespace = '', short = ''] = name.split('/')
  return (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', namespace, short))!
}

describe('a push', () => {
  test('is a commit like any other: card, tags, files, last modified, history', async () => {
    const before = await getJson(hub, 'alice', `/api/models/${id}`)
    const readme = '---\nlicense: mit\ntags:\n- pushed\n---\n# Pushed\n'
    const oid = await commitHere({ 'README.md': readme, 'folder/ü.txt': 'text' }, 'By git')
    await git('push', '-q', 'origin', 'main')
    const info = await getJson<Record<string, never>>(hub, 'alice', `/api/models/${id}`)
    expect(info).toMatchObject({ sha: oid, cardData: { license: 'mit' } })
    expect(info['tags']).toContain('pushed')
    expect(JSON.stringify(info['siblings'])).toContain('folder/ü.txt')
    expect(Date.parse(info['lastModified']!)).toBeGreaterThanOrEqual(
      Date.parse(String(before['lastModified'])),
    )
    const found = await getJson<{ id: string }[]>(hub, 'alice', '/api/models?filter=pushed')
    expect(found.map((one) => one.id)).toContain(id)
    const [newest] = await getJson<{ title: string }[]>(hub, 'alice', `/api/models/${id}/commits/main`)
    expect(newest!.title).toBe('By git')
    const row = await rowOf(id)
    const audit = await hub.hub.ops.catalog.rows.audit.list({ repoId: row.id, limit: 10 })
    expect(JSON.stringify(audit)).toContain('ref.push')
    expect(await hub.hub.ops.git.fsck(row.id)).toEqual([])
    // And a commit over HTTP goes on from there.
    const next = await commit(hub, 'alice', id, [file('more.txt', 'more')])
    await git('pull', '-q', '--ff-only')
    expect(await git('rev-parse', 'HEAD', 'HEAD~1')).toBe(`${next}\n${oid}`)
  })

  test('makes, moves and deletes branches and tags, and tells what became of each', async () => {
    const oid = await commitHere({ a: 'a' })
    await git('tag', 'v1')
    await git('tag', '-a', '-m', 'annotated', 'v2')
    await git('push', '-q', 'origin', 'main', 'main:feature/x', '--tags')
    const { branches, tags } = await getJson<Record<string, { name: string; targetCommit: string }[]>>(
      hub,
      'alice',
      `/api/models/${id}/refs`,
    )
    expect(branches!.map((ref) => ref.name)).toEqual(['feature/x', 'main'])
    expect(tags!.map((ref) => [ref.name, ref.targetCommit])).toEqual([
      ['v1', oid],
      ['v2', oid],
    ])
    await git('push', '-q', 'origin', ':feature/x', ':v1')
    expect((await refsOf()).map((line) => line.split('\t')[1])).toEqual([
      'HEAD',
      'refs/heads/main',
      'refs/tags/v2',
      'refs/tags/v2^{}',
    ])
    const ran = await client.run(work, [
      'push',
      'origin',
      'main:new',
      ':main',
      'HEAD:refs/pr/7',
      'HEAD:refs/cairn/x',
    ])
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain('[new branch]      main -> new')
    expect(ran.stderr).toContain('The default branch cannot be deleted')
    expect(ran.stderr).toMatch(/refs\/pr\/7 .*cannot be created/)
    expect(ran.stderr).toMatch(/refs\/cairn\/x .*cannot be created/)
    expect(await headOf(hub, 'alice', id, 'new')).toBe(oid)
  })

  test('moves a pull request that is there', async () => {
    const oid = await commitHere({ a: 'a' })
    const row = await rowOf(id)
    const base = await headOf(hub, 'alice', id)
    await hub.hub.ops.catalog.tx((rows) => rows.refs.swap(row.id, 'refs/pr/1', null, base, 0))
    await hub.hub.ops.git.projectRefs(row.id, [{ name: 'refs/pr/1', oid: base }])
    await git('push', '-q', 'origin', 'HEAD:refs/pr/1')
    expect(await headOf(hub, 'alice', id, 'refs/pr/1')).toBe(oid)
    expect(await refused('push', 'origin', ':refs/pr/1')).toContain('closed through the API')
  })

  test('by force, with a lease, atomic: what has moved is not run over', async () => {
    await commitHere({ a: '1' })
    await git('push', '-q', 'origin', 'main')
    await commit(hub, 'alice', id, [file('b', 'theirs')])
    await commitHere({ a: '2' })
    expect(await refused('push', 'origin', 'main')).toContain('fetch first')
    const lease = ['push', '--force-with-lease', 'origin', 'main']
    expect(await refused(...lease)).toContain('stale info')
    expect(await refused('push', '--atomic', '--force-with-lease', 'origin', 'main', 'main:other')).toContain(
      'atomic',
    )
    await git('fetch', '-q')
    await git(...lease, '-q')
    expect(await headOf(hub, 'alice', id)).toBe(await git('rev-parse', 'HEAD'))
    // The server's own refusal of one is everybody's, and without --atomic only its own.
    expect(await refused('push', '--atomic', 'origin', 'HEAD:refs/pr/9', 'HEAD:good')).toMatch(
      /good .*atomic push failed/,
    )
    expect((await client.run(work, ['push', 'origin', 'HEAD:refs/pr/9', 'HEAD:good'])).code).toBe(1)
    expect(await headOf(hub, 'alice', id, 'good')).toBe(await git('rev-parse', 'HEAD'))
  })

  test('of an orphan branch, of a merge, and from a shallow clone', async () => {
    await git('checkout', '-q', '--orphan', 'alone')
    await commitHere({ alone: 'x' })
    await git('push', '-q', 'origin', 'alone')
    await git('checkout', '-q', 'main')
    await git('merge', '-q', '--allow-unrelated-histories', '-m', 'both', 'alone')
    await git('push', '-q', 'origin', 'main')
    await client.git('', 'clone', '-q', '--depth=1', remote(hub, 'alice', id), `${work}-shallow`)
    work = `${work}-shallow`
    const oid = await commitHere({ more: 'y' })
    await git('push', '-q', 'origin', 'main')
    expect(await headOf(hub, 'alice', id)).toBe(oid)
    expect(await hub.hub.ops.git.fsck((await rowOf(id)).id)).toEqual([])
  })

  test('of everything that a mirror has, into an empty repository, and onto an unborn main', async () => {
    const row = await rowOf(id)
    const base = await headOf(hub, 'alice', id)
    await hub.hub.ops.catalog.tx((rows) => rows.refs.swap(row.id, 'refs/heads/main', base, null, 0))
    await hub.hub.ops.git.projectRefs(row.id, [{ name: 'refs/heads/main', oid: null }])
    const oid = await commitHere({ a: 'a' })
    await git('branch', 'side')
    await git('tag', 'v1')
    await git('update-ref', '-d', 'refs/remotes/origin/main')
    await git('notes', 'add', '-m', 'a note')
    await git('push', '-q', '--mirror', 'origin')
    const names = (await refsOf()).map((line) => line.split('\t')[1])
    expect(names).toEqual([
      'HEAD',
      'refs/heads/main',
      'refs/heads/side',
      'refs/notes/commits',
      'refs/tags/v1',
    ])
    expect(await headOf(hub, 'alice', id)).toBe(oid)
  })

  test('of hundreds of tags, and their removal', async () => {
    const oid = await commitHere({ a: 'a' })
    const lines = Array.from({ length: 300 }, (_, n) => `${oid} refs/tags/t${n}\n`)
    await write('.git/packed-refs', `# pack-refs with: sorted \n${lines.toSorted().join('')}`)
    await git('push', '-q', 'origin', '--tags')
    const { tags } = await getJson<{ tags: unknown[] }>(hub, 'alice', `/api/models/${id}/refs`)
    expect(tags).toHaveLength(300)
    await git('push', '-q', 'origin', '--delete', ...Array.from({ length: 300 }, (_, n) => `t${n}`))
    expect(await refsOf()).toHaveLength(2)
    expect((await rowOf(id)).refsDirty).toBe(false)
  })

  test('says politely that options have no effect', async () => {
    await commitHere({ a: 'a' })
    const { code, stderr } = await client.run(work, ['push', '-o', 'ci.skip', 'origin', 'main'])
    expect([code, stderr]).toEqual([0, expect.stringContaining('remote: Push options have no effect here.')])
  })

  test('larger than the post buffer goes in chunks, after a probe', async () => {
    const noise = Array.from({ length: 5 }, () => crypto.getRandomValues(new Uint8Array(60_000)))
    const oid = await commitHere(Object.fromEntries(noise.map((bytes, n) => [`${n}.bin`, bytes])))
    await git('-c', 'http.postBuffer=65536', 'push', '-q', 'origin', 'main')
    expect(await headOf(hub, 'alice', id)).toBe(oid)
  })
})

describe('who may', () => {
  test('nobody without a right to write, and nobody who only reads', async () => {
    await commitHere({ a: 'a' })
    for (const [account, said] of [
      ['bob', '403'],
      ['reader', '403'],
      [null, 'could not read Username'],
    ] as const)
      expect(await refused('push', remote(hub, account, id), 'main')).toContain(said)
    expect(await refused('push', remote(hub, 'alice', 'alice/nothing'), 'main')).toContain('not found')
  })
})

describe('what is refused as a whole', () => {
  test('a large file, wherever in history, by name and with the way out', async () => {
    await commitHere({ 'deep/weights.bin': new Uint8Array(11 << 20) })
    await git('rm', '-q', 'deep/weights.bin')
    await commitHere({ a: 'a' })
    const said = await refused('push', 'origin', 'main')
    expect(said).toContain('remote:   deep/weights.bin (11.0 MiB)')
    expect(said).toContain('git lfs track "*.bin"')
    expect(said).toMatch(/main -> main \(.*too large/)
  })

  test('a pointer to an object that is not here, or of another size', async () => {
    const pointer = (oid: string, size: number) =>
      `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${size}\n`
    await uploadLfs(hub, 'alice', id, 'weights')
    const there = sha256('weights')
    await commitHere({ 'good.bin': pointer(there, 7) })
    await git('push', '-q', 'origin', 'main')
    await commitHere({ 'bad.bin': pointer(there, 8), 'none.bin': pointer(sha256('none'), 4) })
    const said = await refused('push', 'origin', 'main')
    expect(said).toContain(`bad.bin: ${there} has 7 bytes, not 8`)
    expect(said).toContain(`none.bin: ${sha256('none')} was not uploaded`)
    const answer = await hub.fetch(null, `/${id}/resolve/main/good.bin`)
    expect(await answer.text()).toBe('weights')
  })

  test('metadata that is not valid, unless it was there before', async () => {
    await commitHere({ 'README.md': '---\nlicense: [\n---\n' })
    expect(await refused('push', 'origin', 'main')).toContain('README.md is not valid')
    await git('reset', '-q', '--hard', 'origin/main')
    await commit(hub, 'alice', id, [file('README.md', '---\nlicense: none-such\n---\n')])
    await git('pull', '-q')
    await commitHere({ other: 'x' })
    await git('push', '-q', 'origin', 'main')
  })

  test('paths that a commit over HTTP may not have, also as a merge brings them', async () => {
    await commitHere({ 'back\\slash': 'x' })
    expect(await refused('push', 'origin', 'main')).toContain('it contains a backslash')
    await git('reset', '-q', '--hard', 'origin/main')
    await git('checkout', '-q', '-b', 'side')
    await commitHere({ a: 'a' })
    await git('checkout', '-q', 'main')
    await commitHere({ b: 'b' })
    await git('merge', '-q', '--no-commit', 'side')
    await write('new\nline', 'x')
    await git('add', '-A')
    await git('commit', '-q', '-m', 'merge')
    expect(await refused('push', 'origin', 'main')).toContain('control character')
  })

  test('a ref to what is no commit', async () => {
    await commitHere({ a: 'a' })
    await git('tag', 'blob', 'HEAD:a')
    await git('tag', 'tree', 'HEAD^{tree}')
    await git('tag', '-a', '-m', 'x', 'annotated')
    const said = await refused('push', 'origin', 'blob', 'tree', 'annotated^{}:refs/pr/3')
    expect(said.match(/does not lead to a commit/g)).toHaveLength(2)
  })
})

test('pushes and commits at once: every one that was acknowledged is in the history', async () => {
  await commitHere({ start: 'x' })
  await git('push', '-q', 'origin', 'main')
  const base = await git('rev-parse', 'HEAD')
  const pushes = Array.from({ length: 4 }, async (_, n) => {
    const oid = await git('commit-tree', '-p', base, '-m', `push ${n}`, `${base}^{tree}`)
    const { code } = await client.run(work, ['push', 'origin', `${oid}:refs/heads/main`])
    return code === 0 ? `push ${n}` : null
  })
  const commits = Array.from({ length: 4 }, async (_, n) => {
    await commit(hub, 'alice', id, [file(`${n}`, `${n}`)], { summary: `commit ${n}` })
    return `commit ${n}`
  })
  const done = (await Promise.all([...pushes, ...commits])).filter((title) => title !== null)
  const log = await getJson<{ title: string }[]>(hub, 'alice', `/api/models/${id}/commits/main`)
  const titles = log.map(({ title }) => title)
  for (const title of done) expect(titles).toContain(title)
  expect(titles.filter((title) => /^(push|commit) /.test(title))).toHaveLength(done.length)
  expect(await hub.hub.ops.git.fsck((await rowOf(id)).id)).toEqual([])
})
