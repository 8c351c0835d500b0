/** Contract of accounts, memberships, registries and tokens. */
import { expect, test } from 'vitest'

import { UniqueViolationError } from '../catalog.ts'
import { org, repo, token, user } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

export function identitiesContract(make: MakeCatalog): void {
  test('an account is found by id and, without regard to case, by name', async () => {
    await using catalog = await make()
    const ann = user('u1', 'Ann-Lee', { fullname: 'Ann 李 🦉', email: 'ann@example.org', isAdmin: true })
    await catalog.tx((rows) => rows.accounts.insert(ann))
    expect(await catalog.rows.accounts.get('u1')).toEqual(ann)
    expect(await catalog.rows.accounts.getByName('aNN-lEE')).toEqual(ann)
    expect(await catalog.rows.accounts.getByName('Ann')).toBeNull()
    expect(await catalog.rows.accounts.get('U1')).toBeNull()
  })

  test('users and organizations share one space of names', async () => {
    await using catalog = await make()
    await catalog.tx((rows) => rows.accounts.insert(user('u1', 'acme')))
    const taken = catalog.tx((rows) => rows.accounts.insert(org('o1', 'ACME')))
    await expect(taken).rejects.toMatchObject({ name: 'UniqueViolationError', what: 'account name' })
    expect(await catalog.rows.accounts.list('org')).toEqual([])
  })

  test('a repeated id is a mistake of the caller, not a taken name', async () => {
    await using catalog = await make()
    await catalog.tx((rows) => rows.accounts.insert(user('u1', 'ann')))
    const repeated = catalog.tx((rows) => rows.accounts.insert(user('u1', 'bob')))
    await expect(repeated).rejects.not.toBeInstanceOf(UniqueViolationError)
  })

  test('update changes what it names and nothing else', async () => {
    await using catalog = await make()
    await catalog.tx(async (rows) => {
      await rows.accounts.insert(user('u1', 'ann', { email: 'a@example.org', fullname: 'Ann' }))
      await rows.accounts.insert(user('u2', 'bob'))
      await rows.accounts.update('u1', { email: null, isAdmin: true })
      await rows.accounts.update('u1', {})
    })
    expect(await catalog.rows.accounts.get('u1')).toEqual(
      user('u1', 'ann', { email: null, fullname: 'Ann', isAdmin: true }),
    )
    expect(await catalog.rows.accounts.get('u2')).toEqual(user('u2', 'bob'))
  })

  test('accounts are listed by kind, by name without regard to case', async () => {
    await using catalog = await make()
    await catalog.tx(async (rows) => {
      for (const name of ['zoe', 'Bob', 'ann', 'b_b', 'b-b'])
        await rows.accounts.insert(user(`id-${name}`, name))
      await rows.accounts.insert(org('o1', 'acme'))
    })
    const names = (await catalog.rows.accounts.list('user')).map((row) => row.name)
    expect(names).toEqual(['ann', 'b-b', 'b_b', 'Bob', 'zoe'])
    expect((await catalog.rows.accounts.list('org')).map((row) => row.id)).toEqual(['o1'])
  })

  test('a member has one role, which can change and end', async () => {
    await using catalog = await make()
    await catalog.tx(async (rows) => {
      for (const row of [user('ann'), user('bob'), org('zeta'), org('acme')]) await rows.accounts.insert(row)
      await rows.accounts.setMember({ orgId: 'acme', userId: 'ann', role: 'read' })
      await rows.accounts.setMember({ orgId: 'acme', userId: 'ann', role: 'admin' })
      await rows.accounts.setMember({ orgId: 'acme', userId: 'bob', role: 'write' })
      await rows.accounts.setMember({ orgId: 'zeta', userId: 'ann', role: 'contributor' })
    })
    const { accounts } = catalog.rows
    expect(await accounts.role('acme', 'ann')).toBe('admin')
    expect(await accounts.role('zeta', 'bob')).toBeNull()
    expect(await accounts.orgsOf('ann')).toEqual([
      { org: org('acme'), role: 'admin' },
      { org: org('zeta'), role: 'contributor' },
    ])
    expect(await accounts.membersOf('acme')).toEqual([
      { user: user('ann'), role: 'admin' },
      { user: user('bob'), role: 'write' },
    ])
    await catalog.tx((rows) => rows.accounts.removeMember('acme', 'ann'))
    expect(await accounts.role('acme', 'ann')).toBeNull()
    expect(await accounts.role('acme', 'bob')).toBe('write')
  })

  test('an account takes its tokens and memberships with it, but does not leave repositories behind', async () => {
    await using catalog = await make()
    await catalog.tx(async (rows) => {
      for (const row of [user('ann'), user('bob'), org('acme')]) await rows.accounts.insert(row)
      await rows.accounts.setMember({ orgId: 'acme', userId: 'ann', role: 'admin' })
      await rows.tokens.insert(token('t1', 'ann'))
      await rows.repos.insert(repo('r1', 'bob', { createdBy: 'ann' }))
    })
    await catalog.tx((rows) => rows.accounts.delete('ann'))
    expect(await catalog.rows.tokens.getByHash('hash of t1')).toBeNull()
    expect(await catalog.rows.accounts.membersOf('acme')).toEqual([])
    expect(await catalog.rows.repos.get('r1')).toMatchObject({ createdBy: null, ownerId: 'bob' })
    await expect(catalog.tx((rows) => rows.accounts.delete('bob'))).rejects.toThrow()
    expect(await catalog.rows.accounts.get('bob')).not.toBeNull()
  })

  test('the default registry is there from the start', async () => {
    await using catalog = await make()
    const registry = { id: 'default', orgId: null, slug: '', createdAt: 0 }
    expect(await catalog.rows.registries.get('default')).toEqual(registry)
    expect(await catalog.rows.registries.list()).toEqual([{ ...registry, orgName: null }])
  })

  test("a registry is found by its organization's name and its own", async () => {
    await using catalog = await make()
    const models = { id: 'g1', orgId: 'o1', slug: 'Models', createdAt: 5 }
    await catalog.tx(async (rows) => {
      await rows.accounts.insert(org('o1', 'Acme'))
      await rows.accounts.insert(org('o2', 'Beta'))
      await rows.registries.insert(models)
      await rows.registries.insert({ ...models, id: 'g2', orgId: 'o2' })
    })
    const { registries } = catalog.rows
    expect(await registries.getBySlug('aCME', 'mODELS')).toEqual({ ...models, orgName: 'Acme' })
    expect(await registries.getBySlug('acme', 'data')).toBeNull()
    expect((await registries.list()).map((row) => row.id)).toEqual(['default', 'g1', 'g2'])
    await expect(
      catalog.tx((rows) => rows.registries.insert({ ...models, id: 'g3', slug: 'MODELS' })),
    ).rejects.toMatchObject({ what: 'registry' })
    await catalog.tx((rows) => rows.registries.delete('g1'))
    expect(await registries.get('g1')).toBeNull()
  })

  test('a registry with repositories cannot be removed', async () => {
    await using catalog = await make()
    await catalog.tx(async (rows) => {
      await rows.accounts.insert(org('o1', 'Acme'))
      await rows.registries.insert({ id: 'g1', orgId: 'o1', slug: 'models', createdAt: 5 })
      await rows.repos.insert(repo('r1', 'o1', { registryId: 'g1', createdBy: null }))
    })
    await expect(catalog.tx((rows) => rows.registries.delete('g1'))).rejects.toThrow()
    expect(await catalog.rows.registries.get('g1')).not.toBeNull()
  })

  test('a token leads to its account', async () => {
    await using catalog = await make()
    const ann = user('u1', 'Ann', { isAdmin: true, fullname: 'Ann Lee', createdAt: 7 })
    const fine = token('t1', 'u1', {
      name: "Robert'); drop table tokens;--",
      role: 'fineGrained',
      grants: '[{"scope":"repo.write"}]',
      createdAt: 2,
      expiresAt: 9_007_199_254_740_991,
    })
    await catalog.tx(async (rows) => {
      await rows.accounts.insert(ann)
      await rows.tokens.insert(fine)
      await rows.tokens.insert(token('t0', 'u1', { createdAt: 1 }))
    })
    const { tokens } = catalog.rows
    expect(await tokens.getByHash(fine.hash)).toEqual({ token: fine, account: ann })
    expect(await tokens.get('t1')).toEqual({ token: fine, account: ann })
    expect(await tokens.getByHash('t1')).toBeNull()
    expect((await tokens.list('u1')).map((row) => row.id)).toEqual(['t0', 't1'])
    await catalog.tx((rows) => rows.tokens.touch('t1', 77))
    expect((await tokens.get('t1'))?.token).toEqual({ ...fine, lastUsedAt: 77 })
    expect((await tokens.get('t0'))?.token.lastUsedAt).toBeNull()
    await catalog.tx((rows) => rows.tokens.delete('t1'))
    expect(await tokens.getByHash(fine.hash)).toBeNull()
    expect(await tokens.list('u1')).toHaveLength(1)
  })

  test('two tokens never share a hash', async () => {
    await using catalog = await make()
    await catalog.tx(async (rows) => {
      await rows.accounts.insert(user('ann'))
      await rows.tokens.insert(token('t1', 'ann', { hash: 'same' }))
    })
    const twice = catalog.tx((rows) => rows.tokens.insert(token('t2', 'ann', { hash: 'same' })))
    await expect(twice).rejects.toMatchObject({ what: 'token' })
  })
}
