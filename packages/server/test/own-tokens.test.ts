/** A user's own tokens: shown once, never more than what made them. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { getJson } from './client.ts'
import { expectRefusal, post } from './refusal.ts'

const PATH = '/api/settings/tokens'
const DAY_MS = 24 * 3600_000
let now = Date.UTC(2026, 0, 1)
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock: () => now })
})
afterAll(() => hub[Symbol.asyncDispose]())

interface Made {
  id: string
  token: string
  expiresAt: string | null
}
const make = (fields: object) => getJson<Made>(hub, 'alice', PATH, post(fields))

function as(token: string, path: string, init: RequestInit = {}): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set('Authorization', `Bearer ${token}`)
  return hub.fetch(null, path, { ...init, headers })
}

test('a token is made, used, listed without its string, rotated and revoked', async () => {
  const made = await make({ name: 'laptop', role: 'read' })
  expect(made.token).toMatch(/^hf_[A-Za-z0-9]{34}$/)
  expect((await as(made.token, '/api/whoami-v2')).status).toBe(200)
  const list = await getJson<Made[]>(hub, 'alice', PATH)
  expect(list).toContainEqual(expect.objectContaining({ id: made.id, name: 'laptop', role: 'read' }))
  expect(JSON.stringify(list)).not.toContain(made.token)

  const rotated = await getJson<Made>(hub, 'alice', `${PATH}/laptop/rotate`, { method: 'POST' })
  expect(rotated.id).toBe(made.id)
  expect((await as(made.token, '/api/whoami-v2')).status).toBe(401)
  expect((await as(rotated.token, '/api/whoami-v2')).status).toBe(200)

  await getJson(hub, 'alice', `${PATH}/${made.id}`, { method: 'DELETE' })
  expect((await as(rotated.token, '/api/whoami-v2')).status).toBe(401)
  const { rows } = hub.hub.ops.catalog
  const audit = await rows.audit.list({ subject: 'alice/laptop', limit: 9 })
  expect(audit.map((row) => row.action).toSorted()).toEqual(['token.create', 'token.delete', 'token.rotate'])
  expect(JSON.stringify(audit)).not.toContain(made.token)
})

test.each(['read', 'fineGrained'])('a %s token makes none and touches only itself', async (role) => {
  const scopes = role === 'fineGrained' ? ['*=repo.write,org.write'] : undefined
  const { token, id } = await make({ name: `weak ${role}`, role, scopes })
  for (const wanted of ['read', 'write', 'fineGrained']) {
    const body = { name: 'more', role: wanted, scopes: wanted === 'fineGrained' ? scopes : undefined }
    await expectRefusal(await as(token, PATH, post({ ...body, scopes: body.scopes })), 'Forbidden')
  }
  await expectRefusal(await as(token, `${PATH}/write/rotate`, { method: 'POST' }), 'NotFound')
  await expectRefusal(await as(token, `${PATH}/write`, { method: 'DELETE' }), 'NotFound')
  expect(((await (await as(token, PATH)).json()) as Made[]).map((own) => own.id)).toEqual([id])
  const rotated = (await (await as(token, `${PATH}/${id}/rotate`, { method: 'POST' })).json()) as Made
  expect((await as(rotated.token, `${PATH}/${id}`, { method: 'DELETE' })).status).toBe(200)
  expect((await as(rotated.token, PATH)).status).toBe(401)
})

test('what a token with an end makes or rotates does not outlive it', async () => {
  const expiresAt = new Date(now + DAY_MS).toISOString()
  const { token } = await make({ name: 'a day', role: 'write', expiresAt })
  const heir = (await (await as(token, PATH, post({ name: 'heir', role: 'write' }))).json()) as Made
  expect(heir.expiresAt).toBe(expiresAt)
  const late = { name: 'late', role: 'read', expiresAt: new Date(now + 2 * DAY_MS).toISOString() }
  await expectRefusal(await as(token, PATH, post(late)), 'Forbidden')
  await expectRefusal(await as(token, `${PATH}/write/rotate`, { method: 'POST' }), 'Forbidden')
  expect((await hub.fetch('alice', '/api/whoami-v2')).status).toBe(200)
  now += DAY_MS
  expect((await as(heir.token, '/api/whoami-v2')).status).toBe(401)
})

test('tokens are nobody else’s business', async () => {
  const { id } = await make({ name: 'mine', role: 'read' })
  await expectRefusal(await hub.fetch('bob', `${PATH}/${id}`, { method: 'DELETE' }), 'NotFound')
  await expectRefusal(await hub.fetch('root', `${PATH}/${id}/rotate`, { method: 'POST' }), 'NotFound')
  await expectRefusal(await hub.fetch(null, PATH), 'Unauthenticated')
  expect((await hub.fetch('alice', PATH, post({ name: 'mine', role: 'read' }))).status).toBe(409)
})
