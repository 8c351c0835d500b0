/** Registries, prefixes and aliases: house.md §8, clients.md §0.1 and §4. Every address is absolute and keeps its prefix. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { batch, commitBody, createRepo, file, getJson, sha256 } from './client.ts'
import { expectRefusal, post, refuses } from './refusal.ts'

const PREFIX = '/acme/lab/huggingface'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  await hub.hub.ops.catalog.tx(async (rows) => {
    const acme = await rows.accounts.getByName('acme')
    await rows.registries.insert({ id: 'lab', orgId: acme?.id ?? '', slug: 'lab', createdAt: 0 })
  })
  await getJson(
    hub,
    'alice',
    `${PREFIX}/api/repos/create`,
    post({ name: 'tiny', organization: 'anybody', private: true }),
  )
})
afterAll(() => hub[Symbol.asyncDispose]())

const API = `${PREFIX}/api/models/anybody/tiny`

test('namespaces are free in a registry, and its organization owns what they hold', async () => {
  expect(await getJson(hub, 'alice', API)).toMatchObject({ id: 'anybody/tiny', author: 'anybody' })
  await expectRefusal(await hub.fetch('bob', API), 'RepoNotFound')
})

test('registries do not see one another', async () => {
  await expectRefusal(await hub.fetch('alice', '/api/models/anybody/tiny'), 'RepoNotFound')
  await createRepo(hub, 'alice', 'alice/here')
  await expectRefusal(await hub.fetch('alice', `${PREFIX}/api/models/alice/here`), 'RepoNotFound')
})

test('addresses carry host and prefix', async () => {
  const made = await getJson(
    hub,
    'alice',
    `${PREFIX}/api/repos/create`,
    post({ name: 'data', organization: 'x', type: 'dataset' }),
  )
  expect(made['url']).toBe(`${hub.url}${PREFIX}/datasets/x/data`)
  const model = await getJson(
    hub,
    'alice',
    `${PREFIX}/api/repos/create`,
    post({ name: 'model', organization: 'x' }),
  )
  // Without the word old clients take the last word of the prefix for the repository's type.
  expect(model['url']).toBe(`${hub.url}${PREFIX}/models/x/model`)

  const reply = await getJson(
    hub,
    'alice',
    `${API}/commit/main`,
    commitBody([file('a', '1'), file('b', '2')]),
  )
  expect(reply['commitUrl']).toBe(
    `${hub.url}${PREFIX}/models/anybody/tiny/commit/${String(reply['commitOid'])}`,
  )
  const token = await getJson(hub, 'alice', `${API}/xet-write-token/main`)
  expect(token['casUrl']).toMatch(new RegExp(`^${hub.url}${PREFIX}/cas/`))
  const page = await hub.fetch('alice', `${API}/tree/main?limit=1`)
  expect(page.headers.get('Link')).toMatch(new RegExp(`^<${hub.url}${API}/tree/main\\?[^>]+>; rel="next"$`))
  const next = /<([^>]+)>/.exec(page.headers.get('Link') ?? '')?.[1] ?? ''
  expect((await hub.fetch('alice', next.slice(hub.url.length))).status).toBe(200)
})

test('versions that raise over a commit that changes nothing are kept from finding out', async () => {
  const oidsFor = async (userAgent: string, api: string) => {
    const init = post({ files: [{ path: '.gitattributes', size: 1, sample: '' }] })
    const headers = { 'Content-Type': 'application/json', 'User-Agent': userAgent }
    const reply = await getJson(hub, 'alice', `${api}/preupload/main`, { ...init, headers })
    return (reply['files'] as { oid?: string }[]).map(({ oid }) => typeof oid)
  }
  const old = 'unknown/None; hf_hub/0.36.2; python/3.11.2'
  await getJson(hub, 'alice', `${PREFIX}/api/repos/create`, post({ name: 'old', organization: 'x' }))
  await getJson(
    hub,
    'alice',
    `${PREFIX}/api/repos/create`,
    post({ name: 'old', organization: 'x', type: 'dataset' }),
  )
  await createRepo(hub, 'alice', 'alice/old')
  expect(await oidsFor(old, `${PREFIX}/api/models/x/old`)).toEqual(['undefined'])
  expect(await oidsFor('unknown/None; hf_hub/1.2.0', `${PREFIX}/api/models/x/old`)).toEqual(['string'])
  expect(await oidsFor(old, `${PREFIX}/api/datasets/x/old`)).toEqual(['string'])
  expect(await oidsFor(old, '/api/models/alice/old')).toEqual(['string'])
})

test('the same versions are told of a model that they may read and not make', async () => {
  const create = async (userAgent: string, name: string) => {
    const init = post({ name, organization: 'anybody' })
    const headers = { 'Content-Type': 'application/json', 'User-Agent': userAgent }
    return hub.fetch('reader', `${PREFIX}/api/repos/create`, { ...init, headers })
  }
  const old = 'unknown/None; hf_hub/0.36.2; python/3.11.2'
  const taken = await create(old, 'tiny')
  expect(await taken.json()).toMatchObject({ url: `${hub.url}${PREFIX}/models/anybody/tiny` })
  expect(taken.status).toBe(409)
  await expectRefusal(await create(old, 'nowhere'), 'Forbidden')
  await expectRefusal(await create('unknown/None; hf_hub/1.2.0', 'tiny'), 'Forbidden')
})

test('an object goes up and comes down under the prefix', async () => {
  const id = `${PREFIX.slice(1)}/anybody/tiny`
  const object = { oid: sha256('weights'), size: 7 }
  const up = await batch(hub, 'alice', id, 'upload', [object])
  const href = up.objects[0]?.actions?.['upload']?.href ?? ''
  expect(href.startsWith(`${hub.url}${PREFIX}/`)).toBe(true)
  expect((await fetch(href, { method: 'PUT', body: 'weights' })).status).toBe(200)
  const down = await batch(hub, 'alice', id, 'download', [object])
  expect(await (await fetch(down.objects[0]?.actions?.['download']?.href ?? '')).text()).toBe('weights')
})

test('a model is also found behind models/', async () => {
  await createRepo(hub, 'alice', 'alice/aliased')
  for (const path of ['/alice/aliased', '/models/alice/aliased'])
    expect((await hub.fetch(null, `${path}/resolve/main/.gitattributes`)).status).toBe(200)
  for (const path of ['/anybody/tiny', '/models/anybody/tiny'])
    expect((await hub.fetch('alice', `${PREFIX}${path}/resolve/main/.gitattributes`)).status).toBe(200)
})

test('an endpoint that ends in a slash works', async () => {
  expect((await hub.fetch('alice', '//api/whoami-v2')).status).toBe(200)
  expect((await hub.fetch('alice', `${PREFIX}//api/whoami-v2`)).status).toBe(200)
})

describe('refusals', () => {
  const create = (organization: string) => ({
    path: `${PREFIX}/api/repos/create`,
    init: post({ name: 'x', organization }),
  })
  refuses(() => hub, {
    'an unknown registry': { path: '/acme/none/huggingface/api/whoami-v2', refusal: 'NotFound' },
    'a stranger': { as: 'bob', ...create('anybody'), refusal: 'Forbidden' },
    'a reserved namespace': { ...create('api'), refusal: 'BadRequest' },
    'another reserved namespace': { ...create('Datasets'), refusal: 'BadRequest' },
    'a namespace with --': { ...create('a--b'), refusal: 'BadRequest' },
    'a namespace with a slash': { ...create('a/b'), refusal: 'BadRequest' },
  })
})

test('a public address replaces whatever the Host header says', async () => {
  await using fixed = await startHub({ flags: { publicUrl: 'https://hub.example/base' } })
  const made = await getJson(fixed, 'alice', '/api/repos/create', post({ name: 'x' }))
  expect(made['url']).toBe('https://hub.example/base/models/alice/x')
})

test('X-Forwarded headers of whoever is no configured proxy are ignored', async () => {
  const answer = await hub.fetch('alice', '/api/repos/create', {
    ...post({ name: 'forwarded' }),
    headers: { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Prefix': '/x' },
  })
  expect(await answer.json()).toMatchObject({ url: `${hub.url}/alice/forwarded` })
})
