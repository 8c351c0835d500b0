/** Who asks: hub-api.md §2.1, §2.2. */
import { createHash } from 'node:crypto'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createRepo, getJson } from './client.ts'
import { expectRefusal, refuses } from './refusal.ts'

let now = Date.UTC(2026, 0, 1)
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock: () => now })
})
afterAll(() => hub[Symbol.asyncDispose]())

async function whoami(authorization: string): Promise<Response> {
  return hub.fetch(null, '/api/whoami-v2', { headers: { Authorization: authorization } })
}

test('a token knows its account, its organizations and its role', async () => {
  expect(await getJson(hub, 'alice', '/api/whoami-v2')).toMatchObject({
    type: 'user',
    name: 'alice',
    orgs: [{ type: 'org', name: 'acme', roleInOrg: 'admin' }],
    auth: { type: 'access_token', accessToken: { displayName: 'write', role: 'write' } },
  })
  expect(await getJson(hub, 'reader', '/api/whoami-v2')).toMatchObject({
    name: 'alice',
    auth: { accessToken: { displayName: 'read', role: 'read' } },
  })
})

test('times are in UTC with milliseconds and a Z', async () => {
  const { auth } = await getJson<{ auth: { accessToken: { createdAt: string } } }>(
    hub,
    'alice',
    '/api/whoami-v2',
  )
  expect(auth.accessToken.createdAt).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
})

const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`

test.each([
  ['a bearer', `Bearer ${TOKENS.alice}`],
  ['a bearer in small letters', `bearer ${TOKENS.alice}`],
  ['a password under any user name', basic(`USER:${TOKENS.alice}`)],
  ['a user name without a password', basic(`${TOKENS.alice}:`)],
  ['a user name as git-lfs sends it', basic(`${TOKENS.alice}:x-oauth-basic`)],
])('the token is taken as %s', async (_how, authorization) => {
  const answer = await whoami(authorization)
  expect(await answer.json()).toMatchObject({ name: 'alice' })
})

test.each([
  ['an unknown token', 'Bearer hf_unknown'],
  ['a token with one more character', `Bearer ${TOKENS.alice}0`],
  ['no token behind the scheme', 'Bearer '],
  ['another scheme', `Digest ${TOKENS.alice}`],
  ['a password that is no token', basic('alice:password')],
  ['a password that is not base64', 'Basic %%%'],
])('%s is refused with the exact words', async (_what, authorization) => {
  const answer = await whoami(authorization)
  expect(answer.headers.get('X-Error-Message')).toBe('Invalid credentials in Authorization header')
  await expectRefusal(answer, 'InvalidCredentials')
})

refuses(() => hub, {
  'whoami without a token': { as: null, path: '/api/whoami-v2', refusal: 'Unauthenticated' },
})

test('a wrong token is refused even where none is needed', async () => {
  await createRepo(hub, 'alice', 'alice/open')
  const headers = { Authorization: 'Bearer hf_unknown' }
  expect((await hub.fetch(null, '/api/models/alice/open')).status).toBe(200)
  await expectRefusal(await hub.fetch(null, '/api/models/alice/open', { headers }), 'InvalidCredentials')
})

test('a token ends at its expiry, and at its deletion', async () => {
  const { accounts } = hub.hub.ops.catalog.rows
  const bob = await accounts.getByName('bob')
  const insert = (id: string, expiresAt: number | null) =>
    hub.hub.ops.catalog.tx((rows) =>
      rows.tokens.insert({
        id,
        kind: 'access_token',
        accountId: bob?.id ?? '',
        name: id,
        hash: createHash('sha256').update(`token-${id}`).digest('hex'),
        role: 'write',
        grants: null,
        createdAt: now,
        expiresAt,
        lastUsedAt: null,
      }),
    )
  await insert('short', now + 1000)
  await insert('deleted', null)
  expect((await whoami('Bearer token-short')).status).toBe(200)
  expect((await whoami('Bearer token-deleted')).status).toBe(200)
  now += 1000
  await hub.hub.ops.catalog.tx((rows) => rows.tokens.delete('deleted'))
  await expectRefusal(await whoami('Bearer token-short'), 'InvalidCredentials')
  await expectRefusal(await whoami('Bearer token-deleted'), 'InvalidCredentials')
})

test('login by device says how to log in instead', async () => {
  const answer = await hub.fetch(null, '/oauth/device', { method: 'POST', body: 'client_id=x' })
  expect(answer.status).toBe(400)
  expect(JSON.stringify(await answer.json())).toContain('hf auth login --token')
})
