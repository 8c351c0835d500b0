/** Users, organizations, their members and their storage: hub-api.md §15. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createRepo, getJson, uploadLfs } from './client.ts'
import { expectRefusal, post, refuses } from './refusal.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', 'acme/open')
  await createRepo(hub, 'alice', 'acme/closed', { private: true })
  await createRepo(hub, 'alice', 'alice/data', { type: 'dataset' })
  await uploadLfs(hub, 'alice', 'acme/open', 'x'.repeat(300))
  await uploadLfs(hub, 'alice', 'acme/closed', 'y'.repeat(100))
  await hub.hub.admin({
    resource: 'member',
    verb: 'create',
    args: { org: 'acme', user: 'bob', role: 'read' },
  })
  await hub.hub.ops.catalog.tx(async ({ accounts }) => {
    const bob = await accounts.getByName('bob')
    await accounts.update(bob?.id ?? '', { email: 'Bob@example.org' })
  })
})
afterAll(() => hub[Symbol.asyncDispose]())

test('an organization counts what the caller may see', async () => {
  const overview = (account: 'alice' | 'bob' | null) =>
    getJson(hub, account, '/api/organizations/ACME/overview')
  expect(await overview('alice')).toMatchObject({ name: 'acme', numModels: 2, numDatasets: 0, numUsers: 2 })
  expect(await overview('bob')).toMatchObject({ numModels: 2 })
  expect(await overview(null)).toMatchObject({
    name: 'acme',
    numModels: 1,
    avatarUrl: `${hub.url}/api/avatars/acme`,
  })
})

test('a user is shown with their organizations, and without their address', async () => {
  const overview = await getJson(hub, null, '/api/users/bob/overview')
  expect(overview).toMatchObject({ user: 'bob', type: 'user', numFollowers: 0, orgs: [{ name: 'acme' }] })
  expect(JSON.stringify(overview)).not.toContain('example.org')
  expect(await getJson(hub, null, '/api/users/alice/overview')).toMatchObject({
    numDatasets: 1,
    numModels: 0,
  })
  expect(await getJson(hub, null, '/api/users/bob/followers')).toEqual([])
  expect(await getJson(hub, null, '/api/users/bob/following')).toEqual([])
  expect(await getJson(hub, null, '/api/organizations/acme/followers')).toEqual([])
  expect(await getJson(hub, null, '/api/users/bob/socials')).toEqual({})
})

test('members come page by page, and by address for administrators only', async () => {
  const first = await hub.fetch(null, '/api/organizations/acme/members?limit=1')
  expect(await first.json()).toMatchObject([{ user: 'alice', role: 'admin' }])
  const next = /^<(.*)>; rel="next"$/.exec(first.headers.get('Link') ?? '')?.[1] ?? ''
  const second = await fetch(next)
  expect(await second.json()).toMatchObject([{ user: 'bob', role: 'read' }])
  expect(second.headers.get('Link')).toBeNull()
  const byAddress = '/api/organizations/acme/members?email=bob@example.org'
  expect(await getJson(hub, 'alice', byAddress)).toMatchObject([{ user: 'bob' }])
  await expectRefusal(await hub.fetch('bob', byAddress), 'Forbidden')
  await expectRefusal(await hub.fetch(null, byAddress), 'Unauthenticated')
})

test('an administrator changes roles; the last one stays', async () => {
  const path = '/api/organizations/acme/members/bob/role'
  expect(await getJson(hub, 'alice', path, post({ role: 'contributor' }, 'PUT'))).toMatchObject({
    user: 'bob',
    role: 'contributor',
  })
  const audit = await hub.hub.ops.catalog.rows.audit.list({ action: 'org.member.set', limit: 1 })
  expect(audit[0]?.details).toContain('contributor')
  await getJson(hub, 'alice', path, post({ role: 'read' }, 'PUT'))
})

const role = (user: string, to: string) => ({
  path: `/api/organizations/acme/members/${user}/role`,
  init: post({ role: to }, 'PUT'),
})

refuses(() => hub, {
  'the last administrator to step down': { ...role('alice', 'read'), refusal: 'Conflict' },
  'a member to promote themselves': { ...role('bob', 'admin'), as: 'bob', refusal: 'Forbidden' },
  'a read token to change roles': { ...role('bob', 'admin'), as: 'reader', refusal: 'Forbidden' },
  'a role for a stranger': { ...role('root', 'read'), refusal: 'NotFound' },
  'a role that there is not': { ...role('bob', 'god'), refusal: 'BadRequest' },
  'an unknown user': { path: '/api/users/nobody/overview', refusal: 'NotFound' },
  'an organization as a user': { path: '/api/users/acme/overview', refusal: 'NotFound' },
  'a picture of nobody': { path: '/api/avatars/nobody', refusal: 'NotFound' },
  "somebody else's storage": {
    path: '/api/organizations/acme/settings/repositories',
    as: null,
    refusal: 'Unauthenticated',
  },
  'a forged cursor': { path: '/api/organizations/acme/members?cursor=x.y', refusal: 'BadRequest' },
  'a negative limit': { path: '/api/settings/repositories?limit=-1', refusal: 'BadRequest' },
})

test('storage is listed by repository', async () => {
  const page = await getJson<Record<string, unknown>[]>(
    hub,
    'alice',
    '/api/organizations/acme/settings/repositories',
  )
  const facts = page.map(({ id, type, visibility, storage, storagePercent }) => [
    id,
    type,
    visibility,
    storage,
    storagePercent,
  ])
  expect(facts.toSorted((a, b) => String(a[0]).localeCompare(String(b[0])))).toEqual([
    ['acme/closed', 'model', 'private', 100, 25],
    ['acme/open', 'model', 'public', 300, 75],
  ])
  expect(await getJson(hub, 'alice', '/api/settings/repositories')).toMatchObject([
    { id: 'alice/data', type: 'dataset', storage: 0, storagePercent: 0 },
  ])
})

test('a picture is an SVG that can do nothing', async () => {
  const { avatarUrl } = await getJson<{ avatarUrl: string }>(hub, null, '/api/users/alice/avatar')
  const answer = await fetch(avatarUrl)
  expect(answer.headers.get('Content-Type')).toBe('image/svg+xml')
  expect(answer.headers.get('Content-Security-Policy')).toContain('sandbox')
  expect(await answer.text()).toMatch(/^<svg [^<]*<path [^<]*<path [^<]*<\/svg>$/)
})
