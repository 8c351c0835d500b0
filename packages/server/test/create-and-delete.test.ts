/** The life of a repository: hub-api.md §3.1, §3.2. */
import { setTimeout as sleep } from 'node:timers/promises'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { createRepo, getJson } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { announce, expectRefusal, post, refuses } from './refusal.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', 'alice/taken')
})
afterAll(() => hub[Symbol.asyncDispose]())

const CREATE = '/api/repos/create'
const DELETE = '/api/repos/delete'

describe('create', () => {
  test.each([
    ['model', 'first', ''],
    ['dataset', 'first', 'datasets/'],
    ['space', 'first', 'spaces/'],
  ])('a %s has an address, an id and one commit', async (type, name, prefix) => {
    const made = await getJson(hub, 'alice', CREATE, post({ name, type, sdk: 'static' }))
    expect(made).toEqual({
      url: `${hub.url}/${prefix}alice/${name}`,
      name: `alice/${name}`,
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
    })
    const commits = await getJson<{ title: string }[]>(
      hub,
      'alice',
      `/api/${type}s/alice/${name}/commits/main`,
    )
    expect(commits.map(({ title }) => title)).toEqual(['initial commit'])
    const info = await getJson(hub, 'alice', `/api/${type}s/alice/${name}`)
    expect(info['siblings']).toEqual([{ rfilename: '.gitattributes' }])
  })

  test('files, license and visibility arrive with the repository', async () => {
    await createRepo(hub, 'alice', 'acme/full', {
      visibility: 'private',
      license: 'mit',
      files: [{ path: 'sub/a.txt', encoding: 'base64', content: 'aGVsbG8=' }],
    })
    expect(await getJson(hub, 'alice', '/api/models/acme/full')).toMatchObject({
      private: true,
      cardData: { license: 'mit' },
    })
    const answer = await hub.fetch('alice', '/acme/full/resolve/main/sub/a.txt')
    expect(await answer.text()).toBe('hello')
  })

  test('a name that is taken is a conflict that says where, in whatever case', async () => {
    for (const name of ['taken', 'TAKEN']) {
      const body = await expectUnchanged(hub, async () =>
        expectRefusal(await hub.fetch('alice', CREATE, post({ name })), 'Conflict'),
      )
      expect(body['url']).toBe(`${hub.url}/alice/taken`)
    }
  })

  test('of many that create the same repository one wins', async () => {
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => hub.fetch('alice', CREATE, post({ name: 'raced' }))),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(7)
    expect((await hub.fetch('alice', '/alice/raced/resolve/main/.gitattributes')).status).toBe(200)
  })

  refuses(() => hub, {
    'an anonymous caller': { as: null, path: CREATE, init: post({ name: 'x' }), refusal: 'Unauthenticated' },
    'an anonymous caller in a namespace': {
      as: null,
      path: CREATE,
      init: post({ name: 'x', organization: 'alice' }),
      refusal: 'Unauthenticated',
    },
    'a token that may only read': {
      as: 'reader',
      path: CREATE,
      init: post({ name: 'x' }),
      refusal: 'Forbidden',
    },
    "another's namespace": {
      as: 'bob',
      path: CREATE,
      init: post({ name: 'x', organization: 'alice' }),
      refusal: 'Forbidden',
    },
    "another's repository, without saying that it is there": {
      as: 'bob',
      path: CREATE,
      init: post({ name: 'taken', organization: 'alice' }),
      refusal: 'Forbidden',
    },
    'an organization that the caller is not in': {
      as: 'bob',
      path: CREATE,
      init: post({ name: 'x', organization: 'acme' }),
      refusal: 'Forbidden',
    },
    'a namespace that does not exist': {
      path: CREATE,
      init: post({ name: 'x', organization: 'nobody' }),
      refusal: 'Forbidden',
    },
    'a reserved namespace': {
      path: CREATE,
      init: post({ name: 'x', organization: 'api' }),
      refusal: 'Forbidden',
    },
    'broken JSON': { path: CREATE, init: { method: 'POST', body: '{"name":' }, refusal: 'BadRequest' },
    'a JSON array': { path: CREATE, init: post([]), refusal: 'BadRequest' },
    'bytes that are not UTF-8': {
      path: CREATE,
      init: { method: 'POST', body: new Uint8Array([0x22, 0xff, 0x22]) },
      refusal: 'BadRequest',
    },
    'no name': { path: CREATE, init: post({}), refusal: 'BadRequest' },
    'a name of another type': { path: CREATE, init: post({ name: 7 }), refusal: 'BadRequest' },
    'a type that is none': { path: CREATE, init: post({ name: 'x', type: 'cat' }), refusal: 'BadRequest' },
    'private that is no boolean': {
      path: CREATE,
      init: post({ name: 'x', private: 'yes' }),
      refusal: 'BadRequest',
    },
    'a Space without an sdk': {
      path: CREATE,
      init: post({ name: 'x', type: 'space' }),
      refusal: 'BadRequest',
    },
    'a Space with hardware': {
      path: CREATE,
      init: post({ name: 'x', type: 'space', sdk: 'static', hardware: 'a100' }),
      refusal: 'NotImplemented',
    },
    'a file outside of the repository': {
      path: CREATE,
      init: post({ name: 'x', files: [{ path: '../x', content: '' }] }),
      refusal: 'Invalid',
    },
    'a file below .git': {
      path: CREATE,
      init: post({ name: 'x', files: [{ path: '.git/config', content: '' }] }),
      refusal: 'Invalid',
    },
    'a file whose base64 is none': {
      path: CREATE,
      init: post({ name: 'x', files: [{ path: 'a', content: '!!!', encoding: 'base64' }] }),
      refusal: 'BadRequest',
    },
    'a path that is a file and a folder': {
      path: CREATE,
      init: post({
        name: 'x',
        files: [
          { path: 'a', content: '' },
          { path: 'a/b', content: '' },
        ],
      }),
      refusal: 'Invalid',
    },
    'a file that is too large to be inline': {
      path: CREATE,
      init: post({ name: 'x', files: [{ path: 'a', content: 'x'.repeat(11 * 1024 * 1024) }] }),
      refusal: 'TooLarge',
    },
    ...Object.fromEntries(
      ['a--b', 'a..b', '-a', 'a.', '.a', 'x.git', 'a/b', 'a b', 'ä', '', 'x'.repeat(97), '..'].map((name) => [
        `the name '${name.slice(0, 20)}'`,
        { path: CREATE, init: post({ name, organization: 'alice' }), refusal: 'BadRequest' as const },
      ]),
    ),
  })

  test('refuses a body that is too large', async () => {
    const answer = await expectUnchanged(hub, () => announce(hub, TOKENS.alice, CREATE, 2 ** 40))
    await expectRefusal(answer, 'TooLarge')
  })
})

describe('delete', () => {
  test('a deleted repository is gone, and its name is free', async () => {
    await createRepo(hub, 'alice', 'alice/brief')
    const answer = await hub.fetch('alice', DELETE, post({ name: 'brief', organization: 'alice' }, 'DELETE'))
    expect([answer.status, await answer.text()]).toEqual([200, 'OK'])
    await expectRefusal(await hub.fetch('alice', '/api/models/alice/brief'), 'RepoNotFound')
    await createRepo(hub, 'alice', 'alice/brief')
  })

  test('of many that delete at once one did it, and the others are told that there was nothing', async () => {
    await createRepo(hub, 'alice', 'alice/twice')
    const ask = () => hub.fetch('alice', DELETE, post({ name: 'alice/twice' }, 'DELETE'))
    const repo = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'twice')
    const others = Promise.withResolvers<void>()
    // Another change of the repository holds them all up, so that each has seen it before the first one deletes it.
    void hub.hub.ops.repoQueue.run(repo?.id ?? '', () => others.promise)
    const asked = Array.from({ length: 8 }, ask)
    await sleep(100)
    others.resolve()
    const answers = await Promise.all(asked)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 404)).toHaveLength(7)
  })

  test('only the named type is deleted', async () => {
    await createRepo(hub, 'alice', 'alice/both')
    await createRepo(hub, 'alice', 'alice/both', { type: 'dataset' })
    await hub.fetch('alice', DELETE, post({ name: 'both', type: 'dataset' }, 'DELETE'))
    expect((await hub.fetch('alice', '/api/models/alice/both')).status).toBe(200)
    expect((await hub.fetch('alice', '/api/datasets/alice/both')).status).toBe(404)
  })

  const target = { name: 'taken', organization: 'alice' }
  refuses(() => hub, {
    'a repository that is not there': {
      path: DELETE,
      init: post({ name: 'nothing' }, 'DELETE'),
      refusal: 'RepoNotFound',
    },
    'an anonymous caller': {
      as: null,
      path: DELETE,
      init: post(target, 'DELETE'),
      refusal: 'Unauthenticated',
    },
    'a stranger': { as: 'bob', path: DELETE, init: post(target, 'DELETE'), refusal: 'Forbidden' },
    'a token that may only read': {
      as: 'reader',
      path: DELETE,
      init: post(target, 'DELETE'),
      refusal: 'Forbidden',
    },
    'broken JSON': { path: DELETE, init: { method: 'DELETE', body: '{' }, refusal: 'BadRequest' },
    'a name of another type': { path: DELETE, init: post({ name: null }, 'DELETE'), refusal: 'BadRequest' },
  })
})

describe('validate-yaml', () => {
  const ask = (content: unknown) =>
    hub.fetch('alice', '/api/validate-yaml', post({ content, repoType: 'model' }))

  test('a good card has no errors, a bad one 400, both as JSON', async () => {
    const good = await ask('---\nlicense: mit\n---\n# Hello')
    expect([good.status, await good.json()]).toEqual([200, { errors: [], warnings: [] }])
    const bad = await ask('---\nlicense: [mit\n---\n')
    expect(bad.status).toBe(400)
    expect(await bad.json()).toMatchObject({ errors: [{ message: expect.any(String) }], warnings: [] })
  })

  refuses(() => hub, {
    'content that is no text': {
      path: '/api/validate-yaml',
      init: post({ content: 7 }),
      refusal: 'BadRequest',
    },
    'broken JSON': {
      path: '/api/validate-yaml',
      init: { method: 'POST', body: 'x' },
      refusal: 'BadRequest',
    },
  })
})
