/** An administrator at work, through the entry that the route and the command share. */
import { HubError } from '@cairn/protocol/errors'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { accountState, openAccountDeps } from '../../test/account-deps.ts'
import type { Principal } from './access.ts'
import { admin, type AdminDeps } from './admin.ts'
import { readGrants } from './grants.ts'
import { hashToken } from './token-string.ts'
import { whoami } from './whoami.ts'

const operator = { kind: 'operator' } as Principal
let deps: Awaited<ReturnType<typeof openAccountDeps>> & AdminDeps
let repoCalls: unknown[]

beforeEach(async () => {
  repoCalls = []
  const record = (verb: string) => (_: Principal, args: unknown) =>
    Promise.resolve([repoCalls.push([verb, args])])
  deps = Object.assign(await openAccountDeps(), {
    repos: {
      create: record('create'),
      delete: record('delete'),
      restore: record('restore'),
      list: record('list'),
      repack: record('repack'),
    },
    work: {},
    storage: {
      accountQuota: (_: Principal, ...args: unknown[]) => Promise.resolve([repoCalls.push(args)]) as never,
      repoQuota: (_: Principal, ...args: unknown[]) => Promise.resolve([repoCalls.push(args)]) as never,
      stats: () => Promise.reject(new Error('not asked for here')),
    },
    backups: { create: record('create'), extend: record('extend'), delete: record('delete') } as never,
  })
})
afterEach(() => deps[Symbol.asyncDispose]())

const ask = (resource: string, verb: string, args: object = {}, principal = operator): Promise<unknown> =>
  admin(deps, principal, { resource, verb, args })

async function refusal(resource: string, verb: string, args: object, principal = operator): Promise<string> {
  const before = await accountState(deps)
  const error = await ask(resource, verb, args, principal).catch((e: unknown) => e)
  expect(error).toBeInstanceOf(HubError)
  expect(await accountState(deps)).toEqual(before)
  return (error as HubError).code
}

async function principalOf(token: string): Promise<Principal> {
  const found = await deps.catalog.rows.tokens.getByHash(hashToken(token))
  if (found === null) throw new Error('no such token')
  const { id, hash, role, grants } = found.token
  const { account } = found
  return {
    kind: 'user',
    accountId: account.id,
    name: account.name,
    isAdmin: account.isAdmin,
    tokenId: id,
    tokenHash: hash,
    tokenRole: role,
    grants: grants === null ? null : readGrants(grants),
  }
}

test('a user gets a token, joins an organization, and whoami knows', async () => {
  await ask('user', 'create', { name: 'Ada.L', fullname: 'Ada Lovelace', email: 'ada@example.org' })
  await ask('org', 'create', { name: 'acme' })
  await ask('member', 'create', { org: 'acme', user: 'ada.l', role: 'write' })
  const made = (await ask('token', 'create', { user: 'Ada.L', name: 'laptop', expiresInDays: 1 })) as {
    token: string
    id: string
  }
  expect(made.token).toMatch(/^hf_[A-Za-z0-9]{34}$/)

  expect(await whoami(deps, await principalOf(made.token))).toMatchObject({
    type: 'user',
    name: 'Ada.L',
    fullname: 'Ada Lovelace',
    email: 'ada@example.org',
    orgs: [{ type: 'org', name: 'acme', roleInOrg: 'write' }],
    auth: {
      type: 'access_token',
      accessToken: {
        displayName: 'laptop',
        role: 'write',
        expiration: expect.stringMatching(/^2026-01-02T/),
      },
    },
  })
  expect(JSON.stringify(await ask('token', 'list', { user: 'Ada.L' }))).not.toContain(made.token)
  expect(JSON.stringify(await accountState(deps))).not.toContain(made.token)

  await ask('token', 'delete', { user: 'Ada.L', token: 'laptop' })
  expect(await ask('token', 'list', { user: 'Ada.L' })).toEqual([])
  const audit = await deps.catalog.rows.audit.list({ limit: 100 })
  expect(audit.map((row) => [row.action, row.subject, row.actorId])).toEqual([
    ['token.delete', 'Ada.L/laptop', null],
    ['token.create', 'Ada.L/laptop', null],
    ['org.member.set', 'acme', null],
    ['org.create', 'acme', null],
    ['user.create', 'Ada.L', null],
  ])
})

test('a deleted token answers whoami like any invalid one; nobody and the operator are nobody', async () => {
  await ask('user', 'create', { name: 'ada' })
  const { token } = (await ask('token', 'create', { user: 'ada', name: 't' })) as { token: string }
  const principal = await principalOf(token)
  await ask('token', 'delete', { user: 'ada', token: 't' })
  await expect(whoami(deps, principal)).rejects.toMatchObject({ code: 'InvalidCredentials' })
  await expect(whoami(deps, { kind: 'anonymous' })).rejects.toMatchObject({ code: 'Unauthenticated' })
  await expect(whoami(deps, operator)).rejects.toMatchObject({ code: 'Unauthenticated' })
})

test('only administrators administer, and only with a token that may write', async () => {
  await ask('user', 'create', { name: 'root', isAdmin: true })
  await ask('user', 'create', { name: 'bob' })
  const tokenOf = async (user: string, role: string): Promise<Principal> =>
    principalOf(((await ask('token', 'create', { user, name: role, role })) as { token: string }).token)
  expect(await refusal('user', 'list', {}, { kind: 'anonymous' })).toBe('Unauthenticated')
  expect(await refusal('user', 'create', { name: 'eve' }, await tokenOf('bob', 'write'))).toBe('Forbidden')
  expect(await refusal('user', 'create', { name: 'eve' }, await tokenOf('root', 'read'))).toBe('Forbidden')
  const root = await tokenOf('root', 'write')
  await ask('user', 'create', { name: 'eve' }, root)
  expect((await deps.catalog.rows.audit.list({ limit: 1 }))[0]).toMatchObject({
    action: 'user.create',
    actorId: root.kind === 'user' && root.accountId,
  })
})

test('names and ids are given once, whatever their case; reserved words never', async () => {
  await ask('user', 'create', { name: '__Dotted.Name__', id: 'chosen_1' })
  expect(await refusal('org', 'create', { name: '__dotted.NAME__' })).toBe('Conflict')
  expect(await refusal('user', 'create', { name: 'other', id: 'chosen_1' })).toBe('Conflict')
  expect(await refusal('user', 'create', { name: 'Datasets' })).toBe('BadRequest')
  expect(await refusal('user', 'create', { name: 'a/b' })).toBe('BadRequest')
  expect(await refusal('user', 'create', { name: 'x', id: '../etc' })).toBe('BadRequest')
  expect(await refusal('user', 'create', { name: 'x', email: 'nobody' })).toBe('BadRequest')
  expect(await refusal('user', 'create', { name: 'x', unknown: 1 })).toBe('BadRequest')
})

const reserved =
  `api datasets spaces models buckets kernels oauth v2 settings new join login docs .well-known packages
  organizations access-token cas bridge health metrics collections notifications papers jobs assets logout
  huggingface v1 -`.split(/\s+/)

test.each(reserved)('%s is the name of no user, organization or registry', async (name) => {
  await ask('org', 'create', { name: 'reserving' })
  for (const spelling of [name, name.toUpperCase()]) {
    expect(await refusal('user', 'create', { name: spelling })).toBe('BadRequest')
    expect(await refusal('org', 'create', { name: spelling })).toBe('BadRequest')
    expect(await refusal('registry', 'create', { registry: `reserving/${spelling}` })).toBe('BadRequest')
  }
})

test('an account that owns something stays', async () => {
  await ask('user', 'create', { name: 'root', isAdmin: true })
  await ask('org', 'create', { name: 'acme' })
  await ask('member', 'create', { org: 'acme', user: 'root', role: 'admin' })
  const registry = (await ask('registry', 'create', { registry: 'acme/Staging' })) as {
    id: string
    path: string
  }
  expect(registry.path).toBe('/acme/Staging/huggingface')
  expect(await refusal('registry', 'create', { registry: 'ACME/staging' })).toBe('Conflict')
  expect(await refusal('user', 'delete', { name: 'root' })).toBe('Conflict')
  expect(await refusal('org', 'delete', { name: 'acme' })).toBe('Conflict')
  expect(await refusal('user', 'delete', { name: 'acme' })).toBe('NotFound')

  const org = await deps.catalog.rows.accounts.getByName('acme')
  await deps.catalog.tx((rows) => rows.repos.insert(repoRow(registry.id, org?.id ?? '')))
  expect(await refusal('registry', 'delete', { registry: 'acme/staging' })).toBe('Conflict')
  await deps.catalog.tx((rows) => rows.repos.markDeleted('r1', 1))
  expect(await refusal('registry', 'delete', { registry: 'acme/staging' })).toBe('Conflict')
  await deps.catalog.tx((rows) => rows.repos.purge('r1'))
  await ask('registry', 'delete', { registry: 'acme/staging' })
  await ask('org', 'delete', { name: 'acme' })
  expect(await ask('org', 'list')).toEqual([])
  expect(await ask('registry', 'list')).toMatchObject([{ org: null, path: '/' }])
})

test('repositories go to their own operations, with the registry by name', async () => {
  await ask('repo', 'create', {
    namespace: 'a',
    name: 'b',
    registry: 'acme/staging',
    type: 'dataset',
    private: true,
  })
  await ask('repo', 'delete', { namespace: 'a', name: 'b' })
  await ask('repo', 'restore', { namespace: 'a', name: 'b', as: { namespace: 'c', name: 'd' } })
  await ask('repo', 'list', {})
  expect(repoCalls).toEqual([
    [
      'create',
      {
        namespace: 'a',
        name: 'b',
        registry: { org: 'acme', slug: 'staging' },
        type: 'dataset',
        private: true,
      },
    ],
    ['delete', { namespace: 'a', name: 'b', registry: null, type: 'model', now: false }],
    [
      'restore',
      { namespace: 'a', name: 'b', registry: null, type: 'model', as: { namespace: 'c', name: 'd' } },
    ],
    ['list', { registry: null, limit: 1000, deleted: false }],
  ])
})

test.each([
  ['an unknown resource', { resource: 'toString', verb: 'list', args: {} }],
  ['an unknown verb', { resource: 'user', verb: 'constructor', args: {} }],
  ['no object', null],
  ['a member too many', { resource: 'user', verb: 'list', args: {}, more: 1 }],
  ['arguments of the wrong type', { resource: 'user', verb: 'create', args: { name: 7 } }],
])('%s is a bad request', async (_, request) => {
  await expect(admin(deps, operator, request)).rejects.toMatchObject({ code: 'BadRequest' })
})

test('a refused token string is not repeated', async () => {
  await ask('user', 'create', { name: 'ada' })
  const error = (await ask('token', 'create', { user: 'ada', name: 't', token: 'api_org_secret' }).catch(
    (e: unknown) => e,
  )) as Error
  expect(error).toMatchObject({ code: 'BadRequest' })
  expect(error.message).toMatch(/^token: /)
  expect(error.message).not.toContain('secret')
})

function repoRow(registryId: string, ownerId: string) {
  return {
    id: 'r1',
    registryId,
    ownerId,
    domainId: ownerId,
    type: 'model' as const,
    namespace: 'free',
    name: 'tiny',
    private: false,
    disabled: false,
    defaultRef: 'refs/heads/main',
    sdk: null,
    lfsMultipartAboveBytes: null,
    createdBy: null,
    createdAt: 0,
    lastModified: 0,
    refsDirty: false,
    deletedAt: null,
  }
}
