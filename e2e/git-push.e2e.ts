/** Every way in which git writes a repository, and that the API tells the same afterwards. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { GitClient } from '@cairn/testkit/git-client'
import { afterAll, beforeAll, beforeEach, describe, expect } from 'vitest'

import { cellsOf } from './cells.ts'
import { isFull } from './generations.ts'
import { gitVersion } from './git-versions.ts'
import { HostedRepo, kinds } from './hosted-repo.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { noise } from './model-folder.ts'
import { mountPath } from './mount.ts'

const stack = new AsyncDisposableStack()
const tagCount = 2_000
let hub: HubProcess
let client: GitClient

beforeAll(async () => {
  client = stack.use(await GitClient.open())
  hub = stack.use(await startHub())
  if (isFull) await mountPath(hub, 'prefix')
})
afterAll(() => stack.disposeAsync())
printOnFailure(() => `--- the hub said\n${hub.log()}`)

describe.each(kinds)('git writes a $label', ({ label, ...kind }) => {
  const setting = { client: 'git', version: gitVersion, mount: kind.mount, xet: null }
  const step = cellsOf(setting)
  /** What does not depend on the kind of repository: with one of them, where time is short. */
  const once = cellsOf(setting, { skip: !isFull && kind.type !== 'model' })
  /** With the matrix only. */
  const rare = cellsOf(setting, { skip: !isFull })
  const name = label.replaceAll(' ', '-')
  let repo: HostedRepo
  let work: string
  let count = 0
  const git = (...args: string[]) => client.git(work, ...args)

  /** A repository of its own for each step, and a clone of it. */
  beforeEach(async ({ task }) => {
    if (task.mode === 'skip') return
    count += 1
    work = `${name}-${count}`
    repo = await HostedRepo.create(hub, kind, `written-${work}`)
    await client.git('', 'clone', '-q', repo.remote(), work)
  })

  async function commitHere(files: Record<string, string | Uint8Array>, message = 'Here'): Promise<string> {
    for (const [path, content] of Object.entries(files)) {
      const target = join(client.folder, work, path)
      await mkdir(dirname(target), { recursive: true })
      await writeFile(target, content)
    }
    await git('add', '-A')
    await git('commit', '-q', '-m', message)
    return git('rev-parse', 'HEAD')
  }

  step('a push is a commit: card, tags, files, last change, history, and on from there', async () => {
    const before = await repo.api<{ lastModified: string }>()
    const card = '---\nlicense: mit\ntags:\n- pushed\n---\n# Pushed\n'
    const oid = await commitHere({ 'README.md': card, 'folder/ü.txt': 'text' }, 'By git')
    await git('push', '-q', 'origin', 'main')
    const info = await repo.api<typeof before & { siblings: { rfilename: string }[]; tags: string[] }>()
    expect(info).toMatchObject({ sha: oid, cardData: { license: 'mit' } })
    expect(info.tags).toContain('pushed')
    expect(info.siblings.map(({ rfilename }) => rfilename)).toEqual([
      '.gitattributes',
      'README.md',
      'folder/ü.txt',
    ])
    expect(Date.parse(info.lastModified)).toBeGreaterThan(Date.parse(before.lastModified))
    const [newest] = await repo.api<{ id: string; title: string }[]>('/commits/main')
    expect(newest).toMatchObject({ id: oid, title: 'By git' })
    const next = await repo.commit({ 'more.txt': 'more' })
    await git('pull', '-q', '--ff-only')
    expect(await git('rev-parse', 'HEAD', 'HEAD~1')).toBe(`${next}\n${oid}`)
    await repo.expectAgreement(client)
  })

  step('branches and tags come, move and go, all in one push', async () => {
    const oid = await commitHere({ a: 'a' })
    await git('tag', 'v1')
    await git('tag', '-a', '-m', 'annotated', 'v2')
    await git('push', '-q', 'origin', 'main', 'main:feature/x', 'main:gone', '--tags')
    expect(await repo.head('feature/x')).toBe(oid)
    expect(await repo.head('v2')).toBe(oid)
    const next = await commitHere({ a: 'b' })
    await git('push', '-q', 'origin', 'main:feature/x', ':gone', ':v1')
    expect(await repo.head('feature/x')).toBe(next)
    expect(await repo.head()).toBe(oid)
    const refs = await git('ls-remote', 'origin')
    expect(refs).not.toContain('gone')
    expect(refs).not.toContain('v1')
    expect(await client.refused(work, 'push', 'origin', ':main')).toContain(
      'default branch cannot be deleted',
    )
    await repo.expectAgreement(client)
  })

  once('--force, --force-with-lease and --atomic run over what they should and nothing else', async () => {
    await commitHere({ a: '1' })
    await git('push', '-q', 'origin', 'main')
    const theirs = await repo.commit({ b: 'theirs' })
    await commitHere({ a: '2' })
    const lease = ['push', '-q', '--force-with-lease', 'origin', 'main']
    expect(await client.refused(work, 'push', 'origin', 'main')).toContain('fetch first')
    expect(await client.refused(work, ...lease)).toContain('stale info')
    const atomic = ['push', '--atomic', 'origin', 'main:fresh', 'main:refs/cairn/x']
    expect(await client.refused(work, ...atomic)).toMatch(/fresh .*atomic push failed/)
    expect(await git('ls-remote', 'origin', 'fresh')).toBe('')
    expect(await repo.head()).toBe(theirs)
    await git('fetch', '-q')
    await git(...lease)
    expect(await repo.head()).toBe(await git('rev-parse', 'HEAD'))
    await git('push', '-q', '--force', 'origin', `${theirs}:main`)
    expect(await repo.head()).toBe(theirs)
    await git('push', '-q', '--atomic', 'origin', 'main:one', 'main:two')
    await repo.expectAgreement(client)
  })

  once('more than http.postBuffer goes in chunks', async () => {
    const oid = await commitHere({ 'large.txt': noise(label, 3 << 20) })
    const ran = await client.run(work, ['push', 'origin', 'main'], { GIT_TRACE_CURL: '1' })
    expect(ran.code, ran.stderr.slice(-2_000)).toBe(0)
    expect(ran.stderr).toMatch(/=> Send header: transfer-encoding: chunked/i)
    expect(await repo.head()).toBe(oid)
    await repo.expectAgreement(client)
  })

  rare('Expect: 100-continue is answered before the body', async () => {
    const oid = await commitHere({ 'large.txt': noise(label, 3 << 20) })
    const expecting = ['-c', 'http.extraHeader=Expect: 100-continue', 'push', 'origin', 'main']
    const ran = await client.run(work, expecting, { GIT_TRACE_CURL: '1' })
    expect(ran.code, ran.stderr.slice(-2_000)).toBe(0)
    expect(ran.stderr).toMatch(/<= Recv header: HTTP\/1\.1 100 Continue/)
    expect(await repo.head()).toBe(oid)
    await repo.expectAgreement(client)
  })

  once('a mirror goes into an empty repository, and a first push onto an unborn main', async () => {
    const empty = await HostedRepo.create(hub, kind, `mirrored-${work}`, { initialCommit: false })
    const oid = await commitHere({ a: 'a' })
    await git('branch', 'side')
    await git('tag', 'v1')
    await git('update-ref', '-d', 'refs/remotes/origin/main')
    await git('notes', 'add', '-m', 'a note')
    await git('push', '-q', '--mirror', empty.remote())
    expect(await git('ls-remote', empty.remote())).toBe(
      [
        `${oid}\tHEAD`,
        `${oid}\trefs/heads/main`,
        `${oid}\trefs/heads/side`,
        `${await git('rev-parse', 'refs/notes/commits')}\trefs/notes/commits`,
        `${oid}\trefs/tags/v1`,
      ].join('\n'),
    )
    await empty.expectAgreement(client)

    const unborn = await HostedRepo.create(hub, kind, `unborn-${work}`, { initialCommit: false })
    work = `${work}-unborn`
    await client.git('', '-c', 'init.defaultBranch=other', 'clone', '-q', unborn.remote(), work)
    const first = await commitHere({ 'README.md': '# First\n' })
    await git('push', '-q', '-u', 'origin', 'HEAD')
    expect(await unborn.head()).toBe(first)
    await unborn.expectAgreement(client)
  })

  once('an orphan branch, a merge of it, and a commit on a shallow clone', async () => {
    await git('checkout', '-q', '--orphan', 'alone')
    await commitHere({ alone: 'x' })
    await git('push', '-q', 'origin', 'alone')
    await git('checkout', '-q', 'main')
    await git('merge', '-q', '--allow-unrelated-histories', '-m', 'Both', 'alone')
    await git('push', '-q', 'origin', 'main')
    work = `${work}-shallow`
    await client.git('', 'clone', '-q', '--depth=1', repo.remote(), work)
    const oid = await commitHere({ more: 'y' })
    await git('push', '-q', 'origin', 'main')
    expect(await repo.head()).toBe(oid)
    await repo.expectAgreement(client)
  })

  rare(`${tagCount} tags come and go`, async () => {
    const oid = await commitHere({ a: 'a' })
    const names = Array.from({ length: tagCount }, (_, index) => `t${index}`).toSorted()
    const lines = names.map((tag) => `${oid} refs/tags/${tag}\n`)
    await writeFile(
      join(client.folder, work, '.git/packed-refs'),
      `# pack-refs with: sorted \n${lines.join('')}`,
    )
    await git('push', '-q', 'origin', '--tags')
    const { tags } = await repo.api<{ tags: { name: string }[] }>('/refs')
    expect(tags.map((tag) => tag.name).toSorted()).toEqual(names)
    await repo.expectAgreement(client)
    await git('push', '-q', 'origin', '--delete', ...names)
    expect(await git('ls-remote', '--tags', 'origin')).toBe('')
    await repo.expectAgreement(client)
  })

  rare('push options are ignored in words', async () => {
    const oid = await commitHere({ a: 'a' })
    const { code, stderr } = await client.run(work, ['push', '-o', 'ci.skip', 'origin', 'main'])
    expect([code, stderr]).toEqual([0, expect.stringContaining('remote: Push options have no effect here.')])
    expect(await repo.head()).toBe(oid)
    await repo.expectAgreement(client)
  })

  step('who may not write is told so, and large files and bad metadata are refused in words', async () => {
    await commitHere({ a: 'a' })
    const before = await repo.head()
    const asked = await client.refused(work, 'push', repo.remote(tokens.aliceReader), 'main')
    expect(asked).toContain('403')
    const stranger = await client.refused(work, 'push', repo.remote(tokens.bob), 'main')
    expect(stranger).toContain(kind.isPrivate ? 'not found' : '403')
    expect(await client.refused(work, 'push', repo.address(), 'main')).toContain('could not read Username')
    await commitHere({ 'deep/weights.bin': new Uint8Array(11 << 20) })
    const said = await client.refused(work, 'push', 'origin', 'main')
    expect(said).toContain('remote:   deep/weights.bin (11.0 MiB)')
    expect(said).toContain('git lfs track "*.bin"')
    await git('reset', '-q', '--hard', 'origin/main')
    await commitHere({ 'README.md': '---\nlicense: [\n---\n' })
    expect(await client.refused(work, 'push', 'origin', 'main')).toContain('README.md is not valid')
    expect(await repo.head()).toBe(before)
    await repo.expectAgreement(client)
  })
})
