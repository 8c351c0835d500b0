/** Repositories are packed while they are used, and nothing that the catalog knows of is ever taken away. */
import { randomBytes } from 'node:crypto'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { pruneRepo, tidyRepo } from '../src/ops/housekeeping.ts'
import { commit, createRepo, file, getJson, headOf } from './client.ts'
import { post } from './refusal.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
})
afterAll(() => hub[Symbol.asyncDispose]())

async function storageId(id: string): Promise<string> {
  const [namespace = '', name = ''] = id.split('/')
  return (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', namespace, name))!.id
}

const text = async (id: string, revision: string) =>
  (await hub.fetch('alice', `/${id}/resolve/${revision}/a.txt`)).text()

test('a repository with many small commits is packed, while commits go on', async () => {
  const id = await createRepo(hub, 'alice', 'alice/busy')
  for (let index = 0; index < 101; index += 1) await commit(hub, 'alice', id, [file('a.txt', `${index}`)])
  const repoId = await storageId(id)
  expect((await hub.hub.ops.git.clutter(repoId)).looseObjects).toBeGreaterThan(300)
  const tidied = tidyRepo(hub.hub.ops, repoId)
  for (let index = 0; index < 5; index += 1) await commit(hub, 'alice', id, [file('b.txt', `${index}`)])
  expect(await tidied).toBe(true)
  expect((await hub.hub.ops.git.clutter(repoId)).looseObjects).toBeLessThan(20)
  expect(await tidyRepo(hub.hub.ops, repoId)).toBe(false)
  expect(await text(id, 'main')).toBe('100')
  expect(await hub.hub.ops.git.fsck(repoId)).toEqual([])
})

test('after a squash the old commits go when their grace has ended, unless a registry retains one', async () => {
  const id = await createRepo(hub, 'alice', 'alice/squashed')
  const first = await commit(hub, 'alice', id, [file('a.txt', 'first')])
  const second = await commit(hub, 'alice', id, [file('a.txt', 'second')])
  await getJson(hub, 'alice', `/api/models/${id}/super-squash/main`, post({ message: 'One' }))
  const repoId = await storageId(id)
  await hub.hub.ops.catalog.tx((rows) =>
    rows.retained.insert({ repoId, oid: first, reason: 'published', createdAt: hub.hub.ops.clock() }),
  )

  expect(await pruneRepo(hub.hub.ops, repoId)).toBe(true)
  expect(await hub.hub.ops.git.stat(repoId, second)).not.toBeNull()
  expect(await pruneRepo(hub.hub.ops, repoId, { graceMs: -60_000 })).toBe(true)
  expect(await hub.hub.ops.git.stat(repoId, second)).toBeNull()
  expect(await text(id, first)).toBe('first')
  expect(await text(id, 'main')).toBe('second')
  expect(await hub.hub.ops.git.fsck(repoId)).toEqual([])
})

test('a branch made from an old commit while the repository is packed keeps that commit', async () => {
  const id = await createRepo(hub, 'alice', 'alice/revived')
  const old = await commit(hub, 'alice', id, [file('a.txt', randomBytes(8).toString('hex'))])
  const wanted = await text(id, old)
  await getJson(hub, 'alice', `/api/models/${id}/super-squash/main`, post({ message: 'One' }))
  const repoId = await storageId(id)
  const { git } = hub.hub.ops
  const repackWhole: typeof git.repackWhole = async (...args) => {
    const replace = await git.repackWhole(...args)
    const branch = `/api/models/${id}/branch/revived`
    expect((await hub.fetch('alice', branch, post({ startingPoint: old }))).status).toBe(200)
    return replace
  }
  const slow = new Proxy(git, {
    get(target, name) {
      const value: unknown = name === 'repackWhole' ? repackWhole : Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  const pruned = pruneRepo({ ...hub.hub.ops, git: slow }, repoId, { graceMs: -60_000 })
  expect(await pruned).toBe(false)
  expect(await text(id, 'revived')).toBe(wanted)
  expect(await headOf(hub, 'alice', id, 'revived')).toBe(old)
  expect(await hub.hub.ops.git.fsck(repoId)).toEqual([])
})
