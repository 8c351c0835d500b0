/** A hub that starts with the accounts its operator wants, and with an administrator. */
import { afterEach, beforeEach, expect, test } from 'vitest'

import { accountState, openAccountDeps } from '../../test/account-deps.ts'
import { applyBootstrap, BootstrapError, parseBootstrap, type GeneratedToken } from './bootstrap.ts'
import { ensureAdmin } from './first-admin.ts'
import { hashToken } from './token-string.ts'

const FIXTURE = {
  users: [
    {
      name: '__DUMMY_User__',
      id: '5e67bdd61009063689407479',
      fullname: 'Dummy',
      email: 'd@example.org',
      tokens: [
        { name: 'ci', role: 'write', token: 'hf_94wBhPGp6KrrTH3KDchhKpRxZwd6dmHWLL' },
        { name: 'spare', role: 'read' },
      ],
    },
    { name: 'a.b', tokens: [{ name: 'foreign', role: 'read', token: 'glpat-!"#' }] },
  ],
  orgs: [
    { name: 'Valid.Org', id: 'org1', fullname: 'Valid', members: [{ user: 'a.b', role: 'contributor' }] },
  ],
  rateLimits: false,
}

let deps: Awaited<ReturnType<typeof openAccountDeps>>
beforeEach(async () => {
  deps = await openAccountDeps()
})
afterEach(() => deps[Symbol.asyncDispose]())

const apply = (file: unknown): Promise<GeneratedToken[]> =>
  applyBootstrap(deps, parseBootstrap(JSON.stringify(file)))
const holderOf = async (token: string) => (await deps.catalog.rows.tokens.getByHash(hashToken(token))) ?? null

test('names, ids and token strings are exactly as given; applying again changes nothing', async () => {
  const generated = await apply(FIXTURE)
  expect(generated).toEqual([{ user: '__DUMMY_User__', name: 'spare', token: expect.stringMatching(/^hf_/) }])
  expect(await holderOf('hf_94wBhPGp6KrrTH3KDchhKpRxZwd6dmHWLL')).toMatchObject({
    account: {
      id: '5e67bdd61009063689407479',
      name: '__DUMMY_User__',
      email: 'd@example.org',
      isAdmin: false,
    },
    token: { name: 'ci', role: 'write' },
  })
  expect(await holderOf('glpat-!"#')).toMatchObject({ account: { name: 'a.b' }, token: { role: 'read' } })
  expect(await deps.catalog.rows.accounts.membersOf('org1')).toMatchObject([
    { user: { name: 'a.b' }, role: 'contributor' },
  ])

  const before = await accountState(deps)
  expect(await apply(FIXTURE)).toEqual([])
  expect(await accountState(deps)).toEqual(before)
})

test('what the file says differently is changed, what it leaves out stays', async () => {
  await apply(FIXTURE)
  await apply({
    users: [{ name: 'a.b', fullname: 'New', tokens: [{ name: 'foreign', role: 'write', token: 'another' }] }],
    orgs: [{ name: 'Valid.Org', members: [{ user: 'a.b', role: 'admin' }] }],
  })
  expect(await holderOf('another')).toMatchObject({ account: { fullname: 'New' }, token: { role: 'write' } })
  expect(await holderOf('glpat-!"#')).toBeNull()
  expect(await holderOf('hf_94wBhPGp6KrrTH3KDchhKpRxZwd6dmHWLL')).not.toBeNull()
  expect(await deps.catalog.rows.accounts.membersOf('org1')).toMatchObject([{ role: 'admin' }])
})

test.each<[string, object]>([
  ['another id for a known name', { users: [{ name: 'a.b', id: 'other' }] }],
  ['another case of a known name', { users: [{ name: 'A.B' }] }],
  ['a user where an organization is', { users: [{ name: 'Valid.Org' }] }],
  ['an id of somebody else', { users: [{ name: 'new', id: 'org1' }] }],
  [
    'a token string of somebody else',
    { users: [{ name: 'new', tokens: [{ name: 't', role: 'read', token: 'glpat-!"#' }] }] },
  ],
  ['a reserved name', { users: [{ name: 'settings' }] }],
  ['a member nobody knows', { orgs: [{ name: 'new', members: [{ user: 'ghost', role: 'read' }] }] }],
  ['an organization as member', { orgs: [{ name: 'new', members: [{ user: 'Valid.Org', role: 'read' }] }] }],
])('%s is refused, and nothing of that file is applied', async (_, part) => {
  await apply(FIXTURE)
  const before = await accountState(deps)
  const harmless = { users: [{ name: 'harmless' }], orgs: [{ name: 'harmless-too' }] }
  const file = Object.fromEntries(
    (['users', 'orgs'] as const).map((key) => [
      key,
      [...harmless[key], ...((part as Record<string, unknown[]>)[key] ?? [])],
    ]),
  )
  await expect(apply(file)).rejects.toBeInstanceOf(BootstrapError)
  expect(await accountState(deps)).toEqual(before)
})

test.each<[string, string, RegExp]>([
  ['no JSON', '{', /^not JSON: /],
  ['an unknown key', '{"user":[]}', /"user"/],
  [
    'an unknown key deep inside',
    '{"users":[{"name":"a","tokens":[{"name":"t","role":"read","kind":1}]}]}',
    /^users\[0\]\.tokens\[0\]: .*"kind"/,
  ],
  [
    'an unknown role',
    '{"users":[{"name":"a","tokens":[{"name":"t","role":"god"}]}]}',
    /^users\[0\]\.tokens\[0\]\.role: /,
  ],
  ['a name missing', '{"orgs":[{}]}', /^orgs\[0\]\.name: /],
  ['a name twice', '{"users":[{"name":"a"}],"orgs":[{"name":"A"}]}', /'a' is given twice/],
  [
    'a token string twice',
    '{"users":[{"name":"a","tokens":[{"name":"t","role":"read","token":"secret"},{"name":"u","role":"read","token":"secret"}]}]}',
    /one token string is given twice/,
  ],
])('a file with %s is refused by the place', (_, text, message) => {
  expect(() => parseBootstrap(text)).toThrow(BootstrapError)
  expect(() => parseBootstrap(text)).toThrow(message)
  expect(() => parseBootstrap(text)).not.toThrow(/secret/)
})

test('the first start makes an administrator, whose token is stored before it is valid', async () => {
  let stored: string | null = null
  const store = async (token: string): Promise<void> => {
    expect(await holderOf(token)).toBeNull()
    stored = token
  }
  const token = await ensureAdmin(deps, { adminToken: null, storedToken: null, store })
  expect(token).toBe(stored)
  expect(await holderOf(token ?? '')).toMatchObject({
    account: { name: 'admin', isAdmin: true },
    token: { role: 'write' },
  })

  const before = await accountState(deps)
  expect(await ensureAdmin(deps, { adminToken: null, storedToken: stored, store: unexpected })).toBe(token)
  expect(await ensureAdmin(deps, { adminToken: token, storedToken: stored, store: unexpected })).toBe(token)
  expect(await ensureAdmin(deps, { adminToken: null, storedToken: null, store: unexpected })).toBeNull()
  expect(await accountState(deps)).toEqual(before)
})

test('a start that died after storing the token goes on with it', async () => {
  const lost = ensureAdmin(deps, {
    adminToken: null,
    storedToken: null,
    store: () => Promise.reject(new Error('power')),
  })
  await expect(lost).rejects.toThrow('power')
  expect(await deps.catalog.rows.accounts.list('user')).toEqual([])
  expect(await ensureAdmin(deps, { adminToken: null, storedToken: 'hf_stored', store: unexpected })).toBe(
    'hf_stored',
  )
  expect(await holderOf('hf_stored')).not.toBeNull()
})

test('a chosen administrator token replaces the one before; a revoked one does not come back', async () => {
  const store = (): Promise<void> => Promise.resolve()
  await ensureAdmin(deps, { adminToken: 'hf_one', storedToken: null, store })
  expect(await ensureAdmin(deps, { adminToken: 'hf_two', storedToken: 'hf_one', store })).toBe('hf_two')
  expect(await holderOf('hf_one')).toBeNull()
  expect(await holderOf('hf_two')).toMatchObject({ account: { isAdmin: true } })

  const id = (await holderOf('hf_two'))?.token.id ?? ''
  await deps.catalog.tx((rows) => rows.tokens.delete(id))
  expect(await ensureAdmin(deps, { adminToken: null, storedToken: 'hf_two', store: unexpected })).toBeNull()
  expect(await holderOf('hf_two')).toBeNull()
})

test("a bootstrapped user 'admin' becomes the first administrator; an organization of that name is in the way", async () => {
  await apply({ users: [{ name: 'admin', id: 'boss' }] })
  await ensureAdmin(deps, { adminToken: 'hf_one', storedToken: null, store: () => Promise.resolve() })
  expect(await holderOf('hf_one')).toMatchObject({ account: { id: 'boss', isAdmin: true } })

  await using other = await openAccountDeps()
  await applyBootstrap(other, parseBootstrap('{"orgs":[{"name":"admin"}]}'))
  await expect(
    ensureAdmin(other, { adminToken: null, storedToken: null, store: unexpected }),
  ).rejects.toBeInstanceOf(BootstrapError)
})

test("a token string that is a common user's is not made the administrator's", async () => {
  await apply(FIXTURE)
  const taken = ensureAdmin(deps, { adminToken: 'glpat-!"#', storedToken: null, store: unexpected })
  await expect(taken).rejects.toBeInstanceOf(BootstrapError)
})

function unexpected(): Promise<void> {
  throw new Error('nothing was to be stored')
}
