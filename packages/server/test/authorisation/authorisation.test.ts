/**
 * Routes × principals × visibility: the hub is asked for every cell of policy.ts. The routes come from the hub's own
 * table, what is expected of them does not.
 */
import { readFile } from 'node:fs/promises'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { routes } from '../../src/http/routes/index.ts'
import { batchBody } from '../client.ts'
import { post } from '../refusal.ts'
import { namesRepo, OBJECT, repoRequests, type RepoRequest } from '../repo-routes.ts'
import {
  CAS_ROUTES,
  cell,
  DEAF_ROUTES,
  formatPolicy,
  HUB_NEEDS,
  HUB_ROUTES,
  ON_HUB,
  ON_REPOS,
  REPO_NEEDS,
  ROUTES,
  ruleOf,
  type Outcome,
  type PrincipalName,
  type RepoNeed,
} from './policy.ts'
import { ask, NAMES, outcomeOf, PREFIX, startWorld, type World } from './principals.ts'

let world: World
beforeAll(async () => {
  world = await startWorld()
})
afterAll(() => world[Symbol.asyncDispose]())

const PRINCIPALS = Object.keys(ON_REPOS) as PrincipalName[]

test('every route has its line in the policy, and every line its route', () => {
  const there = routes.filter(({ absent }) => !absent)
  const names = there.map(({ method, path }) => `${method} ${path}`)
  const lines = [ROUTES, CAS_ROUTES, HUB_ROUTES, DEAF_ROUTES].flatMap((table) => Object.keys(table))
  const named = new Set(lines.map((line) => line.replace(/\?.*| \(.*\)$/, '')))
  expect([...named].toSorted()).toEqual(names.toSorted())
  for (const route of there.filter(namesRepo))
    expect(ROUTES, 'a route that names a repository').toHaveProperty([`${route.method} ${route.path}`])
})

test('docs/operations.md says the same', async () => {
  const operations = await readFile(new URL('../../../../docs/operations.md', import.meta.url), 'utf8')
  const [, section = ''] = operations.split('## Who may do what\n')
  const [table = ''] = /^\|.*\|$(?:\n\|.*\|$)*/m.exec(section) ?? []
  expect(table).toBe(formatPolicy())
})

interface Place {
  visibility: keyof typeof NAMES
  /** Of a registry. There all repositories are the organization's, and copies stay in it. */
  prefix: string
}

/** What the principal's row says of it. */
function expected(
  principal: PrincipalName,
  need: RepoNeed | 'signature',
  { visibility, prefix }: Place,
): Outcome {
  if (need === 'signature') return 'no'
  const row = ON_REPOS[principal][visibility === 'public' ? 0 : 1]
  const outcome = cell(REPO_NEEDS, row, need)
  const isCopy = need === 'copy' && prefix !== '' && cell(REPO_NEEDS, row, 'read') === 'yes'
  return isCopy ? cell(HUB_NEEDS, ON_HUB[principal], 'create') : outcome
}

/** Requests whose repository stands in the body, or whose body makes them another. */
const BY_BODY: readonly RepoRequest[] = [
  {
    route: 'POST {web}/info/lfs/objects/batch (download)',
    name: 'download',
    path: (id) => `/${id}.git/info/lfs/objects/batch`,
    init: () => batchBody('download', [OBJECT]),
  },
  {
    route: 'POST /api/repos/move',
    name: 'rename',
    path: () => '/api/repos/move',
    init: (target) => post({ fromRepo: target?.id, toRepo: target?.id }),
  },
  {
    route: 'DELETE /api/repos/delete',
    name: 'delete',
    path: () => '/api/repos/delete',
    init: (target) => post({ name: target?.id }, 'DELETE'),
  },
]

/** A deleted one is brought back for whoever comes next. */
async function undo(route: string, id: string, { prefix }: Place): Promise<void> {
  if (route !== 'DELETE /api/repos/delete') return
  const [namespace, name] = id.split('/')
  const args = { namespace, name, ...(prefix === '' ? {} : { registry: 'acme/lab' }) }
  await world.hub.hub.admin({ resource: 'repo', verb: 'restore', args })
}

describe.each<Place>([
  { visibility: 'public', prefix: '' },
  { visibility: 'private', prefix: '' },
  { visibility: 'private', prefix: PREFIX },
])('a $visibility repository at $prefix/', (place) => {
  // A registry belongs to the organization; and what is no credential at all is none there, either.
  const principals = PRINCIPALS.filter((name) => place.prefix === '' || !/^owner| token$|account$/.test(name))

  test.each([...repoRequests('model', true), ...BY_BODY])('$route', async ({ route, path, init }) => {
    const { need, statuses } = ruleOf(ROUTES[route] ?? 'read')
    const found: Record<string, string> = {}
    for (const name of principals) {
      const asker = world.askers[name]
      const id = `${place.prefix === '' ? asker.namespace : 'acme'}/${NAMES[place.visibility]}`
      const answer = await ask(world, asker, place.prefix + path(id), init({ id, account: asker.account }))
      found[name] = await outcomeOf(answer, statuses)
      if (found[name] === 'yes') await undo(route, id, place)
    }
    expect(found).toEqual(Object.fromEntries(principals.map((name) => [name, expected(name, need, place)])))
  })
})

const HUB_BODIES: Readonly<Record<string, object>> = {
  'POST /api/validate-yaml': { content: '---\nlicense: mit\n---\n' },
  'POST /api/repos/create': { organization: 'acme', name: 'open' },
  'PUT /api/organizations/:org/members/:user/role': { role: 'read' },
  'POST /api/settings/tokens': { name: 'taken', role: 'read' },
  'POST /api/admin': { resource: 'user', verb: 'list' },
}

const HUB_VALUES: Readonly<Record<string, string>> = {
  user: 'viewer',
  org: 'acme',
  name: 'acme',
  token: 'nobody',
}

test.each(Object.entries(HUB_ROUTES))('%s', async (route, rule) => {
  const { need, statuses } = ruleOf(rule)
  const [method = '', pattern = ''] = route.split(' ')
  const path = pattern.replace(/:(\w+)/g, (_, name: string) => HUB_VALUES[name] ?? name)
  const found: Record<string, string> = {}
  for (const name of PRINCIPALS) {
    const body = HUB_BODIES[route]
    const init = body === undefined ? { method } : post(body, method)
    found[name] = await outcomeOf(await ask(world, world.askers[name], path, init), statuses)
  }
  expect(found).toEqual(
    Object.fromEntries(PRINCIPALS.map((name) => [name, cell(HUB_NEEDS, ON_HUB[name], need)])),
  )
})

test.each(Object.entries(DEAF_ROUTES))('%s answers everybody the same', async (route, status) => {
  const [method = '', path = ''] = route.split(' ')
  for (const name of PRINCIPALS) {
    const answer = await ask(world, world.askers[name], path, { method })
    expect([name, answer.status]).toEqual([name, status])
    await answer.body?.cancel()
  }
})
