/** Repositories are packed while they are used, and nothing that the catalog knows of is ever taken away. */
import { randomBytes } from 'node:crypto'
import { access, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { pruneRepo, tidyRepo } from '../src/ops/housekeeping.ts'
import { commit, createRepo, file, getJson, headOf } from './client.ts'
import { commandsOf, commitOf, oidOf, packOf, pushRaw } from './pack-builder.ts'
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

test('what was removed is not remembered: no branch leads to it any more', async () => {
  const id = await createRepo(hub, 'alice', 'alice/forgotten')
  const old = await commit(hub, 'alice', id, [file('a.txt', 'old')])
  const blob = (await hub.fetch('alice', `/${id}/resolve/${old}/a.txt`)).headers.get('ETag')
  await getJson(hub, 'alice', `/api/models/${id}/super-squash/main`, post({ message: 'One' }))
  await commit(hub, 'alice', id, [file('a.txt', 'new')])
  await getJson(hub, 'alice', `/api/models/${id}/super-squash/main`, post({ message: 'Two' }))
  expect(await text(id, old)).toBe('old')
  const repoId = await storageId(id)
  expect(await pruneRepo(hub.hub.ops, repoId, { graceMs: -60_000 })).toBe(true)
  const made = await hub.fetch('alice', `/api/models/${id}/branch/revived`, post({ startingPoint: old }))
  expect([blob, made.status]).toEqual([expect.any(String), 404])
  expect((await hub.fetch('alice', `/${id}/resolve/${old}/a.txt`)).status).toBe(404)
  expect(await hub.hub.ops.git.fsck(repoId)).toEqual([])
})

test('a push that counts on what is removed while it is looked at is refused', async () => {
  const id = await createRepo(hub, 'alice', 'alice/counting')
  const old = await commit(hub, 'alice', id, [file('a.txt', 'old')])
  const { git, repoQueue } = hub.hub.ops
  const repoId = await storageId(id)
  await getJson(hub, 'alice', `/api/models/${id}/super-squash/main`, post({ message: 'One' }))
  const tree = (await git.read(repoId, old)).bytes
  const treeOid = /^tree (\w{40})/.exec(Buffer.from(tree).toString())![1]!
  await commit(hub, 'alice', id, [file('a.txt', 'new')])
  await getJson(hub, 'alice', `/api/models/${id}/super-squash/main`, post({ message: 'Two' }))
  const bytes = commitOf(treeOid)
  const next = oidOf('commit', bytes)
  const body = commandsOf([{ next, name: 'refs/heads/late' }])
  const pack = packOf([{ type: 'commit', bytes }])
  // The push has been judged when its turn comes, and the removal is before it.
  const turn = Promise.withResolvers<void>()
  const holding = repoQueue.run(repoId, () => turn.promise)
  const replace = await git.repackWhole(repoId, Date.now() + 60_000)
  const removing = repoQueue.run(repoId, replace)
  const judged = new Promise<void>((resolve) => {
    const run = repoQueue.run.bind(repoQueue)
    repoQueue.run = (key, work) => {
      repoQueue.run = run
      resolve()
      return run(key, work)
    }
  })
  const pushing = pushRaw(hub, id, Buffer.concat([body, pack]))
  await judged
  turn.resolve()
  await Promise.all([holding, removing])
  expect((await pushing).said).toMatch(/^ng refs\/heads\/late .*push again/m)
  expect(await git.fsck(repoId)).toEqual([])
})

test('refs are packed in the turn of their repository, so that no other writer is undone', async () => {
  const id = await createRepo(hub, 'alice', 'alice/many-refs')
  const head = await headOf(hub, 'alice', id)
  const { ops } = hub.hub
  const repoId = await storageId(id)
  const folder = join(hub.dataDir, 'repos', repoId.slice(-2).toLowerCase(), `${repoId}.git`)
  await mkdir(join(folder, 'refs/tags/t'), { recursive: true })
  for (let n = 0; n < 1001; n += 1) await writeFile(join(folder, `refs/tags/t/${n}`), `${head}\n`)
  const isPacked = () =>
    access(join(folder, 'packed-refs')).then(
      () => true,
      () => false,
    )
  const turn = Promise.withResolvers<void>()
  const holding = ops.repoQueue.run(repoId, () => turn.promise)
  const tidied = tidyRepo(ops, repoId)
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(await isPacked()).toBe(false)
  turn.resolve()
  expect(await tidied).toBe(true)
  await holding
  expect(await isPacked()).toBe(true)
})

test('a lock that a killed process left on the refs does not keep them from being repaired', async () => {
  const id = await createRepo(hub, 'alice', 'alice/locked')
  const head = await headOf(hub, 'alice', id)
  await getJson(hub, 'alice', `/api/models/${id}/branch/side`, post({ startingPoint: head }))
  const repoId = await storageId(id)
  const folder = join(hub.dataDir, 'repos', repoId.slice(-2).toLowerCase(), `${repoId}.git`)
  await hub.hub.ops.git.packRefs(repoId)
  await writeFile(join(folder, 'packed-refs.lock'), '')
  expect((await hub.fetch('alice', `/api/models/${id}/branch/side`, { method: 'DELETE' })).status).toBe(200)
  const answer = await hub.fetch(null, `/${id}/info/refs?service=git-upload-pack`)
  expect([answer.status, (await answer.text()).includes('refs/heads/side')]).toEqual([200, false])
})
