/**
 * Whatever happens to what is private, those who may not see it see nothing of it: lists, searches, counts, tags, likes,
 * relations and profiles stay as they were, byte for byte, and say the same of every caller as the repositories do.
 */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commitBody, createRepo, file, getJson } from '../client.ts'
import { post } from '../refusal.ts'
import type { PrincipalName } from './policy.ts'
import { ask, PREFIX, startWorld, type World } from './principals.ts'

type Account = Parameters<TestHub['fetch']>[0]

describe('a stranger', () => {
  let hub: TestHub
  const now = Date.UTC(2026, 5, 1)
  beforeAll(async () => {
    hub = await startHub({ clock: () => now })
    await hub.hub.admin({ resource: 'registry', verb: 'create', args: { registry: 'acme/lab' } })
    await createRepo(hub, 'alice', 'alice/base', { license: 'mit' })
    await createRepo(hub, 'alice', 'acme/other')
    await hub.fetch('alice', '/api/models/alice/base/like', { method: 'POST' })
  })
  afterAll(() => hub[Symbol.asyncDispose]())

  const LISTS = [
    '/api/models',
    '/api/models?search=secret',
    '/api/models?author=alice&full=true&cardData=true',
    '/api/models?author=acme',
    '/api/models?filter=hush',
    '/api/models?sort=likes&direction=-1&limit=1',
    '/api/models?sort=lastModified&limit=1',
    '/api/models?sort=downloads&limit=1',
    '/api/models?sort=trendingScore&limit=1',
    '/api/models?limit=2',
    '/api/datasets',
    '/api/spaces?models=alice/base',
    '/api/models-tags-by-type',
    '/api/datasets-tags-by-type',
    '/api/quicksearch?q=secret',
    '/api/quicksearch?q=a',
    '/api/trending',
  ]
  const PATHS = [
    ...LISTS,
    ...LISTS.map((path) => PREFIX + path),
    '/api/models/alice/base',
    '/api/models/alice/base?expand[]=childrenModelCount&expand[]=spaces&expand[]=likes&expand[]=downloads',
    '/api/models/alice/base/likers',
    '/api/models/alice/base/downloads',
    '/api/users/alice/overview',
    '/api/users/alice/likes',
    '/api/users/alice/likes?limit=1',
    `${PREFIX}/api/users/alice/likes`,
    '/api/organizations/acme/overview',
    `${PREFIX}/api/organizations/acme/overview`,
    '/api/organizations/acme/members',
    '/api/organizations/acme/settings/repositories',
    '/api/settings/repositories',
    '/api/whoami-v2',
  ]

  async function everything(as: Account): Promise<Record<string, unknown>> {
    const seen: Record<string, unknown> = {}
    for (const path of PATHS) {
      const answer = await hub.fetch(as, path)
      const headers = Object.fromEntries(answer.headers)
      for (const varying of ['date', 'x-request-id']) delete headers[varying]
      seen[path] = { status: answer.status, headers, text: await answer.text() }
    }
    return seen
  }

  const card = (fields: string) => file('README.md', `---\n${fields}\n---\nA secret of Alice's.\n`)
  const json = (path: string, init: RequestInit) => getJson(hub, 'alice', path, init)
  const ok = async (path: string, init?: RequestInit) =>
    expect((await hub.fetch('alice', path, init)).status).toBe(200)

  /** In the order in which they happen. */
  const steps: Record<string, () => Promise<unknown>> = {
    async 'repositories are made'() {
      const create = (prefix: string, body: object) =>
        json(`${prefix}/api/repos/create`, post({ private: true, ...body }))
      await create('', { organization: 'alice', name: 'secret' })
      await create('', { organization: 'acme', name: 'secret' })
      await create('', { organization: 'alice', name: 'secret', type: 'dataset' })
      await create('', { organization: 'alice', name: 'secret', type: 'space', sdk: 'static' })
      await create(PREFIX, { organization: 'anyone', name: 'secret' })
    },
    async 'cards name public ones'() {
      const fields = 'base_model: alice/base\nmodels: [alice/base]\ntags: [hush]\npipeline_tag: fill-mask'
      for (const path of ['models/alice/secret', 'models/acme/secret', 'spaces/alice/secret'])
        await json(`/api/${path}/commit/main`, commitBody([card(fields)]))
      await json(`${PREFIX}/api/models/anyone/secret/commit/main`, commitBody([card(fields)]))
    },
    async 'they are liked and downloaded'() {
      for (const path of ['/api/models/alice/secret', `${PREFIX}/api/models/anyone/secret`]) {
        await ok(`${path}/like`, { method: 'POST' })
        await ok(path.replace('/api/models', '') + '/resolve/main/README.md')
      }
      await hub.hub.ops.downloads.flush()
    },
    'they are renamed': () =>
      json('/api/repos/move', post({ fromRepo: 'alice/secret', toRepo: 'alice/hidden' })),
    'they are duplicated': () =>
      json('/api/models/alice/hidden/duplicate', post({ repository: 'acme/copy', private: true })),
    'they are deleted': () => ok('/api/repos/delete', post({ name: 'alice/hidden' }, 'DELETE')),
    async 'public ones are made and deleted'() {
      await createRepo(hub, 'alice', 'alice/brief')
      await ok('/api/models/alice/brief/like', { method: 'POST' })
      await ok('/api/repos/delete', post({ name: 'alice/brief' }, 'DELETE'))
    },
  }

  test('sees nothing of them', async () => {
    const before = { bob: await everything('bob'), nobody: await everything(null) }
    expect(JSON.stringify(before)).toContain('alice/base')
    for (const [what, happen] of Object.entries(steps)) {
      await happen()
      expect([what, { bob: await everything('bob'), nobody: await everything(null) }]).toEqual([what, before])
    }
    const owners = JSON.stringify(await everything('alice'))
    for (const shown of ['acme/secret', 'anyone/secret', 'acme/copy']) expect(owners).toContain(shown)
    expect(owners).not.toContain('alice/hidden')
  })
})

test('a list shows to everybody what each may read by its name', async () => {
  await using world: World = await startWorld()
  const all = await ids(world, 'administrator')
  expect(all).toHaveLength(5)
  for (const name of Object.keys(world.askers) as PrincipalName[]) {
    const readable: string[] = []
    for (const id of all) {
      const answer = await ask(world, world.askers[name], `/api/models/${id}`, {})
      await answer.arrayBuffer()
      if (answer.status === 200) readable.push(id)
    }
    const listed = await ids(world, name)
    // A token for single repositories reads them by name; in lists it sees what is public.
    const narrow = /these repositories|another repository/.test(name)
    expect([name, listed]).toEqual([name, narrow ? ['acme/open', 'alice/open'] : readable])
    for (const id of listed) expect(readable).toContain(id)
  }
})

async function ids(world: World, name: PrincipalName): Promise<string[]> {
  const answer = await ask(world, world.askers[name], '/api/models', {})
  const body = (await answer.json()) as { id: string }[] | { error: string }
  return Array.isArray(body) ? body.map(({ id }) => id).toSorted() : []
}
