/** Settings, duplicates, likes, deletion with grace, and repositories without commits. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { batch, commit, createRepo, file, getJson, headOf, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { expectRefusal, post } from './refusal.ts'
import { casAccess, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

type Account = Parameters<TestHub['fetch']>[0]
const HOUR_MS = 3600_000

const put = (body: object): RequestInit => ({ ...post(body), method: 'PUT' })
const del = (name: string): RequestInit => ({ ...post({ name, organization: 'alice' }), method: 'DELETE' })
const auditOf = async (hub: TestHub) =>
  (await hub.hub.ops.catalog.rows.audit.list({ limit: 100 })).map(({ action }) => action)

test('settings of one’s own are changed, and said back as 0.19.4 reads them', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a')
  const path = '/api/models/alice/a/settings'
  expect(await getJson(hub, 'alice', path, put({ private: true }))).toEqual({ private: true })
  await expectRefusal(await hub.fetch('bob', path, put({ private: false })), 'RepoNotFound')
  expect(await getJson(hub, 'alice', path, put({ gated: false }))).toEqual({ private: true })
  expect(await getJson(hub, 'alice', path, put({ visibility: 'public' }))).toEqual({ private: false })
  expect((await auditOf(hub)).filter((action) => action === 'repo.settings')).toHaveLength(2)
  await expectUnchanged(hub, async () => {
    await expectRefusal(await hub.fetch('bob', path, put({ private: true })), 'Forbidden')
    await expectRefusal(await hub.fetch('reader', path, put({ private: true })), 'Forbidden')
    await expectRefusal(await hub.fetch(null, path, put({ private: true })), 'Unauthenticated')
    for (const gated of ['auto', 'manual'])
      await expectRefusal(await hub.fetch('alice', path, put({ gated })), 'NotImplemented')
    await expectRefusal(await hub.fetch('alice', path, put({ visibility: 'protected' })), 'NotImplemented')
    for (const body of [{}, { discussionsDisabled: true }, { private: 'yes' }, { private: null }])
      await expectRefusal(await hub.fetch('alice', path, put(body)), 'BadRequest')
  })
})

test('a duplicate has history, tags and contents of its own, in another owner’s hands too', async () => {
  await using hub = await startHub({ flags: { deleteGrace: '0' } })
  await createRepo(hub, 'alice', 'alice/a')
  await uploadLfs(hub, 'alice', 'alice/a', 'large')
  const made = makeXetFile(3)
  await uploadXet(await casAccess(hub, 'alice', 'alice/a', 'write'), made)
  await commit(hub, 'alice', 'alice/a', [
    file('x.txt', 'one'),
    lfsFile('l.bin', 'large'),
    xetLine('x.bin', made),
  ])
  await hub.fetch('alice', '/api/models/alice/a/tag/main', post({ tag: 'v1', message: 'first' }))
  await commit(hub, 'alice', 'alice/a', [file('x.txt', 'two')])
  const duplicate = (account: Account, repository: string, more: object = {}) =>
    hub.fetch(account, '/api/models/alice/a/duplicate', post({ repository, ...more }))

  expect(await (await duplicate('bob', 'bob/copy', { private: true })).json()).toMatchObject({
    url: `${hub.url}/bob/copy`,
    filesCopyPending: false,
  })
  expect(await (await duplicate('alice', 'alice/near')).json()).toMatchObject({ name: 'alice/near' })
  expect(await expectRefusal(await duplicate('bob', 'bob/Copy'), 'Conflict')).toMatchObject({
    url: `${hub.url}/bob/copy`,
  })
  await expectRefusal(await duplicate('bob', 'alice/b'), 'Forbidden')
  await expectRefusal(await duplicate(null, 'bob/b'), 'Unauthenticated')
  await expectRefusal(await duplicate('bob', 'bob/b', { hardware: 'cpu-basic' }), 'NotImplemented')
  await expectRefusal(await hub.fetch(null, '/api/models/bob/copy'), { code: 'RepoNotFound', status: 401 })
  for (const [account, id] of [
    ['bob', 'bob/copy'],
    ['alice', 'alice/near'],
  ] as const) {
    expect(await getJson(hub, account, `/api/models/${id}/refs`)).toEqual(
      await getJson(hub, 'alice', '/api/models/alice/a/refs'),
    )
    expect(await getJson(hub, account, `/api/models/${id}/commits/main`)).toHaveLength(3)
  }
  // The source goes, files and all.
  const source = (await getJson(hub, 'alice', '/api/models/alice/a'))['_id'] as string
  await hub.fetch('alice', '/api/repos/delete', del('a'))
  await expect.poll(() => hub.hub.ops.catalog.rows.repos.get(source), { timeout: 5000 }).toBeNull()
  const text = async (path: string) => (await hub.fetch('bob', path)).text()
  expect(await text('/bob/copy/resolve/v1/x.txt')).toBe('one')
  expect(await text('/bob/copy/resolve/main/x.txt')).toBe('two')
  expect(await text('/bob/copy/resolve/main/l.bin')).toBe('large')
  expect(
    sha256(Buffer.from(await (await hub.fetch('bob', '/bob/copy/resolve/main/x.bin')).arrayBuffer())),
  ).toBe(made.sha256)
  await commit(hub, 'bob', 'bob/copy', [file('x.txt', 'three'), lfsFile('again.bin', 'large')])
  const copy = (await getJson(hub, 'bob', '/api/models/bob/copy'))['_id'] as string
  expect(await hub.hub.ops.git.fsck(copy)).toEqual([])
  expect(await auditOf(hub)).toContain('repo.duplicate')
})

test('likes: once each, paged, and none of a private repository shown to strangers', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a')
  await createRepo(hub, 'alice', 'alice/secret', { private: true })
  for (const account of ['alice', 'bob', 'root', 'root'] as const)
    expect((await hub.fetch(account, '/api/models/alice/a/like', { method: 'POST' })).status).toBe(200)
  await hub.fetch('alice', '/api/models/alice/secret/like', { method: 'POST' })
  const users: unknown[] = []
  let next: string | null = '/api/models/alice/a/likers?limit=2'
  while (next !== null) {
    const answer: Response = await hub.fetch(null, next)
    users.push(...((await answer.json()) as { user: string }[]).map(({ user }) => user))
    const link: string | undefined = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('Link') ?? '')?.[1]
    next = link === undefined ? null : link.slice(hub.url.length)
  }
  expect(new Set(users)).toEqual(new Set(['alice', 'bob', 'root']))
  expect(users).toHaveLength(3)
  const likes = async (account: Account) =>
    (await getJson<{ repo: { name: string } }[]>(hub, account, '/api/users/Alice/likes')).map(
      ({ repo }) => repo.name,
    )
  expect((await likes('alice')).toSorted()).toEqual(['alice/a', 'alice/secret'])
  expect(await likes('bob')).toEqual(['alice/a'])
  expect(await likes(null)).toEqual(['alice/a'])
  await hub.fetch('alice', '/api/models/alice/a/like', { method: 'DELETE' })
  expect(await likes('bob')).toEqual([])
  await expectRefusal(
    await hub.fetch(null, '/api/models/alice/a/like', { method: 'POST' }),
    'Unauthenticated',
  )
  await expectRefusal(await hub.fetch('reader', '/api/models/alice/a/like', { method: 'POST' }), 'Forbidden')
  await expectRefusal(
    await hub.fetch('bob', '/api/models/alice/secret/like', { method: 'POST' }),
    'RepoNotFound',
  )
  await expectRefusal(await hub.fetch(null, '/api/users/nobody/likes'), 'NotFound')
  await expectRefusal(await hub.fetch(null, '/api/models/alice/a/likers?cursor=forged'), 'BadRequest')
})

test('auth-check says what one may do', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a', { private: true })
  const path = '/api/models/alice/a/auth-check'
  for (const [account, target] of [
    ['alice', path],
    ['alice', `${path}/write`],
    ['reader', path],
  ] as const)
    expect((await hub.fetch(account, target)).status).toBe(200)
  await expectRefusal(await hub.fetch('reader', `${path}/write`), 'Forbidden')
  await expectRefusal(await hub.fetch('bob', path), 'RepoNotFound')
  await expectRefusal(await hub.fetch(null, `${path}/write`), { code: 'RepoNotFound', status: 401 })
})

test('a deleted repository can be brought back until its grace has ended, and not over another one', async () => {
  let now = Date.UTC(2026, 0, 1)
  await using hub = await startHub({ clock: () => now })
  const admin = (verb: string, args: object) =>
    hub.hub.admin({ resource: 'repo', verb, args }) as Promise<Record<string, unknown>[]>
  const a = { namespace: 'alice', name: 'a' }
  await createRepo(hub, 'alice', 'alice/a')
  await uploadLfs(hub, 'alice', 'alice/a', 'large')
  const head = await commit(hub, 'alice', 'alice/a', [lfsFile('l.bin', 'large')])
  await hub.fetch('alice', '/api/repos/delete', del('a'))
  await expectRefusal(await hub.fetch('alice', '/api/models/alice/a'), 'RepoNotFound')
  expect(await admin('list', { deleted: true })).toMatchObject([
    { id: 'alice/a', restorableUntil: new Date(now + 72 * HOUR_MS).toISOString() },
  ])
  now += 71 * HOUR_MS
  await createRepo(hub, 'alice', 'alice/A')
  await expect(admin('restore', a)).rejects.toMatchObject({ code: 'Conflict' })
  await admin('restore', { ...a, as: { namespace: 'acme', name: 'back' } })
  expect(await headOf(hub, 'alice', 'acme/back')).toBe(head)
  expect(await (await hub.fetch('alice', '/acme/back/resolve/main/l.bin')).text()).toBe('large')
  await expect(admin('restore', a)).rejects.toMatchObject({ code: 'NotFound' })

  await hub.fetch('alice', '/api/repos/delete', del('a'))
  await admin('restore', a)
  await headOf(hub, 'alice', 'alice/a')
  const { _id: id } = await getJson(hub, 'alice', '/api/models/alice/a')
  await hub.fetch('alice', '/api/repos/delete', del('a'))
  const { purgeDue } = await import('../src/ops/deleted-repos.ts')
  now += 72 * HOUR_MS - 1
  await purgeDue(hub.hub.ops, 10)
  expect(await hub.hub.ops.catalog.rows.repos.get(String(id))).not.toBeNull()
  now += 1
  await expect(admin('restore', a)).rejects.toMatchObject({ code: 'NotFound' })
  await purgeDue(hub.hub.ops, 10)
  expect(await hub.hub.ops.catalog.rows.repos.get(String(id))).toBeNull()
  await headOf(hub, 'alice', 'acme/back')
  expect((await auditOf(hub)).filter((action) => action === 'repo.restore')).toHaveLength(2)
})

test('what a crash left of a duplicate is purged, and no name was ever its own', async () => {
  await using hub = await startHub()
  const { ops } = hub.hub
  await createRepo(hub, 'alice', 'alice/a')
  const source = (await ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'a'))!
  const half = { ...source, id: 'half-made', name: 'copy', deletedAt: 0 }
  await ops.catalog.tx((rows) => rows.repos.insert(half))
  await ops.git.create(half.id)
  await createRepo(hub, 'alice', 'alice/copy')
  const { purgeDue } = await import('../src/ops/deleted-repos.ts')
  await purgeDue(ops, 10)
  expect(await ops.catalog.rows.repos.get(half.id)).toBeNull()
  await headOf(hub, 'alice', 'alice/copy')
})

test('what is uploaded while the repository goes is refused cleanly, and a neighbour keeps its own', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a')
  await createRepo(hub, 'alice', 'alice/b')
  await uploadLfs(hub, 'alice', 'alice/b', 'shared')
  await commit(hub, 'alice', 'alice/b', [lfsFile('l.bin', 'shared')])
  const { objects } = await batch(hub, 'alice', 'alice/a', 'upload', [{ oid: sha256('late'), size: 4 }])
  const cas = await casAccess(hub, 'alice', 'alice/a', 'write')
  let send: (rest: string) => void = () => undefined
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(Buffer.from('la'))
      send = (rest) => {
        controller.enqueue(Buffer.from(rest))
        controller.close()
      }
    },
  })
  const href = objects[0]!.actions!['upload']!.href
  const upload = fetch(href, {
    method: 'PUT',
    body,
    duplex: 'half',
    headers: { 'Content-Length': '4' },
  } as RequestInit)
  await new Promise((resolve) => setTimeout(resolve, 100))
  const both = await Promise.all([0, 1].map(() => hub.fetch('alice', '/api/repos/delete', del('a'))))
  expect(both.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404])
  send('te')
  expect((await upload).status).toBe(404)
  expect(
    (await cas.fetch(`/v1/xorbs/default/${makeXetFile(5).xorb.hash}`, { method: 'POST', body: 'x' })).status,
  ).toBe(403)
  expect(await (await hub.fetch('alice', '/alice/b/resolve/main/l.bin')).text()).toBe('shared')
})

test('a repository without commits is empty everywhere, and its first commit makes the branch', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a', { initialCommit: false })
  const info = await getJson(hub, null, '/api/models/alice/a')
  expect(info).toMatchObject({ id: 'alice/a', siblings: [] })
  expect(info).not.toHaveProperty('sha')
  expect(await getJson(hub, null, '/api/models/alice/a/tree/main')).toEqual([])
  expect(await getJson(hub, null, '/api/models/alice/a/refs')).toMatchObject({ branches: [], tags: [] })
  await expectRefusal(await hub.fetch(null, '/alice/a/resolve/main/x.txt'), 'RevisionNotFound')
  await expectRefusal(await hub.fetch(null, '/api/models/alice/a/tree/dev'), 'RevisionNotFound')
  const files = [{ path: 'x.txt', size: 3, sample: 'YWJj' }]
  expect(await getJson(hub, 'alice', '/api/models/alice/a/preupload/main', post({ files }))).toMatchObject({
    files: [{ path: 'x.txt', uploadMode: 'regular' }],
  })
  const oid = await commit(hub, 'alice', 'alice/a', [file('x.txt', 'abc')])
  expect(await headOf(hub, null, 'alice/a')).toBe(oid)
  expect(await getJson(hub, null, '/api/models/alice/a/commits/main')).toHaveLength(1)
  await createRepo(hub, 'alice', 'alice/empty', { initialCommit: false })
  await commit(hub, 'alice', 'alice/empty', [])
  expect(await getJson(hub, null, '/api/models/alice/empty/tree/main')).toEqual([])
  const both = { name: 'z', initialCommit: false, license: 'mit' }
  await expectRefusal(await hub.fetch('alice', '/api/repos/create', post(both)), 'BadRequest')
})

test('lfsmultipartthresh makes uploads of that repository come in parts', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a', { lfsmultipartthresh: 3 })
  const transfer = async (size: number) =>
    (await batch(hub, 'alice', 'alice/a', 'upload', [{ oid: 'a'.repeat(64), size }])).transfer
  expect(await transfer(3)).toBe('basic')
  expect(await transfer(4)).toBe('multipart')
})
