/** hub-api.md §24: every refusal has status, code, message, request id and a JSON body, on every route. */
import { request } from 'node:http'

import { REPO_TYPES } from '@cairn/protocol/repo-id'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { routes } from '../src/http/routes/index.ts'
import { createRepo } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { expectRefusal, post, refuses } from './refusal.ts'
import { repoRequests } from './repo-routes.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', 'alice/tiny')
})
afterAll(() => hub[Symbol.asyncDispose]())

describe.each(REPO_TYPES)('an unknown %s', (type) => {
  test.each(repoRequests(type))('$name', async ({ path, init }) => {
    await expectUnchanged(hub, async () => {
      await expectRefusal(await hub.fetch('alice', path('alice/missing'), init()), 'RepoNotFound')
      await expectRefusal(await hub.fetch(null, path('alice/missing'), init()), {
        code: 'RepoNotFound',
        status: 401,
      })
    })
  })
})

describe('a token that nobody was given', () => {
  test.each(repoRequests('model'))('$name', async ({ path, init }) => {
    const given = init()
    const headers = new Headers(given.headers)
    headers.set('Authorization', 'Bearer hf_nobody')
    const answer = await expectUnchanged(hub, () =>
      hub.fetch(null, path('alice/tiny'), { ...given, headers }),
    )
    // huggingface_hub takes any other text on a 401 for a missing repository.
    expect(answer.headers.get('X-Error-Message')).toBe('Invalid credentials in Authorization header')
    await expectRefusal(answer, 'InvalidCredentials')
  })
})

describe('writing without the right to', () => {
  const writes = repoRequests('model').filter(
    ({ name }) =>
      !/^GET|paths-info|verify|\/like|git-upload-pack/.test(name) || name.includes('xet-write-token'),
  )
  test.each(writes)('$name', async ({ path, init }) => {
    await expectUnchanged(hub, async () => {
      await expectRefusal(await hub.fetch('bob', path('alice/tiny'), init()), 'Forbidden')
      await expectRefusal(await hub.fetch('reader', path('alice/tiny'), init()), 'Forbidden')
      await expectRefusal(await hub.fetch(null, path('alice/tiny'), init()), 'Unauthenticated')
    })
  })
})

describe('addresses', () => {
  refuses(() => hub, {
    'a route that does not exist': { path: '/api/nothing', refusal: 'NotFound' },
    'a method that a route does not have': {
      path: '/api/models/alice/tiny',
      init: { method: 'PATCH' },
      refusal: 'NotFound',
    },
    'a malformed escape in a repository name': {
      path: '/api/models/alice/%zz',
      refusal: 'BadRequest',
    },
    'a malformed escape in a revision': {
      path: '/api/models/alice/tiny/revision/%e0%a4',
      refusal: 'BadRequest',
    },
    'a malformed escape in a tree path': {
      path: '/api/models/alice/tiny/tree/main/%ff',
      refusal: 'BadRequest',
    },
    'a malformed escape in a file path': { path: '/alice/tiny/resolve/main/%c3', refusal: 'BadRequest' },
    'a malformed escape behind paths-info': {
      path: '/api/models/alice/tiny/paths-info/%ff',
      init: post({ paths: [] }),
      refusal: 'BadRequest',
    },
    'a malformed escape in a branch name': {
      path: '/api/models/alice/tiny/branch/%80',
      init: post({}),
      refusal: 'BadRequest',
    },
    'a registry that does not exist': {
      path: '/acme/nothing/huggingface/api/models/a/b',
      refusal: 'NotFound',
    },
  })
})

test('what is known and not supported says 501 and its reason', async () => {
  const absent = routes.filter((route) => route.absent)
  expect(absent.length).toBeGreaterThan(50)
  for (const { method, path } of absent) {
    const address = path
      .replace('{api}', '/api/models/alice/tiny')
      .replace('{web}', '/alice/tiny')
      .replace(/:[a-z]+/gi, 'x')
      .replace('*', 'x')
    await expectRefusal(await hub.fetch('alice', address, { method }), 'NotImplemented')
  }
})

test('a HEAD is refused with the same headers and no body', async () => {
  const get = await hub.fetch('alice', '/alice/tiny/resolve/main/missing.txt')
  const head = await hub.fetch('alice', '/alice/tiny/resolve/main/missing.txt', { method: 'HEAD' })
  expect(head.status).toBe(get.status)
  for (const name of ['X-Error-Code', 'X-Error-Message', 'X-Repo-Commit', 'Content-Length'])
    expect(head.headers.get(name)).toBe(get.headers.get(name))
  expect(await head.text()).toBe('')
  await expectRefusal(get, 'EntryNotFound')
})

test('the caller finds its own request id again', async () => {
  const ask = async (headers: Record<string, string>) =>
    (await hub.fetch('alice', '/api/nothing', { headers })).headers.get('X-Request-Id')
  expect(await ask({ 'X-Request-Id': 'my-own-1' })).toBe('my-own-1')
  expect(await ask({ 'X-Amzn-Trace-Id': 'trace-7' })).toContain('trace-7')
  expect(await ask({ 'X-Request-Id': 'x'.repeat(5000) })).not.toContain('x')
})

test('a Host header that is not one does not come back in an answer', async () => {
  const status = await new Promise((resolve, reject) => {
    request(
      `${hub.url}/api/models/alice/tiny`,
      { headers: { Host: 'evil.example/"><script>' } },
      (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      },
    )
      .on('error', reject)
      .end()
  })
  expect(status).toBe(400)
})

test('an accident says its request id and nothing else', async () => {
  await using broken = await startHub()
  await createRepo(broken, 'alice', 'alice/tiny')
  broken.hub.ops.git.stat = () => Promise.reject(new Error('secret /path/on/disk'))
  const answer = await broken.fetch('alice', '/api/models/alice/tiny?blobs=true')
  expect(await expectRefusal(answer, 'Internal')).toEqual({ error: 'Internal error' })
})
