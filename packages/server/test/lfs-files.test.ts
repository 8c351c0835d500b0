/** What a repository holds in LFS: listed, deleted for good, taken over from other repositories. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { makeRepo, type HistoryRepo } from './history-repo.ts'

let hub: TestHub
beforeAll(async () => void (hub = await startHub()))
afterAll(() => hub[Symbol.asyncDispose]())

interface LfsFile {
  fileOid: string
  filename: string
  oid: string
  pushedAt: string
  size: number
  ref?: string
}

const status = (response: Response) => response.status
const purge = (repo: HistoryRepo, oids: string[], rewriteHistory: boolean, account?: 'bob' | 'reader') =>
  repo.call('POST', '/lfs-files/batch', { deletions: { sha: oids, rewriteHistory } }, account)
const repoRow = async (name: string, namespace = 'alice') => {
  const row = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', namespace, name)
  if (row === null) throw new Error(`no ${name}`)
  return row
}

describe('the list', () => {
  test('names what any commit of any branch names, and what none names any more', async () => {
    const repo = await makeRepo(hub, 'alice/listed')
    const [early, late, side, orphan] = await Promise.all(
      ['early', 'late', 'side', 'orphan'].map((text) => repo.upload(text)),
    )
    await repo.commit({ 'old/model.bin': early! })
    await repo.commit({ 'old/model.bin': late! })
    await repo.call('POST', '/branch/side', {})
    await repo.commit({ 'side.bin': side! }, { revision: 'side' })
    const files = await repo.json<LfsFile[]>('/lfs-files')
    const byOid = Object.fromEntries(files.map((file) => [file.oid, file]))
    expect(files.map(({ oid }) => oid)).toEqual(
      [early!, late!, side!, orphan!].map(({ oid }) => oid).toSorted(),
    )
    expect(byOid[early!.oid]).toMatchObject({ filename: 'old/model.bin', size: 5, ref: 'refs/heads/main' })
    expect(byOid[side!.oid]).toMatchObject({ filename: 'side.bin' })
    expect(byOid[side!.oid]).not.toHaveProperty('ref')
    expect(byOid[orphan!.oid]).toMatchObject({ filename: orphan!.oid })
    for (const file of files) expect(file.pushedAt).toMatch(/^\d{4}-.*\.\d{3}Z$/)

    const paged: LfsFile[] = []
    let url: string | undefined = '/lfs-files?limit=3'
    while (url !== undefined) {
      const response: Response = await repo.call('GET', url)
      paged.push(...((await response.json()) as LfsFile[]))
      url = /<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1]?.slice(hub.url.length)
    }
    expect(paged).toEqual(files)
  })

  test('is for those who may write', async () => {
    const repo = await makeRepo(hub, 'alice/listed-for-me')
    expect(status(await repo.call('GET', '/lfs-files', undefined, 'bob'))).toBe(403)
    expect(status(await repo.call('GET', '/lfs-files', undefined, 'reader'))).toBe(403)
    expect(status(await repo.call('GET', '/lfs-files', undefined, null))).toBe(401)
  })
})

describe('a purge', () => {
  test('takes pointers out of every branch and tag, and leaves everything else as it was', async () => {
    const repo = await makeRepo(hub, 'alice/purged')
    const [secret, kept] = await Promise.all(['secret', 'kept'].map((text) => repo.upload(text)))
    const before = await repo.commit({ 'a.txt': 'a\n' }, { summary: 'before' })
    await repo.commit({ 'deep/er/secret.bin': secret!, 'kept.bin': kept! }, { summary: 'with it' })
    await repo.call('POST', '/tag/main', { tag: 'v1', message: 'Annotated' })
    await repo.call('POST', '/branch/side', {})
    const moved = await repo.commit(
      { 'moved.bin': secret!, 'deep/er/secret.bin': null },
      { summary: 'moved' },
    )
    await repo.commit({ 'c.txt': 'c\n' }, { summary: 'after', revision: 'side' })
    const messages = async (revision: string) =>
      (await repo.json<{ title: string; date: string }[]>(`/commits/${revision}`)).map(({ title, date }) => [
        title,
        date,
      ])
    const histories = await Promise.all(['main', 'side', 'v1'].map(messages))

    expect(status(await purge(repo, [secret!.oid, 'f'.repeat(64)], true))).toBe(200)

    expect(await Promise.all(['main', 'side', 'v1'].map(messages))).toEqual(histories)
    const paths = async (revision: string) =>
      (await repo.json<{ path: string }[]>(`/tree/${revision}?recursive=1`)).map(({ path }) => path)
    expect(await paths('main')).toEqual(['.gitattributes', 'a.txt', 'kept.bin'])
    expect(await paths('side')).toEqual(['.gitattributes', 'a.txt', 'c.txt', 'kept.bin'])
    expect(await paths('v1')).toEqual(['.gitattributes', 'a.txt', 'kept.bin'])
    const main = await repo.json<{ id: string }[]>('/commits/main')
    expect(main.map(({ id }) => id)).toContain(before)
    expect(main.map(({ id }) => id)).not.toContain(moved)
    expect((await repo.json<LfsFile[]>('/lfs-files')).map(({ oid }) => oid)).toEqual([kept!.oid])
    expect(await (await hub.fetch('alice', '/alice/purged/resolve/main/kept.bin')).text()).toBe('kept')
    // The old commit is still in git until it is pruned, but what it pointed at is gone.
    expect(status(await hub.fetch('alice', `/alice/purged/resolve/${moved}/moved.bin`))).toBe(404)
    const row = await repoRow('purged')
    expect(await hub.hub.ops.git.fsck(row.id)).toEqual([])
    const refs = await hub.hub.ops.catalog.rows.refs.list(row.id)
    expect((await hub.hub.ops.git.listRefs(row.id)).toSorted(byName)).toEqual(
      refs.map(({ name, oid }) => ({ name, oid })).toSorted(byName),
    )
    const audit = await hub.hub.ops.catalog.rows.audit.list({ repoId: row.id, limit: 5 })
    expect(audit.map(({ action }) => action)).toEqual(expect.arrayContaining(['lfs.purge', 'ref.rewrite']))
    expect(status(await purge(repo, [secret!.oid], true))).toBe(200)
  })

  test('without rewriting, history stays and the content is gone', async () => {
    const repo = await makeRepo(hub, 'alice/emptied')
    const file = await repo.upload('short-lived')
    const oid = await repo.commit({ 'm.bin': file })
    expect(status(await repo.call('DELETE', `/lfs-files/${file.oid}`))).toBe(200)
    expect((await repo.json<{ id: string }[]>('/commits/main'))[0]?.id).toBe(oid)
    const gone = await hub.fetch('alice', '/alice/emptied/resolve/main/m.bin')
    expect([gone.status, gone.headers.get('x-error-code')]).toEqual([404, 'EntryNotFound'])
    expect(await repo.json('/lfs-files')).toEqual([])
    await repo.commit({ 'm.bin': await repo.upload('short-lived') })
    expect(await (await hub.fetch('alice', '/alice/emptied/resolve/main/m.bin')).text()).toBe('short-lived')
  })

  test('a published version keeps what it needs', async () => {
    const repo = await makeRepo(hub, 'alice/published')
    const file = await repo.upload('published')
    const oid = await repo.commit({ 'm.bin': file })
    const { id } = await repoRow('published')
    const retained = { repoId: id, oid, reason: 'registry', createdAt: 1 }
    await hub.hub.ops.catalog.tx((rows) => rows.retained.insert(retained))
    await repo.commit({ 'm.bin': null })
    for (const rewrite of [true, false]) expect(status(await purge(repo, [file.oid], rewrite))).toBe(409)
    expect(await (await hub.fetch('alice', `/alice/published/resolve/${oid}/m.bin`)).text()).toBe('published')
  })

  test('another repository of the owner keeps the same content', async () => {
    const [one, two] = [await makeRepo(hub, 'alice/twin-one'), await makeRepo(hub, 'alice/twin-two')]
    const file = await one.upload('twins')
    await one.commit({ 'm.bin': file })
    await two.commit({ 'm.bin': await two.upload('twins') })
    expect(status(await purge(one, [file.oid], true))).toBe(200)
    expect(await (await hub.fetch('alice', '/alice/twin-two/resolve/main/m.bin')).text()).toBe('twins')
  })

  test.each([
    ['nothing', {}],
    ['too many', { deletions: { sha: Array.from({ length: 1001 }, () => 'a'.repeat(64)) } }],
    ['no hashes', { deletions: { sha: ['../../etc/passwd'], rewriteHistory: true } }],
    ['another type', { deletions: { sha: 'a'.repeat(64), rewriteHistory: true } }],
  ])('a body with %s is refused', async (_, body) => {
    const repo = await makeRepo(hub, `alice/refused-${Math.abs(JSON.stringify(body).length)}`)
    expect(status(await repo.call('POST', '/lfs-files/batch', body))).toBe(400)
  })

  test('a stranger and a read token are refused', async () => {
    const repo = await makeRepo(hub, 'alice/not-yours')
    const file = await repo.upload('mine')
    await repo.commit({ 'm.bin': file })
    expect(status(await purge(repo, [file.oid], true, 'bob'))).toBe(403)
    expect(status(await purge(repo, [file.oid], false, 'reader'))).toBe(403)
    expect(status(await purge(repo, [], true, 'bob'))).toBe(403)
    expect(await (await hub.fetch(null, '/alice/not-yours/resolve/main/m.bin')).text()).toBe('mine')
  })
})

describe('a duplicate', () => {
  const duplicate = (from: HistoryRepo, name: string, oids: string[], account?: 'bob' | 'reader') =>
    from.call(
      'POST',
      '/lfs-files/duplicate',
      {
        target: { type: 'model', name },
        files: oids.map((sha256) => ({ sha256, xetHash: '0'.repeat(64), filename: 'm.bin' })),
      },
      account,
    )

  test('goes to the same owner and to another one, and says what could not go', async () => {
    const source = await makeRepo(hub, 'alice/source')
    const file = await source.upload('to be shared')
    await source.commit({ 'm.bin': file })
    const unknown = 'e'.repeat(64)
    for (const [id, account] of [
      ['alice/near', 'alice'],
      ['bob/far', 'bob'],
    ] as const) {
      const target = await makeRepo(hub, id, { account })
      const call = await duplicate(source, id, [file.oid, unknown, file.oid], account as 'bob')
      expect(await call.json()).toEqual({
        failed: [{ sha256: unknown, error: 'alice/source has no such file' }],
      })
      await target.commit({ 'copy.bin': file })
      expect(await (await hub.fetch(null, `/${id}/resolve/main/copy.bin`)).text()).toBe('to be shared')
      expect(await (await duplicate(source, id, [file.oid], account as 'bob')).json()).toEqual({ failed: [] })
    }
    // Each owner has bytes of their own: one purge does not touch the other.
    expect(status(await purge(source, [file.oid], true))).toBe(200)
    expect(await (await hub.fetch(null, '/bob/far/resolve/main/copy.bin')).text()).toBe('to be shared')
  })

  test('needs the right to read here and to write there, and tells nothing of what is hidden', async () => {
    const secret = await makeRepo(hub, 'alice/hidden', { private: true })
    const file = await secret.upload('hidden content')
    await secret.commit({ 'm.bin': file })
    const open = await makeRepo(hub, 'alice/open')
    const mine = await makeRepo(hub, 'bob/mine', { account: 'bob' })
    expect(status(await duplicate(secret, 'bob/mine', [file.oid], 'bob'))).toBe(404)
    expect(status(await duplicate(open, 'alice/open', [file.oid], 'bob'))).toBe(403)
    expect(status(await duplicate(mine, 'alice/hidden', [file.oid], 'bob'))).toBe(404)
    expect(status(await duplicate(open, 'alice/open', [file.oid], 'reader'))).toBe(403)
    // Known to the owner's domain, but not to this repository.
    expect(await (await duplicate(open, 'bob/mine', [file.oid], 'bob')).json()).toMatchObject({
      failed: [{ sha256: file.oid }],
    })
  })

  test('of bytes that have rotted fails and leaves nothing', async () => {
    const source = await makeRepo(hub, 'alice/rotten')
    const file = await source.upload('about to rot')
    await source.commit({ 'm.bin': file })
    const { blobs } = hub.hub.ops
    for await (const { key } of blobs.list('lfs/'))
      if (key.endsWith(file.oid)) {
        await blobs.delete(key)
        await using staged = await blobs.stage()
        await staged.append(new TextEncoder().encode('about to ROT'))
        await staged.commit(key)
      }
    const target = await makeRepo(hub, 'bob/not-rotten', { account: 'bob' })
    const call = await duplicate(source, 'bob/not-rotten', [file.oid], 'bob')
    expect(await call.json()).toMatchObject({ failed: [{ sha256: file.oid }] })
    expect(await target.json('/lfs-files')).toEqual([])
  })

  test.each([
    ['no target', { files: [] }],
    ['a target that is a path', { target: { type: 'model', name: '../x/y' }, files: [] }],
    ['a target of an unknown type', { target: { type: 'kernel', name: 'alice/x' }, files: [] }],
    ['a hash that is none', { target: { name: 'alice/x' }, files: [{ sha256: 'x' }] }],
    [
      'too many files',
      { target: { name: 'alice/x' }, files: Array.from({ length: 501 }, () => ({ sha256: 'a'.repeat(64) })) },
    ],
  ])('with %s is refused', async (what, body) => {
    const repo = await makeRepo(hub, `alice/dup-${what.replaceAll(' ', '-')}`)
    expect(status(await repo.call('POST', '/lfs-files/duplicate', body))).toBe(400)
  })
})

function byName(one: { name: string }, other: { name: string }): number {
  return one.name < other.name ? -1 : 1
}
