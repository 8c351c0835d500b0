/**
 * Private means absent: whoever may not read a repository gets, on every route, the answer of one that does not exist.
 * The routes come from the hub's own table.
 */
import { REPO_TYPES } from '@cairn/protocol/repo-id'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { batch, commit, commitBody, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { expectRefusal, post } from './refusal.ts'
import { repoRequests } from './repo-routes.ts'
import { casAccess, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

// Of one length, so that Content-Length must be the same, too.
const HIDDEN = 'alice/secret'
const MISSING = 'alice/absent'
const FILE = makeXetFile(9)

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  for (const type of REPO_TYPES)
    await createRepo(hub, 'alice', HIDDEN, { type, sdk: 'static', private: true })
  await uploadLfs(hub, 'alice', HIDDEN, 'secret weights')
  await uploadXet(await casAccess(hub, 'alice', HIDDEN, 'write'), FILE)
  await commit(hub, 'alice', HIDDEN, [
    file('README.md', 'secret'),
    lfsFile('model.bin', 'secret weights'),
    xetLine('model.safetensors', FILE),
  ])
})
afterAll(() => hub[Symbol.asyncDispose]())

async function seen(as: 'bob' | null, path: string, init: RequestInit): Promise<object> {
  const answer = await hub.fetch(as, path, init)
  const text = await answer.text()
  const headers = Object.fromEntries(answer.headers)
  for (const varying of ['date', 'x-request-id']) delete headers[varying]
  // git-lfs finds the request's id in the body.
  const id = answer.headers.get('X-Request-Id') ?? ''
  const generic = (value: string) => value.replaceAll(id, '*').replaceAll(/secret|absent/g, '*')
  return JSON.parse(generic(JSON.stringify({ status: answer.status, headers, text }))) as object
}

describe.each(REPO_TYPES)('a private %s', (type) => {
  test.each(repoRequests(type))('$name', async ({ path, init }) => {
    await expectUnchanged(hub, async () => {
      for (const as of ['bob', null] as const) {
        const hidden = await seen(as, path(HIDDEN), init())
        expect(hidden).toEqual(await seen(as, path(MISSING), init()))
        expect(hidden).toMatchObject({ status: as === null ? 401 : 404 })
      }
    })
  })

  test.each(['HEAD', 'GET'])('%s of a file that is there and of one that is not', async (method) => {
    const base = type === 'model' ? '' : `/${type}s`
    for (const as of ['bob', null] as const)
      for (const rest of ['main/.gitattributes', 'main/none', 'none/x'])
        expect(await seen(as, `${base}/${HIDDEN}/resolve/${rest}`, { method })).toEqual(
          await seen(as, `${base}/${MISSING}/resolve/${rest}`, { method }),
        )
  })
})

test('deleting or creating it says nothing, either', async () => {
  const body = (name: string) => ({ name, organization: 'alice' })
  await expectUnchanged(hub, async () => {
    for (const as of ['bob', null] as const)
      for (const [path, method] of [
        ['/api/repos/delete', 'DELETE'],
        ['/api/repos/create', 'POST'],
      ] as const)
        expect(await seen(as, path, post(body('secret'), method))).toEqual(
          await seen(as, path, post(body('absent'), method)),
        )
  })
})

test('a signed address that does not fit says the same for both', async () => {
  const query = `size=14&expires=99999999999&signature=${'A'.repeat(32)}`
  const oid = sha256('secret weights')
  for (const method of ['PUT', 'GET']) {
    const init = method === 'PUT' ? { method, body: 'secret weights' } : { method }
    const at = (id: string) => `/${id}.git/info/lfs/objects/${oid}?${query}`
    expect(await seen(null, at(HIDDEN), init)).toEqual(await seen(null, at(MISSING), init))
  }
})

test('its hashes open nothing in a repository of a stranger', async () => {
  await createRepo(hub, 'bob', 'bob/own')
  const cas = await casAccess(hub, 'bob', 'bob/own', 'write')
  const { objects } = await batch(hub, 'bob', 'bob/own', 'download', [
    { oid: sha256('secret weights'), size: 14 },
    { oid: FILE.sha256, size: FILE.content.length },
  ])
  expect(objects.map(({ error }) => error?.code)).toEqual([404, 404])
  await expectRefusal(await cas.fetch(`/v1/reconstructions/${FILE.hash}`), 'NotFound')
  await expectRefusal(await cas.fetch(`/v2/reconstructions/${FILE.hash}`), 'NotFound')
  for (const line of [lfsFile('x', 'secret weights'), xetLine('x', FILE)])
    await expectRefusal(
      await hub.fetch('bob', '/api/models/bob/own/commit/main', commitBody([line])),
      'BadRequest',
    )
})

test('its owner sees it, also with a token that may only read', async () => {
  for (const as of ['alice', 'reader'] as const) {
    expect(await getJson(hub, as, `/api/models/${HIDDEN}`)).toMatchObject({ private: true })
    const answer = await hub.fetch(as, `/${HIDDEN}/resolve/main/model.bin`)
    expect(await answer.text()).toBe('secret weights')
  }
})

test('members of its organization see it, and nobody else', async () => {
  await createRepo(hub, 'alice', 'acme/inner', { private: true })
  expect((await hub.fetch('alice', '/api/models/acme/inner')).status).toBe(200)
  await expectRefusal(await hub.fetch('bob', '/api/models/acme/inner'), 'RepoNotFound')
  await hub.hub.ops.catalog.tx(async (rows) => {
    const [acme, bob] = [await rows.accounts.getByName('acme'), await rows.accounts.getByName('bob')]
    await rows.accounts.setMember({ orgId: acme?.id ?? '', userId: bob?.id ?? '', role: 'read' })
  })
  expect((await hub.fetch('bob', '/api/models/acme/inner')).status).toBe(200)
  const write = await hub.fetch('bob', '/api/models/acme/inner/commit/main', commitBody([file('a', 'a')]))
  await expectRefusal(write, 'Forbidden')
})

test('a file that was answered just now is absent as soon as the right to it ends', async () => {
  await createRepo(hub, 'alice', 'alice/open')
  await commit(hub, 'alice', 'alice/open', [file('a.txt', 'before')])
  const ask = async (as: 'bob' | 'alice' | null) => {
    const answer = await hub.fetch(as, '/alice/open/resolve/main/a.txt')
    return answer.ok ? answer.text() : answer.status
  }
  const askAll = async () => [await ask(null), await ask('bob'), await ask('alice')]
  const set = (settings: object) =>
    hub.fetch('alice', '/api/models/alice/open/settings', { ...post(settings), method: 'PUT' })
  expect(await askAll()).toEqual(['before', 'before', 'before'])
  expect((await set({ private: true })).status).toBe(200)
  // Often: jobs that follow the change end what is remembered, too.
  for (let time = 0; time < 20; time += 1) expect(await askAll()).toEqual([401, 404, 'before'])
  await commit(hub, 'alice', 'alice/open', [file('a.txt', 'after')])
  expect(await askAll()).toEqual([401, 404, 'after'])
  expect((await set({ private: false })).status).toBe(200)
  expect(await askAll()).toEqual(['after', 'after', 'after'])
  const gone = { ...post({ name: 'open', organization: 'alice', type: 'model' }), method: 'DELETE' }
  expect((await hub.fetch('alice', '/api/repos/delete', gone)).status).toBe(200)
  expect(await askAll()).toEqual([401, 404, 404])
})
