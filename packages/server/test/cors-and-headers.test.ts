/** What every answer carries: hub-api.md §1.3, clients.md §3 «Browser use». */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createRepo } from './client.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', 'alice/tiny')
})
afterAll(() => hub[Symbol.asyncDispose]())

const PATHS = [
  '/health',
  '/api/models/alice/tiny',
  '/api/models/alice/missing',
  '/alice/tiny/resolve/main/.gitattributes',
  '/alice/tiny/raw/main/.gitattributes',
  '/alice/tiny/resolve/main/missing',
  '/api/%zz',
  '/nothing/at/all',
  '/oauth/token',
  '/.well-known/openid-configuration',
]

const EXPOSED =
  'ETag, Link, Content-Range, X-Repo-Commit, X-Linked-Size, X-Linked-ETag, X-Xet-Hash, X-Error-Code, X-Error-Message, ' +
  'X-Request-Id, X-Total-Count, Accept-Ranges, RateLimit'

function expectReadable(answer: Response): void {
  expect(answer.headers.get('X-Request-Id')).toMatch(/^[\x21-\x7e]+$/)
  expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('*')
  expect(answer.headers.get('Access-Control-Expose-Headers')?.split(', ')).toEqual(
    expect.arrayContaining(EXPOSED.split(', ')),
  )
  expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
  expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff')
}

test.each(PATHS)('%s has a request id and may be read by any page', async (path) => {
  expectReadable(await hub.fetch(null, path, { headers: { Origin: 'https://page.example' } }))
})

test.each<[number, string, RequestInit]>([
  [206, '/alice/tiny/resolve/main/.gitattributes', { headers: { Range: 'bytes=0-0' } }],
  [206, '/alice/tiny/raw/main/.gitattributes', { headers: { Range: 'bytes=0-0' } }],
  [416, '/alice/tiny/resolve/main/.gitattributes', { headers: { Range: 'bytes=99999-' } }],
  [200, '/alice/tiny/resolve/main/.gitattributes', { method: 'HEAD' }],
  [401, '/api/whoami-v2', { headers: { Authorization: 'Bearer hf_wrong' } }],
  [401, '/api/models/alice/missing', {}],
  [400, '/api/repos/create', { method: 'POST', body: 'not json' }],
  [404, '/nothing/at/all', { method: 'DELETE' }],
  [501, '/api/scheduled-jobs/alice', {}],
  [403, '/cas/g1/x/fetch/y', {}],
])('a %i may be read by any page: %s', async (status, path, init) => {
  const answer = await hub.fetch(null, path, init)
  expect(answer.status).toBe(status)
  expectReadable(answer)
})

const PREFLIGHTS = [
  ...PATHS.filter((path) => !path.includes('%')),
  '/api/models/alice/tiny/commit/main',
  '/api/models/alice/tiny/paths-info/a%2Fb',
  '/alice/tiny.git/info/lfs/objects/batch',
  '/cas/g1/x/v1/xorbs/default/y',
  '/acme/none/huggingface/api/models',
]
test.each(PREFLIGHTS)('a preflight for %s is answered without a token', async (path) => {
  const ask = (method: string, headers: string) =>
    hub.fetch(null, path, {
      method: 'OPTIONS',
      headers: {
        Origin: 'https://page.example',
        'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': headers,
        'Access-Control-Request-Private-Network': 'true',
      },
    })
  for (const answer of [
    await ask('POST', 'authorization,content-type'),
    await ask('PATCH', 'x-xet-session-id'),
    await ask('PROPFIND', 'if-none-match,x-anything'),
  ]) {
    expect(answer.status).toBe(204)
    expectReadable(answer)
    const methods = answer.headers.get('Access-Control-Allow-Methods')?.split(', ')
    expect(methods).toEqual(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])
    const headers = answer.headers.get('Access-Control-Allow-Headers')?.split(', ')
    expect(headers).toEqual(
      expect.arrayContaining(['Authorization', 'Range', 'Content-Type', 'X-Xet-Session-Id', '*']),
    )
    // A page of the internet has no business in its visitor's own network.
    expect(answer.headers.get('Access-Control-Allow-Private-Network')).toBeNull()
  }
})

test('nothing is compressed, nothing sets a cookie', async () => {
  for (const path of PATHS) {
    const answer = await hub.fetch('alice', path, { headers: { 'Accept-Encoding': 'gzip, br' } })
    expect([answer.headers.get('Content-Encoding'), answer.headers.get('Set-Cookie')]).toEqual([null, null])
  }
})
