/** Locks of git-lfs: a sign to other people that a file is being worked on. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createRepo, getJson } from './client.ts'
import { expectRefusal, post } from './refusal.ts'

const ID = 'acme/art'
const LOCKS = `/${ID}.git/info/lfs/locks`
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5)

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock: () => NOW })
  await createRepo(hub, 'alice', ID)
})
afterAll(() => hub[Symbol.asyncDispose]())

interface Lock {
  id: string
  path: string
  locked_at: string
  owner: { name: string }
}

async function lock(account: 'alice' | 'root', path: string): Promise<Lock> {
  const answer = await hub.fetch(account, LOCKS, post({ path, ref: { name: 'refs/heads/main' } }))
  expect(answer.status).toBe(201)
  expect(answer.headers.get('Content-Type')).toBe('application/vnd.git-lfs+json')
  return ((await answer.json()) as { lock: Lock }).lock
}

const unlock = (account: 'alice' | 'root' | 'reader', { id }: Lock, force?: boolean) =>
  hub.fetch(account, `${LOCKS}/${id}/unlock`, post({ force }))

const paths = (locks: Lock[]) => locks.map(({ path }) => path)

test('a lock is made, seen, in the way of others, and taken away', async () => {
  const made = await lock('alice', 'scenes/first.blend')
  expect(made).toMatchObject({
    path: 'scenes/first.blend',
    locked_at: '2026-01-02T03:04:05.000Z',
    owner: { name: 'alice' },
  })
  const again = await hub.fetch('root', LOCKS, post({ path: 'scenes/first.blend' }))
  expect(again.status).toBe(409)
  expect(await again.json()).toMatchObject({ lock: made, message: expect.stringContaining('alice') })

  expect(await getJson(hub, null, `${LOCKS}?path=scenes/first.blend`)).toEqual({ locks: [made] })
  expect(await getJson(hub, null, `${LOCKS}?id=${made.id}`)).toEqual({ locks: [made] })
  expect(await getJson(hub, null, `${LOCKS}?path=other`)).toEqual({ locks: [] })
  expect(await getJson(hub, 'alice', `${LOCKS}/verify`, post({ limit: 0, cursor: '' }))).toEqual({
    ours: [made],
    theirs: [],
  })
  expect(await getJson(hub, 'root', `${LOCKS}/verify`, post({}))).toEqual({ ours: [], theirs: [made] })

  await expectRefusal(await unlock('root', made), 'Forbidden')
  const freed = await unlock('alice', made)
  expect([freed.status, await freed.json()]).toEqual([200, { lock: made }])
  await expectRefusal(await unlock('alice', made), 'NotFound')
})

test('somebody else who may write takes a lock away by force, and the audit says whose it was', async () => {
  const made = await lock('alice', 'forgotten.blend')
  expect((await unlock('root', made, true)).status).toBe(200)
  const audit = await getJson<object[]>(
    hub,
    'root',
    '/api/admin',
    post({ resource: 'audit', verb: 'list', args: { repo: ID, action: 'lfs.unlock', actor: 'root' } }),
  )
  expect(audit).toMatchObject([{ actor: 'root', details: expect.stringContaining('"owner":"alice"') }])
})

test('a long list comes in pages', async () => {
  const made: Lock[] = []
  for (let index = 0; index < 5; index += 1) made.push(await lock('alice', `pages/${index}.bin`))
  const seen: Lock[] = []
  let cursor: string | undefined = ''
  while (cursor !== undefined) {
    const page: { locks: Lock[]; next_cursor?: string } = await getJson(
      hub,
      'alice',
      `${LOCKS}?limit=2${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`,
    )
    seen.push(...page.locks)
    cursor = page.next_cursor
  }
  expect(paths(seen).toSorted()).toEqual(paths(made))
  for (const one of made) await unlock('alice', one)
})

test('readers see locks and make none', async () => {
  await expectRefusal(await hub.fetch('reader', LOCKS, post({ path: 'a' })), 'Forbidden')
  await expectRefusal(await hub.fetch('reader', `${LOCKS}/verify`, post({})), 'Forbidden')
  await expectRefusal(await hub.fetch(null, LOCKS, post({ path: 'a' })), 'Unauthenticated')
})

test.each(['', '../up', '.git/config', 'a//b', 'nul\u0000'])('the path %j is refused', async (path) => {
  await expectRefusal(await hub.fetch('alice', LOCKS, post({ path })), 'Invalid')
})
