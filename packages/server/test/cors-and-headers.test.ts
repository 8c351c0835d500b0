/** What every answer carries: hub-api.md §1.3. */
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
  '/alice/tiny/resolve/main/missing',
  '/api/%zz',
  '/nothing/at/all',
]

test.each(PATHS)('%s has a request id and may be read by any page', async (path) => {
  const answer = await hub.fetch(null, path, { headers: { Origin: 'https://page.example' } })
  expect(answer.headers.get('X-Request-Id')).toMatch(/^[\x21-\x7e]+$/)
  expect(answer.headers.get('Access-Control-Allow-Origin')).toBe('*')
  const exposed = answer.headers.get('Access-Control-Expose-Headers')?.toLowerCase() ?? ''
  for (const name of [
    'x-repo-commit',
    'x-error-code',
    'x-error-message',
    'etag',
    'link',
    'content-range',
    'x-linked-size',
    'x-xet-hash',
    'x-total-count',
  ])
    expect(exposed).toContain(name)
  expect(answer.headers.get('Access-Control-Allow-Credentials')).toBeNull()
})

test('a preflight is answered without a token, and has a request id like all answers', async () => {
  const answer = await hub.fetch(null, '/api/models/alice/tiny/commit/main', {
    method: 'OPTIONS',
    headers: {
      Origin: 'https://page.example',
      'Access-Control-Request-Method': 'POST',
      'Access-Control-Request-Headers': 'authorization,content-type',
    },
  })
  expect(answer.status).toBe(204)
  expect(answer.headers.get('Access-Control-Allow-Methods')).toContain('POST')
  expect(answer.headers.get('Access-Control-Allow-Headers')?.toLowerCase()).toContain('authorization')
  expect(answer.headers.get('X-Request-Id')).toMatch(/./)
})

test('nothing is compressed, nothing sets a cookie', async () => {
  for (const path of PATHS) {
    const answer = await hub.fetch('alice', path, { headers: { 'Accept-Encoding': 'gzip, br' } })
    expect([answer.headers.get('Content-Encoding'), answer.headers.get('Set-Cookie')]).toEqual([null, null])
  }
})
