import { readdirSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { closeScratch, commit, git, nextRepository, openScratch, repo, store } from './scratch.fixture.ts'

beforeAll(openScratch)
afterAll(closeScratch)
beforeEach(nextRepository)

describe('refs', () => {
  test('are made, moved, deleted and listed as told, whatever they were', async () => {
    const one = await commit([], { a: '1' })
    const two = await commit([one], { a: '2' })
    await store.projectRefs(repo, [
      { name: 'refs/heads/main', oid: one },
      { name: 'refs/pr/1', oid: two },
      { name: 'refs/cairn/keep/x', oid: one },
    ])
    await store.projectRefs(repo, [{ name: 'refs/heads/main', oid: two }])
    expect(git('rev-parse', 'main').trim()).toBe(two)
    await store.projectRefs(repo, [{ name: 'refs/heads/main', oid: one }])
    await store.projectRefs(repo, [
      { name: 'refs/heads/never', oid: null },
      { name: 'refs/pr/1', oid: null },
    ])
    expect(await store.listRefs(repo)).toEqual([
      { name: 'refs/cairn/keep/x', oid: one },
      { name: 'refs/heads/main', oid: one },
    ])
    git('pack-refs', '--all')
    await store.projectRefs(repo, [{ name: 'refs/heads/main', oid: two }])
    await store.projectRefs(repo, [{ name: 'refs/heads/main', oid: null }])
    expect(await store.listRefs(repo)).toEqual([{ name: 'refs/cairn/keep/x', oid: one }])
  })

  test('a branch may take the place of a folder of branches, and the other way round', async () => {
    const oid = await commit([], { a: '1' })
    await store.projectRefs(repo, [{ name: 'refs/heads/a/b', oid }])
    await store.projectRefs(repo, [
      { name: 'refs/heads/a', oid },
      { name: 'refs/heads/a/b', oid: null },
    ])
    await store.projectRefs(repo, [
      { name: 'refs/heads/a', oid: null },
      { name: 'refs/heads/a/c', oid },
    ])
    expect(await store.listRefs(repo)).toEqual([{ name: 'refs/heads/a/c', oid }])
  })

  test('many at once are one file, which git reads as its own', async () => {
    const one = await commit([], { a: '1' })
    const two = await commit([one], { a: '2' })
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'tag', '-a', '-m', 'x', 'annotated', one)
    const tag = git('rev-parse', 'annotated').trim()
    await store.projectRefs(repo, [
      { name: 'refs/heads/main', oid: one },
      { name: 'refs/heads/a/b', oid: one },
    ])
    const many = Array.from({ length: 100 }, (_, n) => ({ name: `refs/tags/ü${n}`, oid: n % 2 ? tag : two }))
    await store.projectRefs(repo, [
      ...many,
      { name: 'refs/heads/main', oid: two },
      { name: 'refs/heads/a/b', oid: null },
      { name: 'refs/heads/a', oid: two },
    ])
    const expected = [...many, { name: 'refs/heads/main', oid: two }, { name: 'refs/heads/a', oid: two }]
    const byName = (refs: { name: string; oid: string | null }[]) =>
      refs.map(({ name, oid }) => `${name} ${oid}`).toSorted()
    expect(byName(await store.listRefs(repo))).toEqual(
      byName([...expected, { name: 'refs/tags/annotated', oid: tag }]),
    )
    expect(git('rev-parse', 'refs/tags/ü1^{commit}').trim()).toBe(one)
    expect(readdirSync(join(store.gitDir(repo), 'refs/tags'))).toEqual([])
    expect(await store.fsck(repo)).toEqual([])

    await store.projectRefs(
      repo,
      many.map(({ name }) => ({ name, oid: null })),
    )
    expect((await store.listRefs(repo)).map(({ name }) => name)).toEqual([
      'refs/heads/a',
      'refs/heads/main',
      'refs/tags/annotated',
    ])
    // All or none, and never one to what is not there, or a branch to a tag.
    for (const bad of [
      { name: 'refs/tags/bad', oid: 'a'.repeat(40) },
      { name: 'refs/heads/bad', oid: tag },
    ])
      await expect(store.projectRefs(repo, [...many, bad])).rejects.toMatchObject({ reason: 'exit' })
    expect(await store.listRefs(repo)).toHaveLength(3)
  })

  test('HEAD follows, also to a branch that does not exist yet', async () => {
    expect(git('symbolic-ref', 'HEAD').trim()).toBe('refs/heads/main')
    await store.projectRefs(repo, [], 'refs/heads/other')
    expect(git('symbolic-ref', 'HEAD').trim()).toBe('refs/heads/other')
  })

  test('a ref never comes to point at what is not there, and a held lock is not broken', async () => {
    const oid = await commit([], { a: '1' })
    const main = { name: 'refs/heads/main', oid }
    await store.projectRefs(repo, [main])
    await expect(store.projectRefs(repo, [{ ...main, oid: 'a'.repeat(40) }])).rejects.toMatchObject({
      reason: 'exit',
    })
    await expect(store.projectRefs(repo, [{ name: 'main; rm', oid }])).rejects.toMatchObject({
      code: 'BadRequest',
    })
    const lock = join(store.gitDir(repo), 'refs/heads/main.lock')
    writeFileSync(lock, '')
    const next = await commit([oid], { a: '2' })
    await expect(store.projectRefs(repo, [{ ...main, oid: next }])).rejects.toMatchObject({ reason: 'exit' })
    await rm(lock)
    expect(git('rev-parse', 'main').trim()).toBe(oid)
    expect(readdirSync(join(store.gitDir(repo), 'refs/heads'))).toEqual(['main'])
  })
})

describe('repositories', () => {
  test('creating one twice keeps it; a removed one is gone at once and may come back empty', async () => {
    const oid = await commit([], { a: '1' })
    await Promise.all([store.create(repo), store.create(repo)])
    expect((await store.stat(repo, oid))?.type).toBe('commit')
    await store.remove(repo)
    await store.remove(repo)
    await expect(store.stat(repo, oid)).rejects.toThrow(/git/)
    await store.create(repo)
    expect(await store.stat(repo, oid)).toBeNull()
    expect(await store.fsck(repo)).toEqual([])
    expect(await store.listRefs(repo)).toEqual([])
  })

  test('an id cannot lead out of the root', async () => {
    for (const id of ['', '..', '../x', 'a/b', 'a.git', 'x\0y'])
      await expect(store.create(id)).rejects.toThrow(TypeError)
  })
})
