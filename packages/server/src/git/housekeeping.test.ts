/** Packing a repository while it is used. */
import { mkdtemp, readdir, truncate, utimes, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { GitHelper } from './helper.ts'
import { repackGeometrically, repackWhole } from './housekeeping.ts'
import {
  blob,
  closeScratch,
  commit,
  git,
  nextRepository,
  openScratch,
  repo,
  root,
  store,
} from './scratch.fixture.ts'

beforeAll(openScratch)
afterAll(closeScratch)
beforeEach(nextRepository)

const DAY_MS = 24 * 3600_000

async function history(length: number): Promise<string> {
  let head: string | null = null
  for (let index = 0; index < length; index += 1)
    head = await commit(head === null ? [] : [head], { 'a.txt': `version ${index}` }, 1_700_000_000 + index)
  await store.projectRefs(repo, [{ name: 'refs/heads/main', oid: head }], 'refs/heads/main')
  return head!
}

const fileNames = () => readdir(join(store.gitDir(repo), 'objects/pack'))
const objects = (...args: string[]) =>
  git('rev-list', '--objects', '--all', ...args)
    .split('\n')
    .filter(Boolean)

/** As if all of this had been written long ago. */
async function age(days: number): Promise<void> {
  const then = new Date(Date.now() - days * DAY_MS)
  const folder = join(store.gitDir(repo), 'objects')
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), then, then)
}

test('loose objects become a pack with a bitmap and a commit graph, and reading goes on', async () => {
  const head = await history(40)
  expect(await store.clutter(repo)).toEqual({ looseObjects: 120, packs: 0, looseRefs: 1 })
  const before = objects()
  const reading = Promise.all(before.map(async (line) => store.read(repo, line.slice(0, 40))))
  await store.repack(repo)
  expect(await store.clutter(repo)).toMatchObject({ looseObjects: 0, packs: 1 })
  expect((await fileNames()).some((name) => /^multi-pack-index-.*\.bitmap$/.test(name))).toBe(true)
  expect((await reading).every(({ bytes }) => bytes.length > 0)).toBe(true)
  expect(objects()).toEqual(before)
  expect(await store.countCommits(repo, head)).toBe(40)
  git('commit-graph', 'verify')
  expect(await store.fsck(repo)).toEqual([])
})

test('packs stay few when a repository is packed again and again', async () => {
  let head: string | null = null
  for (let round = 0; round < 8; round += 1) {
    for (let index = 0; index < 5; index += 1)
      head = await commit(
        head === null ? [] : [head],
        { 'a.txt': `${round} ${index}` },
        1_700_000_000 + round,
      )
    await store.projectRefs(repo, [{ name: 'refs/heads/main', oid: head }])
    await store.repack(repo)
  }
  expect((await store.clutter(repo)).packs).toBeLessThan(5)
  expect(await store.countCommits(repo, head!)).toBe(40)
})

test('what a crash left of a write goes after a day', async () => {
  await history(1)
  const objects = join(store.gitDir(repo), 'objects')
  const folder = (await readdir(objects)).find((name) => name.length === 2)!
  const path = (name: string) => join(objects, folder, name)
  for (const name of ['tmp_obj_old', 'tmp_obj_new']) await writeFile(path(name), 'half')
  const then = new Date(Date.now() - 2 * DAY_MS)
  await utimes(path('tmp_obj_old'), then, then)
  await store.repack(repo)
  expect(await readdir(join(objects, folder))).toEqual(['tmp_obj_new'])
})

test('an empty repository is packed too', async () => {
  await store.repack(repo)
  await (
    await store.repackWhole(repo, Date.now())
  )()
  expect(await store.fsck(repo)).toEqual([])
})

test('what no ref reaches stays for its grace, and goes after it', async () => {
  const head = await history(5)
  const lost = blob('nobody points here')
  await store.write(repo, [lost])
  await age(10)
  const young = blob('nor here, but it was written a moment ago')
  await store.write(repo, [young])

  await (
    await store.repackWhole(repo, Date.now() - 14 * DAY_MS)
  )()
  expect(await store.clutter(repo)).toMatchObject({ looseObjects: 0, packs: 2 })
  expect((await store.read(repo, lost.oid)).bytes).toEqual(lost.bytes)

  // The age is the object's own: that it was packed a moment ago does not make it younger.
  await store.repack(repo)
  await (
    await store.repackWhole(repo, Date.now() - 9 * DAY_MS)
  )()
  expect(await store.stat(repo, lost.oid)).toBeNull()
  expect(await store.stat(repo, young.oid)).not.toBeNull()
  expect(await store.countCommits(repo, head)).toBe(5)
  expect(await store.fsck(repo)).toEqual([])
  expect(Date.now() - (await store.lastFullRepack(repo))).toBeLessThan(60_000)
})

test('what is written again while the repository is packed is not taken away', async () => {
  await history(3)
  const lost = Array.from({ length: 12 }, (_, index) => blob(`nobody points at ${index}`))
  // Twelve become a pack, one a loose object.
  await store.write(repo, lost)
  const single = blob('nor at this one')
  await store.write(repo, [single])
  await age(100)
  const replace = await store.repackWhole(repo, Date.now() - 50 * DAY_MS)
  await store.write(repo, lost)
  await store.write(repo, [single])
  await replace()
  for (const { oid } of [...lost, single]) expect(await store.stat(repo, oid)).not.toBeNull()
})

test('an abandoned repack has changed nothing that anybody sees', async () => {
  await history(3)
  const lost = blob('nobody points here')
  await store.write(repo, [lost])
  await age(100)
  await store.repackWhole(repo, Date.now())
  expect(await store.stat(repo, lost.oid)).not.toBeNull()
  expect(await store.fsck(repo)).toEqual([])
})

test('many refs become one file', async () => {
  const head = await history(1)
  const tags = Array.from({ length: 30 }, (_, index) => ({ name: `refs/tags/v${index}`, oid: head }))
  await store.projectRefs(repo, tags)
  const before = await store.listRefs(repo)
  await store.packRefs(repo)
  expect(await store.clutter(repo)).toMatchObject({ looseRefs: 0 })
  expect(await store.listRefs(repo)).toEqual(before)
  const next = await commit([head], { 'a.txt': 'more' })
  await store.projectRefs(repo, [{ name: 'refs/heads/main', oid: next }])
  expect(git('rev-parse', 'main').trim()).toBe(next)
})

test('a repack that fails leaves no half packs, which would keep a full disk full', async () => {
  await history(3)
  const folder = join(store.gitDir(repo), 'objects/pack')
  // Of another writer, who is at it.
  const ours = 'tmp_pack_0123456789abcdef'
  await writeFile(join(folder, ours), '')
  const path = await mkdtemp(join(root, 'path-'))
  const script = `#!/bin/sh
touch ${folder}/tmp_pack_aB3dE6 ${folder}/.tmp-123-pack-0123.pack; echo 'Out of diskspace' >&2; exit 128`
  await writeFile(join(path, 'git'), script, { mode: 0o755 })
  await using helper = await GitHelper.open([path, process.env['PATH']].join(delimiter))
  await expect(repackGeometrically(helper, store.gitDir(repo))).rejects.toThrow('Out of diskspace')
  expect(await fileNames()).toEqual([ours])
  await expect(repackWhole(helper, store.gitDir(repo), 0)).rejects.toThrow('Out of diskspace')
  expect(await fileNames()).toEqual([ours])
})

test('a repository is not packed when the disk has no room for it twice', async () => {
  const head = await history(3)
  const large = join(store.gitDir(repo), 'objects/pack/pack-0000.keep')
  await writeFile(large, '')
  await truncate(large, 8 * 1024 ** 4)
  await expect(store.repack(repo)).rejects.toThrow('the disk has')
  await expect(store.repackWhole(repo, 0)).rejects.toThrow('the disk has')
  await truncate(large, 0)
  await store.repack(repo)
  expect(await store.countCommits(repo, head)).toBe(3)
})

test('locks of a repack that was killed do not keep the next one from working', async () => {
  await history(3)
  const objectsFolder = join(store.gitDir(repo), 'objects')
  for (const lock of ['pack/multi-pack-index.lock', 'info/commit-graph.lock'])
    await writeFile(join(objectsFolder, lock), '')
  await store.repack(repo)
  expect(await store.clutter(repo)).toMatchObject({ looseObjects: 0, packs: 1 })
})
