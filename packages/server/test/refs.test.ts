/** refs, commits, branch, tag: hub-api.md §5. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson, headOf } from './client.ts'
import { post, refuses } from './refusal.ts'

const ID = 'alice/tiny'
const API = `/api/models/${ID}`

let hub: TestHub
let first: string
let head: string
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', ID)
  first = await headOf(hub, 'alice', ID)
  head = await commit(hub, 'alice', ID, [file('a', '1')], { summary: 'Title <b>', description: 'A body' })
  await getJson(hub, 'alice', `${API}/branch/dev`, post({}))
  await getJson(hub, 'alice', `${API}/tag/main`, post({ tag: 'v1' }))
})
afterAll(() => hub[Symbol.asyncDispose]())

interface Refs {
  branches: { name: string; ref: string; targetCommit: string }[]
  tags: { name: string; ref: string; targetCommit: string }[]
}
const refs = (): Promise<Refs> => getJson<Refs>(hub, null, `${API}/refs`)

test('refs have a short name, a full one and a commit', async () => {
  const listed = await getJson(hub, null, `${API}/refs`)
  expect(listed).toMatchObject({
    branches: expect.arrayContaining([{ name: 'main', ref: 'refs/heads/main', targetCommit: head }]),
    tags: [{ name: 'v1', ref: 'refs/tags/v1', targetCommit: head }],
    converts: [],
  })
  expect(listed).not.toHaveProperty('pullRequests')
  expect(await getJson(hub, null, `${API}/refs?include_prs=1`)).toMatchObject({ pullRequests: [] })
})

describe('commits', () => {
  test('come newest first, with title and body apart', async () => {
    const answer = await hub.fetch(null, `${API}/commits/main?expand[]=formatted`)
    expect(answer.headers.get('X-Total-Count')).toBe('2')
    expect(await answer.json()).toMatchObject([
      {
        id: head,
        title: 'Title <b>',
        message: 'A body',
        authors: [{ user: 'alice' }],
        formatted: { title: 'Title &lt;b&gt;', message: 'A body' },
      },
      { id: first, title: 'initial commit', message: '' },
    ])
  })

  test('pages follow one another by absolute links', async () => {
    const page = await hub.fetch(null, `${API}/commits/main?limit=1`)
    expect(await page.json()).toMatchObject([{ id: head }])
    const next = /^<(http[^>]+)>; rel="next"$/.exec(page.headers.get('Link') ?? '')?.[1]
    const last = await fetch(next ?? '')
    expect(await last.json()).toMatchObject([{ id: first }])
    expect(last.headers.get('Link')).toBeNull()
  })

  refuses(() => hub, {
    'an unknown revision': { path: `${API}/commits/none`, refusal: 'RevisionNotFound' },
    'a limit of 0': { path: `${API}/commits/main?limit=0`, refusal: 'BadRequest' },
    'a limit that is text': { path: `${API}/commits/main?limit=x`, refusal: 'BadRequest' },
    'a forged cursor': { path: `${API}/commits/main?cursor=1`, refusal: 'BadRequest' },
  })
})

describe('branch', () => {
  test('starts at a branch, a tag, a whole id or a short one', async () => {
    const starts = { main: head, v1: head, [first]: first, [first.slice(0, 7)]: first }
    for (const [index, [startingPoint, oid]] of Object.entries(starts).entries()) {
      await getJson(hub, 'alice', `${API}/branch/from-${index}`, post({ startingPoint }))
      expect(await headOf(hub, null, ID, `from-${index}`)).toBe(oid)
    }
  })

  test('may have slashes, plus, blanks encoded and letters of any language in its name', async () => {
    for (const name of ['feature/x', 'a+b', 'größe', 'v1']) {
      await getJson(hub, 'alice', `${API}/branch/${encodeURIComponent(name)}`, post({}))
      expect(await headOf(hub, null, ID, name)).toBe(head)
      const answer = await hub.fetch('alice', `${API}/branch/${encodeURIComponent(name)}`, {
        method: 'DELETE',
      })
      expect(answer.status).toBe(200)
    }
  })

  test('may begin empty, with a history of its own', async () => {
    await getJson(hub, 'alice', `${API}/branch/empty`, post({ emptyBranch: true }))
    expect(await getJson(hub, null, `${API}/tree/empty`)).toEqual([])
    expect(await getJson(hub, null, `${API}/commits/empty`)).toHaveLength(1)
  })

  test('overwritten without a start stays, with one it moves', async () => {
    await getJson(hub, 'alice', `${API}/branch/moved`, post({ startingPoint: first }))
    await getJson(hub, 'alice', `${API}/branch/moved`, post({ overwrite: true }))
    expect(await headOf(hub, null, ID, 'moved')).toBe(first)
    await getJson(hub, 'alice', `${API}/branch/moved`, post({ overwrite: true, startingPoint: 'main' }))
    expect(await headOf(hub, null, ID, 'moved')).toBe(head)
  })

  const create = (name: string, body: unknown = {}) => ({
    path: `${API}/branch/${name}`,
    init: post(body),
  })
  refuses(() => hub, {
    'a branch that exists': { ...create('dev'), refusal: 'Conflict' },
    'an unknown start': { ...create('x', { startingPoint: 'none' }), refusal: 'RevisionNotFound' },
    'a start of another type': { ...create('x', { startingPoint: 7 }), refusal: 'BadRequest' },
    'broken JSON': { path: `${API}/branch/x`, init: { method: 'POST', body: '{' }, refusal: 'BadRequest' },
    'a pull request by hand': { ...create('refs%2Fpr%2F1'), refusal: 'BadRequest' },
    'a ref by its full name': { ...create('refs/heads/x'), refusal: 'BadRequest' },
    'the name HEAD': { ...create('HEAD'), refusal: 'BadRequest' },
    'a name that looks like a commit': { ...create('a'.repeat(40)), refusal: 'BadRequest' },
    'a name with ..': { ...create('a..b'), refusal: 'BadRequest' },
    'a name with a blank': { ...create('a%20b'), refusal: 'BadRequest' },
    'a name with a backslash': { ...create('a%5Cb'), refusal: 'BadRequest' },
    'a name with NUL': { ...create('a%00b'), refusal: 'BadRequest' },
    'a name that begins with -': { ...create('-x'), refusal: 'BadRequest' },
    'a name that ends in .lock': { ...create('x.lock'), refusal: 'BadRequest' },
    'a name that is too long': { ...create('x'.repeat(300)), refusal: 'BadRequest' },
    'a branch below another': { ...create('dev/sub'), refusal: 'Conflict' },
    'the deletion of main': { path: `${API}/branch/main`, init: { method: 'DELETE' }, refusal: 'Forbidden' },
    'the deletion of a missing branch': {
      path: `${API}/branch/none`,
      init: { method: 'DELETE' },
      refusal: 'RevisionNotFound',
    },
    'the deletion of a tag as a branch': {
      path: `${API}/branch/v1`,
      init: { method: 'DELETE' },
      refusal: 'RevisionNotFound',
    },
    'a stranger': { as: 'bob', ...create('x'), refusal: 'Forbidden' },
    'a deletion by a stranger': {
      as: 'bob',
      path: `${API}/branch/dev`,
      init: { method: 'DELETE' },
      refusal: 'Forbidden',
    },
    'a deletion by nobody': {
      as: null,
      path: `${API}/branch/dev`,
      init: { method: 'DELETE' },
      refusal: 'Unauthenticated',
    },
  })
})

describe('tag', () => {
  test('with a message is annotated and still leads to its commit', async () => {
    await getJson(hub, 'alice', `${API}/tag/${first}`, post({ tag: 'v0', message: 'the first' }))
    expect((await refs()).tags).toContainEqual({ name: 'v0', ref: 'refs/tags/v0', targetCommit: first })
    expect(await headOf(hub, null, ID, 'v0')).toBe(first)
  })

  test('stays where it is when the branch moves on, and can be deleted', async () => {
    await getJson(hub, 'alice', `${API}/tag/dev`, post({ tag: 'still' }))
    await commit(hub, 'alice', ID, [file('b', '2')], {}, 'dev')
    expect(await headOf(hub, null, ID, 'still')).toBe(head)
    expect((await hub.fetch('alice', `${API}/tag/still`, { method: 'DELETE' })).status).toBe(200)
    expect((await refs()).tags.map(({ name }) => name)).not.toContain('still')
  })

  const create = (body: unknown, revision = 'main') => ({ path: `${API}/tag/${revision}`, init: post(body) })
  refuses(() => hub, {
    'a tag that exists': { ...create({ tag: 'v1' }), refusal: 'Conflict' },
    'an unknown revision': { ...create({ tag: 'x' }, 'none'), refusal: 'RevisionNotFound' },
    'no name': { ...create({}), refusal: 'BadRequest' },
    'a name of another type': { ...create({ tag: 1 }), refusal: 'BadRequest' },
    'an invalid name': { ...create({ tag: 'a..b' }), refusal: 'BadRequest' },
    'an empty name': { ...create({ tag: '' }), refusal: 'BadRequest' },
    'a message with NUL': { ...create({ tag: 'x', message: 'a\0b' }), refusal: 'BadRequest' },
    'a message beyond its limit': {
      ...create({ tag: 'x', message: 'x'.repeat(300 * 1024) }),
      refusal: 'BadRequest',
    },
    'the deletion of a missing tag': {
      path: `${API}/tag/none`,
      init: { method: 'DELETE' },
      refusal: 'RevisionNotFound',
    },
    'the deletion of a branch as a tag': {
      path: `${API}/tag/dev`,
      init: { method: 'DELETE' },
      refusal: 'RevisionNotFound',
    },
    'a stranger': { as: 'bob', ...create({ tag: 'x' }), refusal: 'Forbidden' },
    'a token that may only read': { as: 'reader', ...create({ tag: 'x' }), refusal: 'Forbidden' },
  })
})
