/**
 * Hidden equals absent, for every route and whatever hides it: a repository that the caller may not read gets the answer
 * of a name that was never taken, byte for byte, and is looked for by the same look-ups, so that time tells nothing.
 */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commitBody, createRepo, file, getJson } from '../client.ts'
import { post } from '../refusal.ts'
import { repoRequests, type RepoRequest } from '../repo-routes.ts'
import { countLookups, stopJobs, type Lookups } from './lookups.ts'
import { PREFIX } from './principals.ts'

type Account = Parameters<TestHub['fetch']>[0]

/** As long as every name below, and nobody's. */
const MISSING = 'absent'

let hub: TestHub
let lookups: Lookups
let narrow: Account = null
let left: Account = null
beforeAll(async () => {
  hub = await startHub()
  stopJobs(hub)
  await operate('registry', 'create', { registry: 'acme/lab' })
  for (const [address, options] of [
    ['/alice/secret', { private: true }],
    ['/alice/former', { private: true }],
    ['/alice/barred', { private: true }],
    ['/alice/buried', { private: true }],
    ['/alice/erased', { private: false }],
    ['/acme/secret', { private: true }],
    [`${PREFIX}/anyone/secret`, { private: true }],
    ['/alice/narrow', { private: true }],
  ] as const)
    await fill(address, options)
  await createRepo(hub, 'bob', 'bob/own')
  await getJson(hub, 'alice', '/api/repos/move', post({ fromRepo: 'alice/former', toRepo: 'alice/latest' }))
  for (const name of ['alice/buried', 'alice/erased'])
    expect((await hub.fetch('alice', '/api/repos/delete', post({ name }, 'DELETE'))).status).toBe(200)
  const { rows } = hub.hub.ops.catalog
  const barred = await rows.repos.getByName('default', 'model', 'alice', 'barred')
  await hub.hub.ops.catalog.tx((tx) => tx.repos.update(barred?.id ?? '', { disabled: true }))
  narrow = await token({ user: 'alice', role: 'fineGrained', scopes: ['alice/narrow=repo.write'] })
  await operate('user', 'create', { name: 'carol' })
  await operate('member', 'create', { org: 'acme', user: 'carol', role: 'write' })
  left = await token({ user: 'carol', role: 'write' })
  await operate('member', 'delete', { org: 'acme', user: 'carol' })
  lookups = countLookups(hub)
})
afterAll(() => hub[Symbol.asyncDispose]())

function operate(resource: string, verb: string, args: object): Promise<unknown> {
  return hub.hub.admin({ resource, verb, args })
}

async function token(args: object): Promise<Account> {
  return ((await operate('token', 'create', { name: 't', ...args })) as { token: Account }).token
}

async function fill(address: string, options: { private: boolean }): Promise<void> {
  const [, prefix = '', organization = '', name = ''] = /^(.*)\/([^/]+)\/([^/]+)$/.exec(address) ?? []
  await getJson(hub, 'alice', `${prefix}/api/repos/create`, post({ name, organization, ...options }))
  const body = commitBody([file('README.md', 'secret')])
  await getJson(hub, 'alice', `${prefix}/api/models/${organization}/${name}/commit/main`, body)
}

interface Hiding {
  what: string
  namespace: string
  name: string
  prefix?: string
  askers: () => Account[]
}

const strangers = (): Account[] => [null, 'bob']
const HIDINGS: readonly Hiding[] = [
  { what: 'private', namespace: 'alice', name: 'secret', askers: () => [...strangers(), narrow] },
  { what: 'of an organization', namespace: 'acme', name: 'secret', askers: () => [...strangers(), left] },
  { what: 'in a registry', prefix: PREFIX, namespace: 'anyone', name: 'secret', askers: strangers },
  { what: 'by its old name', namespace: 'alice', name: 'former', askers: () => [...strangers(), narrow] },
  { what: 'by its new name', namespace: 'alice', name: 'latest', askers: strangers },
  { what: 'disabled', namespace: 'alice', name: 'barred', askers: strangers },
  // Also to those whose it was: its name is free.
  { what: 'deleted', namespace: 'alice', name: 'buried', askers: () => [...strangers(), 'alice', 'root'] },
  { what: 'deleted, once public', namespace: 'alice', name: 'erased', askers: () => [null, 'bob', 'alice'] },
]

/** Everything about an answer that could tell one name from another. */
async function seen(as: Account, path: string, init: RequestInit, names: RegExp): Promise<object> {
  lookups.clear()
  const answer = await hub.fetch(as, path, init)
  const text = await answer.text()
  const headers = Object.fromEntries(answer.headers)
  for (const varying of ['date', 'x-request-id']) delete headers[varying]
  // git-lfs finds the request's id in the body.
  const id = answer.headers.get('X-Request-Id') ?? ''
  const generic = (value: string) => value.replaceAll(id, '*').replaceAll(names, '*')
  const shown = JSON.parse(generic(JSON.stringify({ status: answer.status, headers, text }))) as object
  return { ...shown, lookups: lookups.made() }
}

/** Where the repository stands in the body. */
const BY_BODY: readonly RepoRequest[] = [
  {
    route: 'DELETE /api/repos/delete',
    name: 'delete',
    path: () => '/api/repos/delete',
    init: (target) => post({ name: target?.id }, 'DELETE'),
  },
  {
    route: 'POST /api/repos/move',
    name: 'move',
    path: () => '/api/repos/move',
    init: (target) => post({ fromRepo: target?.id, toRepo: 'bob/taken' }),
  },
  {
    route: 'POST {api}/lfs-files/duplicate, into',
    name: 'duplicate into',
    path: () => '/api/models/bob/own/lfs-files/duplicate',
    init: (target) => post({ target: { type: 'model', name: target?.id }, files: [] }),
  },
]

/** Of names that are nobody's, by who asked what where: they are the same whatever they are compared with. */
const missing = new Map<string, object>()

describe.each(HIDINGS)('$what', ({ what, namespace, name, prefix = '', askers }) => {
  test.each([...repoRequests('model', true), ...BY_BODY])('$name', async ({ route, path, init }) => {
    const names = new RegExp(`${name}|${MISSING}`, 'g')
    // What a HEAD says does not depend on what hides it.
    const methods = init().method === 'GET' && what === 'private' ? ['GET', 'HEAD'] : [init().method ?? 'GET']
    for (const as of askers())
      for (const method of methods) {
        const ask = (asked: string) => {
          const id = `${namespace}/${asked}`
          return seen(as, prefix + path(id), { ...init({ id, account: 'bob' }), method }, names)
        }
        const key = [as, method, route, prefix, namespace].join(' ')
        const absent = missing.get(key) ?? (await ask(MISSING))
        missing.set(key, absent)
        expect(await ask(name)).toEqual(absent)
      }
  })
})

test('what is compared does differ where a repository is shown', async () => {
  const names = /narrow|absent/g
  const shown = await seen('alice', '/api/models/alice/narrow', {}, names)
  expect(shown).not.toEqual(await seen('alice', '/api/models/alice/absent', {}, names))
  expect(lookups.made()).toContain('repos.getByName')
})

test.each(['secret', 'former', 'latest', 'barred', 'buried', 'erased'])(
  'who may not create %s does not learn whether it is there',
  async (name) => {
    const names = new RegExp(`${name}|${MISSING}`, 'g')
    const create = (taken: string) => post({ name: taken, organization: 'alice' })
    const copy = (taken: string) => post({ repository: `alice/${taken}` })
    const move = (taken: string) => post({ fromRepo: 'alice/narrow', toRepo: `alice/${taken}` })
    for (const as of [null, 'bob', narrow] as const)
      for (const [path, body] of [
        ['/api/repos/create', create],
        ['/api/models/alice/narrow/duplicate', copy],
        ['/api/repos/move', move],
      ] as const)
        expect(await seen(as, path, body(name), names)).toEqual(await seen(as, path, body(MISSING), names))
  },
)
