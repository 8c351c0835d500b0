/** Fine-grained tokens: what their grants name and their account may, and nothing else (hub-api.md §2.1). */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { batchBody, commitBody, createRepo, file, getJson } from './client.ts'
import { expectRefusal, post } from './refusal.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  for (const name of ['open', 'one', 'two'])
    await createRepo(hub, 'alice', `acme/${name}`, { private: name !== 'open' })
  await createRepo(hub, 'bob', 'bob/secret', { private: true })
})
afterAll(() => hub[Symbol.asyncDispose]())

let made = 0

/** A token of alice with these scopes. */
async function grant(scopes: readonly string[]): Promise<string> {
  const body = { name: `fine ${made++}`, role: 'fineGrained', scopes }
  const { token } = await getJson<{ token: string }>(hub, 'alice', '/api/settings/tokens', post(body))
  return token
}

function as(token: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set('Authorization', `Bearer ${token}`)
  return hub.fetch(null, path, { ...init, headers })
}

const change = () => commitBody([file('x.txt', 'x')])
const upload = () => batchBody('upload', [{ oid: 'a'.repeat(64), size: 1 }])

/** What a token may do to a repository, route by route: its status there. */
async function reach(token: string, id: string): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {}
  for (const [what, path, init] of [
    ['info', `/api/models/${id}`],
    ['resolve', `/${id}/resolve/main/.gitattributes`],
    ['xet read', `/api/models/${id}/xet-read-token/main`],
    ['xet write', `/api/models/${id}/xet-write-token/main`],
    ['lfs upload', `/${id}.git/info/lfs/objects/batch`, upload()],
    ['commit', `/api/models/${id}/commit/main`, change()],
    ['tag', `/api/models/${id}/tag/main`, post({ tag: `t${made++}` })],
  ] as [string, string, RequestInit?][]) {
    const answer = await as(token, path, init)
    await answer.arrayBuffer()
    statuses[what] = answer.status
  }
  return statuses
}

const READ = { info: 200, resolve: 200, 'xet read': 200 }
const all = (write: number, read = 200) => ({
  ...(read === 200 ? READ : { info: read, resolve: read, 'xet read': read }),
  'xet write': write,
  'lfs upload': write,
  commit: write,
  tag: write,
})

test.each([
  ['one repository to write', ['acme/one=repo.write'], { open: all(403), one: all(200), two: all(404, 404) }],
  [
    'one repository to read',
    ['acme/one=repo.content.read'],
    { open: all(403), one: all(403), two: all(404, 404) },
  ],
  ['an organization to read', ['acme=repo.content.read'], { one: all(403), two: all(403) }],
  ['an organization to write', ['acme=repo.write'], { one: all(200), two: all(200) }],
  ['everything to read', ['*=repo.content.read'], { one: all(403), open: all(403) }],
  ['another permission', ['acme=discussion.write'], { open: all(403), one: all(404, 404) }],
  ['another type of that name', ['alice=repo.write'], { open: all(403), one: all(404, 404) }],
])('granted %s', async (_what, scopes, expected) => {
  const token = await grant(scopes)
  for (const [name, statuses] of Object.entries(expected))
    expect([name, await reach(token, `acme/${name}`)]).toEqual([name, statuses])
})

test('a refusal names the permission; a hidden repository is refused like a missing one', async () => {
  const token = await grant(['acme/one=repo.content.read'])
  const refused = await expectRefusal(
    await as(token, '/api/models/acme/one/commit/main', change()),
    'Forbidden',
  )
  expect(refused['error']).toContain("'repo.write' on acme/one")
  const texts = ['two', 'none'].map(async (name) => {
    const { error } = await expectRefusal(await as(token, `/api/models/acme/${name}`), 'RepoNotFound')
    return String(error).replace(name, '')
  })
  const [hidden, missing] = await Promise.all(texts)
  expect(hidden).toBe(missing)
  expect(hidden).toContain("'repo.content.read'")
  const created = await as(token, '/api/repos/create', post({ name: 'new', organization: 'acme' }))
  expect((await expectRefusal(created, 'Forbidden'))['error']).toContain("'repo.write' on acme")
})

test('an organization can be written to make repositories in it, one repository cannot', async () => {
  const wide = await grant(['acme=repo.write'])
  expect((await as(wide, '/api/repos/create', post({ name: 'made', organization: 'acme' }))).status).toBe(200)
  expect((await as(wide, '/api/repos/create', post({ name: 'made' }))).status).toBe(403)
  const narrow = await grant(['acme/one=repo.write'])
  expect((await as(narrow, '/api/repos/create', post({ name: 'mine', organization: 'acme' }))).status).toBe(
    403,
  )
})

test('a grant gives nothing that the account has not', async () => {
  const token = await grant(['*=repo.write', 'bob=repo.write'])
  expect(await reach(token, 'bob/secret')).toEqual(all(404, 404))
  const named = post({ name: 'oracle', role: 'fineGrained', scopes: ['bob/secret=repo.write'] })
  await expectRefusal(await hub.fetch('alice', '/api/settings/tokens', named), 'RepoNotFound')
})

test('a CAS token ends with the grants of its token', async () => {
  const token = await grant(['acme/one=repo.write'])
  const cas = (await (await as(token, '/api/models/acme/one/xet-write-token/main')).json()) as {
    accessToken: string
    casUrl: string
  }
  const ask = () =>
    fetch(`${cas.casUrl}/v1/reconstructions/${'0'.repeat(64)}`, {
      headers: { Authorization: `Bearer ${cas.accessToken}` },
    })
  expect((await ask()).status).toBe(404)
  expect((await as(token, `/api/settings/tokens/fine ${made - 1}`, { method: 'DELETE' })).status).toBe(200)
  expect((await ask()).status).toBe(403)
})

test("a repository that takes a deleted one's name does not inherit its tokens", async () => {
  await createRepo(hub, 'alice', 'acme/phoenix', { private: true })
  const token = await grant(['acme/phoenix=repo.write'])
  expect((await as(token, '/api/models/acme/phoenix')).status).toBe(200)
  const gone = post({ name: 'phoenix', organization: 'acme' }, 'DELETE')
  expect((await hub.fetch('alice', '/api/repos/delete', gone)).status).toBe(200)
  await createRepo(hub, 'alice', 'acme/phoenix', { private: true })
  expect((await as(token, '/api/models/acme/phoenix')).status).toBe(404)
})

test('whoami shows the grants as the Hub does', async () => {
  const token = await grant([
    'acme=repo.write,discussion.write',
    '*=post.write',
    'acme/one=repo.content.read',
  ])
  const { auth } = (await (await as(token, '/api/whoami-v2')).json()) as { auth: { accessToken: object } }
  expect(auth.accessToken).toMatchObject({
    role: 'fineGrained',
    fineGrained: {
      canReadGatedRepos: false,
      global: ['post.write'],
      scoped: [
        { entity: { type: 'org', name: 'acme' }, permissions: ['repo.write', 'discussion.write'] },
        { entity: { type: 'model', name: 'acme/one' }, permissions: ['repo.content.read'] },
      ],
    },
  })
})

test.each([
  ['no grants', {}],
  ['an unknown permission', { scopes: ['acme=repo.wirte'] }],
  ['no permission', { scopes: ['acme='] }],
  ['no such account', { scopes: ['nobody=repo.write'] }],
  ['grants of another role', { role: 'write', scopes: ['acme=repo.write'] }],
  ['an end in the past', { scopes: ['acme=repo.write'], expiresAt: '2001-01-01T00:00:00Z' }],
])('a token is not made with %s', async (_what, fields) => {
  const before = await getJson(hub, 'alice', '/api/settings/tokens')
  const body = { name: 'wrong', role: 'fineGrained', ...fields }
  const answer = await hub.fetch('alice', '/api/settings/tokens', post(body))
  expect([400, 404]).toContain(answer.status)
  expect(await getJson(hub, 'alice', '/api/settings/tokens')).toEqual(before)
})
