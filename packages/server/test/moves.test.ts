/** Renames and transfers: the old name leads on until it is somebody's, and contents stay reachable. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { batchBody, commit, createRepo, file, getJson, headOf, lfsFile, uploadLfs } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { expectRefusal, post } from './refusal.ts'
import { casAccess, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

type Account = Parameters<TestHub['fetch']>[0]

const move = (hub: TestHub, account: Account, fromRepo: string, toRepo: string, type = 'model') =>
  hub.fetch(account, '/api/repos/move', post({ fromRepo, toRepo, type }))

async function moved(hub: TestHub, fromRepo: string, toRepo: string): Promise<void> {
  const answer = await move(hub, 'alice', fromRepo, toRepo)
  expect(await answer.json()).toEqual({ url: `${hub.url}/${toRepo}` })
}

const text = async (hub: TestHub, account: Account, path: string) => (await hub.fetch(account, path)).text()

test('every address under the old name leads to the new one, relative, with its query', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a')
  await commit(hub, 'alice', 'alice/a', [file('x.txt', 'hello')])
  await moved(hub, 'alice/a', 'alice/b')
  const object = { oid: '0'.repeat(64), size: 1 }
  for (const [path, location, init] of [
    ['/api/models/alice/a', '/api/models/alice/b', {}],
    [
      '/api/models/ALICE/A/tree/main?recursive=true&expand=1',
      '/api/models/alice/b/tree/main?recursive=true&expand=1',
      {},
    ],
    ['/alice/a/resolve/main/x.txt?download=true', '/alice/b/resolve/main/x.txt?download=true', {}],
    ['/alice/a/resolve/main/x.txt', '/alice/b/resolve/main/x.txt', { method: 'HEAD' }],
    ['/alice/a/raw/main/x%3Fy.txt', '/alice/b/raw/main/x%3Fy.txt', {}],
    ['/models/alice/a/resolve/main/x.txt', '/alice/b/resolve/main/x.txt', {}],
    [
      '/alice/a.git/info/lfs/objects/batch',
      '/alice/b.git/info/lfs/objects/batch',
      batchBody('upload', [object]),
    ],
    ['/api/models/alice/a/xet-read-token/main', '/api/models/alice/b/xet-read-token/main', {}],
  ] as [string, string, RequestInit][]) {
    const answer = await hub.fetch('alice', path, { ...init, redirect: 'manual' })
    expect([path, answer.status, answer.headers.get('Location')]).toEqual([path, 307, location])
    const body = await answer.text()
    expect(body).toBe(init.method === 'HEAD' ? '' : `Temporary Redirect. Redirecting to ${location}`)
  }
  expect(await text(hub, null, '/alice/a/resolve/main/x.txt')).toBe('hello')
  await commit(hub, 'alice', 'alice/a', [file('y.txt', 'by the old name')])
  expect(await text(hub, null, '/alice/b/resolve/main/y.txt')).toBe('by the old name')
  expect(await headOf(hub, null, 'alice/a')).toBe(await headOf(hub, null, 'alice/b'))
})

test('chains and circles of renames end at the repository, and a taken name leads nowhere else', async () => {
  await using hub = await startHub()
  const { _id: id } = await (async () => {
    await createRepo(hub, 'alice', 'alice/a')
    return getJson(hub, 'alice', '/api/models/alice/a')
  })()
  const idAt = async (name: string) => (await getJson(hub, 'alice', `/api/models/alice/${name}`))['_id']
  for (const [from, to] of ['a b', 'b c', 'c a', 'a A', 'A b', 'b a', 'a a'].map((pair) => pair.split(' ')))
    await moved(hub, `alice/${from}`, `alice/${to}`)
  for (const name of ['a', 'b', 'c']) expect(await idAt(name)).toBe(id)
  expect(await getJson(hub, 'alice', '/api/models/alice/A')).toMatchObject({ id: 'alice/a' })

  await createRepo(hub, 'alice', 'alice/B')
  expect(await idAt('b')).not.toBe(id)
  await hub.fetch('alice', '/api/repos/delete', { ...post({ name: 'b' }), method: 'DELETE' })
  await expectRefusal(await hub.fetch('alice', '/api/models/alice/b'), 'RepoNotFound')
  expect(await idAt('c')).toBe(id)
  // By an old name nothing is deleted or renamed.
  const deletion = { ...post({ name: 'c' }), method: 'DELETE' }
  await expectRefusal(await hub.fetch('alice', '/api/repos/delete', deletion), 'RepoNotFound')
  await expectRefusal(await move(hub, 'alice', 'alice/c', 'alice/d'), 'RepoNotFound')
})

test('an existing name is 409 with its address, in any case, and nothing changes', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a')
  await createRepo(hub, 'alice', 'alice/b')
  await createRepo(hub, 'bob', 'bob/c', { private: true })
  await expectUnchanged(hub, async () => {
    expect(await expectRefusal(await move(hub, 'alice', 'alice/a', 'alice/B'), 'Conflict')).toMatchObject({
      url: `${hub.url}/alice/b`,
    })
    await expectRefusal(await move(hub, 'alice', 'alice/a', 'bob/a'), 'Forbidden')
    await expectRefusal(await move(hub, 'bob', 'alice/a', 'bob/a'), 'Forbidden')
    await expectRefusal(await move(hub, 'alice', 'bob/c', 'alice/c'), 'RepoNotFound')
    await expectRefusal(await move(hub, 'reader', 'alice/a', 'alice/z'), 'Forbidden')
    await expectRefusal(await move(hub, null, 'alice/a', 'alice/z'), 'Unauthenticated')
    await expectRefusal(await move(hub, 'alice', 'alice/a', 'nobody/z'), 'Forbidden')
    for (const bad of ['alice/a--b', 'alice/x.git', 'alice', 'alice/b/c', 'alice/'])
      await expectRefusal(await move(hub, 'alice', 'alice/a', bad), 'BadRequest')
    await expectRefusal(await move(hub, 'alice', 'alice/a', 'alice/z', 'bucket'), 'NotImplemented')
  })
})

test('of moves at once onto one name one wins, and of moves of one repository each is told the truth', async () => {
  await using hub = await startHub()
  const names = ['a', 'b', 'c', 'd', 'e']
  for (const name of names) await createRepo(hub, 'alice', `alice/${name}`)
  const onto = await Promise.all(names.map((name) => move(hub, 'alice', `alice/${name}`, 'alice/one')))
  expect(onto.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409, 409, 409, 409])
  const away = await Promise.all(names.map((name) => move(hub, 'alice', 'alice/one', `alice/to-${name}`)))
  expect(away.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404, 404, 404, 404])
})

test('a private repository is as absent under its old name as under its new one', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a', { private: true })
  await commit(hub, 'alice', 'alice/a', [file('x.txt', 'secret')])
  await moved(hub, 'alice/a', 'alice/b')
  for (const name of ['a', 'b']) {
    for (const path of [`/api/models/alice/${name}`, `/alice/${name}/resolve/main/x.txt`]) {
      await expectRefusal(await hub.fetch('bob', path, { redirect: 'manual' }), 'RepoNotFound')
      await expectRefusal(await hub.fetch(null, path, { redirect: 'manual' }), {
        code: 'RepoNotFound',
        status: 401,
      })
    }
  }
  // Served at once: huggingface_hub 0.19 loses its token on a redirect.
  const direct = await hub.fetch('alice', '/alice/a/resolve/main/x.txt', { redirect: 'manual' })
  expect([direct.status, await direct.text()]).toEqual([200, 'secret'])
})

test('what has moved to an organization is its own, and all its contents are there, old and new', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a', { private: true })
  await uploadLfs(hub, 'alice', 'alice/a', 'large one')
  const before = await casAccess(hub, 'alice', 'alice/a', 'write')
  const made = makeXetFile(1)
  await uploadXet(before, made)
  await commit(hub, 'alice', 'alice/a', [lfsFile('l.bin', 'large one'), xetLine('x.bin', made)])
  await moved(hub, 'alice/a', 'acme/a')

  expect(await text(hub, 'alice', '/acme/a/resolve/main/l.bin')).toBe('large one')
  const x = await hub.fetch('alice', '/alice/a/resolve/main/x.bin')
  expect(Buffer.from(await x.arrayBuffer()).equals(Buffer.from(made.content))).toBe(true)
  const read = await casAccess(hub, 'alice', 'acme/a', 'read')
  const plan = (await (await read.fetch(`/v1/reconstructions/${made.hash}`)).json()) as {
    fetch_info: Record<string, { url: string; url_range: { start: number; end: number } }[]>
  }
  const [part] = Object.values(plan.fetch_info).flat()
  const { start, end } = part!.url_range
  const bytes = await fetch(part!.url, { headers: { Range: `bytes=${start}-${end}` } })
  expect(bytes.status).toBe(206)
  await bytes.arrayBuffer()

  // A token of the earlier domain is of no use; the new domain does not know the xorb.
  expect((await before.fetch(`/v1/reconstructions/${made.hash}`)).status).toBe(403)
  const write = await casAccess(hub, 'alice', 'acme/a', 'write')
  expect(write.casUrl).not.toBe(before.casUrl)
  await uploadXet(write, made)
  await uploadXet(write, makeXetFile(2))
  await uploadLfs(hub, 'alice', 'acme/a', 'large two')
  await commit(hub, 'alice', 'acme/a', [lfsFile('m.bin', 'large two'), xetLine('y.bin', makeXetFile(2))])
  for (const name of ['l.bin', 'm.bin', 'x.bin', 'y.bin'])
    expect((await hub.fetch('alice', `/acme/a/resolve/main/${name}`)).status).toBe(200)
})

test('an upload that a rename overtakes arrives', async () => {
  await using hub = await startHub()
  await createRepo(hub, 'alice', 'alice/a')
  const object = { oid: (await import('./client.ts')).sha256('late'), size: 4 }
  const { objects } = await getJson<{ objects: { actions: { upload: { href: string } } }[] }>(
    hub,
    'alice',
    '/alice/a.git/info/lfs/objects/batch',
    batchBody('upload', [object]),
  )
  await moved(hub, 'alice/a', 'alice/b')
  const href = objects[0]!.actions.upload.href
  expect((await fetch(href, { method: 'PUT', body: 'late' })).status).toBe(200)
  await commit(hub, 'alice', 'alice/b', [lfsFile('l.bin', 'late')])
})
