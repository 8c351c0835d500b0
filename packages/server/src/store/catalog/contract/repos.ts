/** Contract of repositories, refs and retained commits. */
import { expect, test } from 'vitest'

import { repo, user, withTwoOwners, xetFile, xorb } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

export function reposContract(make: MakeCatalog): void {
  test('a repository is found by its name without regard to case, and by type', async () => {
    await using catalog = await withTwoOwners(make)
    const { repos } = catalog.rows
    const tiny = repo('tiny', 'ann', { namespace: 'Ann', name: 'Tiny' })
    expect(await repos.getByName('default', 'model', 'aNN', 'tINY')).toEqual(tiny)
    expect(await repos.getByName('default', 'dataset', 'Ann', 'Tiny')).toBeNull()
    expect(await repos.getByName('other', 'model', 'Ann', 'Tiny')).toBeNull()
    const full = repo('full', 'bob', {
      type: 'space',
      private: true,
      disabled: true,
      sdk: 'docker',
      refsDirty: true,
      createdAt: 1_790_000_000_000,
      lastModified: 1_790_000_000_001,
    })
    await catalog.tx((rows) => rows.repos.insert(full))
    expect(await repos.get('full')).toEqual(full)
  })

  test('one name, one living repository of a type in a registry', async () => {
    await using catalog = await withTwoOwners(make)
    const again = repo('tiny2', 'ann', { namespace: 'ANN', name: 'tiny' })
    await expect(catalog.tx((rows) => rows.repos.insert(again))).rejects.toMatchObject({ what: 'repo name' })
    await catalog.tx((rows) => rows.repos.insert({ ...again, type: 'dataset' }))
    expect(await catalog.rows.repos.getByName('default', 'dataset', 'ann', 'tiny')).not.toBeNull()
  })

  test('names that look like SQL are only names', async () => {
    await using catalog = await withTwoOwners(make)
    const names = ["'; drop table repos; --", '" or 1=1', 'a%', 'a_', '\\', 'é', '名前🦉', '?1', '$1', ':x']
    await catalog.tx(async (rows) => {
      for (const [index, name] of names.entries()) {
        await rows.repos.insert(repo(`r${index}`, 'ann', { name, namespace: name }))
        expect(await rows.refs.swap(`r${index}`, name, null, name, 1)).toBe(true)
      }
    })
    for (const [index, name] of names.entries()) {
      expect((await catalog.rows.repos.getByName('default', 'model', name, name))?.id).toBe(`r${index}`)
      expect((await catalog.rows.refs.get(`r${index}`, name))?.oid).toBe(name)
    }
    expect(await catalog.rows.repos.getByName('default', 'model', 'ab', 'ab')).toBeNull()
  })

  test('a deleted repository gives its name free, stays until it is purged, and can be deleted once only', async () => {
    await using catalog = await withTwoOwners(make)
    const { repos } = catalog.rows
    for (const round of [1, 2, 3]) {
      const current = (await repos.getByName('default', 'model', 'ann', 'tiny'))!
      await catalog.tx(async (rows) => {
        await rows.repos.markDeleted(current.id, round * 10)
        await rows.repos.markDeleted(current.id, 999)
      })
      expect(await repos.getByName('default', 'model', 'ann', 'tiny')).toBeNull()
      expect(await repos.get(current.id)).toMatchObject({ deletedAt: round * 10 })
      await catalog.tx((rows) =>
        rows.repos.insert(repo(`tiny-${round}`, 'ann', { namespace: 'Ann', name: 'Tiny' })),
      )
    }
    expect(await repos.listDeleted()).toEqual(['tiny', 'tiny-1', 'tiny-2'])
    expect((await repos.listByOwner('ann')).map((row) => row.id)).toEqual(['tiny-3'])
    expect((await repos.list('default', null, 10)).map((row) => row.id)).toEqual(['huge', 'tiny-3'])
    expect((await repos.list(null, 'huge', 10)).map((row) => row.id)).toEqual(['tiny-3'])
    expect([await repos.count('default', null), await repos.count(null, 'huge')]).toEqual([2, 1])
    expect(await repos.count('elsewhere', null)).toBe(0)
    await catalog.tx((rows) => rows.repos.purge('tiny'))
    expect(await repos.get('tiny')).toBeNull()
    expect(await repos.listDeleted()).toEqual(['tiny-1', 'tiny-2'])
  })

  test('purging takes along everything that hangs on the repository and nothing of its domain', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.repos.insert(repo('other', 'ann'))
      await rows.refs.swap('tiny', 'refs/heads/main', null, 'c1', 1)
      await rows.retained.insert({ repoId: 'tiny', oid: 'c0', reason: 'published', createdAt: 1 })
      await rows.blobs.insertLfs({ domainId: 'ann', oid: 'sha', sizeBytes: 5, createdAt: 1 })
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      for (const id of ['tiny', 'other']) {
        await rows.blobs.linkLfs(id, 'sha', 1)
        await rows.xet.insertFile(id, xetFile('f1', 'ann'), ['x1'])
      }
      const chunks = [{ hash: 'k1', xorbHash: 'x1' }]
      const shard = { id: 's1', domainId: 'ann', repoId: 'tiny', createdAt: 1, xorbHashes: ['x1'], chunks }
      await rows.xet.insertShard(shard)
    })
    await catalog.tx((rows) => rows.repos.purge('tiny'))
    const { refs, retained, blobs, xet } = catalog.rows
    expect(await refs.list('tiny')).toEqual([])
    expect(await retained.list('tiny')).toEqual([])
    expect((await blobs.contentOf('tiny', ['sha'])).size).toBe(0)
    expect(await xet.getFile('tiny', 'f1')).toBeNull()
    expect(await xet.findShardByChunk('ann', 'k1', null)).toBeNull()
    expect((await blobs.contentOf('other', ['sha'])).size).toBe(1)
    expect(await xet.getFile('other', 'f1')).not.toBeNull()
    expect((await xet.getXorbs('ann', ['x1'])).size).toBe(1)
  })

  test('update changes what it names; dirty ones are listed', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.repos.update('tiny', { refsDirty: true, private: true, sdk: 'static' })
      await rows.repos.update('tiny', {})
      await rows.repos.update('huge', { refsDirty: true })
      await rows.repos.markDeleted('huge', 5)
    })
    const tiny = repo('tiny', 'ann', {
      namespace: 'Ann',
      name: 'Tiny',
      private: true,
      sdk: 'static',
      refsDirty: true,
    })
    expect(await catalog.rows.repos.get('tiny')).toEqual(tiny)
    expect(await catalog.rows.repos.listDirty()).toEqual(['tiny'])
    await catalog.tx((rows) =>
      rows.repos.update('tiny', { refsDirty: false, sdk: null, lastModified: 9, disabled: true }),
    )
    expect(await catalog.rows.repos.listDirty()).toEqual([])
    const changed = { ...tiny, refsDirty: false, sdk: null, lastModified: 9, disabled: true }
    expect(await catalog.rows.repos.get('tiny')).toEqual(changed)
  })

  test('a long registry is read page by page, each repository once', async () => {
    await using catalog = await make()
    const ids = Array.from({ length: 1000 }, (_, index) => `r${String(index).padStart(4, '0')}`)
    await catalog.tx(async (rows) => {
      await rows.accounts.insert(user('ann'))
      for (const id of ids) await rows.repos.insert(repo(id, 'ann'))
    })
    const seen: string[] = []
    for (let page = await catalog.rows.repos.list('default', null, 300); page.length > 0;) {
      expect(page.length).toBeLessThanOrEqual(300)
      seen.push(...page.map((row) => row.id))
      page = await catalog.rows.repos.list('default', seen.at(-1)!, 300)
    }
    expect(seen).toEqual(ids)
    expect(await catalog.rows.repos.listByOwner('ann')).toHaveLength(1000)
  })

  test('a ref moves only from where it was said to be', async () => {
    await using catalog = await withTwoOwners(make)
    const main = 'refs/heads/main'
    const { refs } = catalog.rows
    const swap = (old: string | null, next: string | null, at = 1) =>
      catalog.tx((rows) => rows.refs.swap('tiny', main, old, next, at))
    expect(await swap('c1', 'c2')).toBe(false)
    expect(await swap('c1', null)).toBe(false)
    expect(await swap(null, null)).toBe(true)
    expect(await refs.get('tiny', main)).toBeNull()
    expect(await swap(null, 'c1')).toBe(true)
    expect(await swap(null, 'c2')).toBe(false)
    expect(await swap(null, 'c1')).toBe(false)
    expect(await swap(null, null)).toBe(false)
    expect(await swap('c1', 'c2', 7)).toBe(true)
    expect(await swap('c1', 'c3')).toBe(false)
    expect(await refs.get('tiny', main)).toEqual({ repoId: 'tiny', name: main, oid: 'c2', updatedAt: 7 })
    expect(await refs.get('huge', main)).toBeNull()
    expect(await swap('c1', null)).toBe(false)
    expect(await swap('c2', 'c2')).toBe(true)
    expect(await swap('c2', null)).toBe(true)
    expect(await refs.list('tiny')).toEqual([])
  })

  test('of many who move a ref at once exactly one wins', async () => {
    await using catalog = await withTwoOwners(make)
    const main = 'refs/heads/main'
    for (const old of [null, 'start']) {
      if (old !== null) {
        const { oid } = (await catalog.rows.refs.get('tiny', main))!
        await catalog.tx((rows) => rows.refs.swap('tiny', main, oid, old, 1))
      }
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          catalog.tx((rows) => rows.refs.swap('tiny', main, old, `c${index}`, 1)),
        ),
      )
      expect(results.filter((won) => won)).toHaveLength(1)
      expect((await catalog.rows.refs.get('tiny', main))?.oid).toBe(`c${results.indexOf(true)}`)
    }
  })

  test('refs are listed by name, by code point and with regard to case', async () => {
    await using catalog = await withTwoOwners(make)
    const names = [
      'refs/heads/Main',
      'refs/heads/a',
      'refs/heads/a-b',
      'refs/heads/a/b',
      'refs/heads/main',
      'refs/tags/é',
    ]
    await catalog.tx(async (rows) => {
      for (const name of names.toReversed()) await rows.refs.swap('tiny', name, null, 'c1', 3)
    })
    expect((await catalog.rows.refs.list('tiny')).map((row) => row.name)).toEqual(names)
    expect(await catalog.rows.refs.list('huge')).toEqual([])
  })

  test('retained commits are listed oldest first, each reason once', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.retained.insert({ repoId: 'tiny', oid: 'c2', reason: 'v2', createdAt: 2 })
      await rows.retained.insert({ repoId: 'tiny', oid: 'c1', reason: 'v1', createdAt: 1 })
      await rows.retained.insert({ repoId: 'tiny', oid: 'c1', reason: 'v1', createdAt: 9 })
      await rows.retained.insert({ repoId: 'tiny', oid: 'c1', reason: 'also', createdAt: 3 })
    })
    expect(await catalog.rows.retained.list('tiny')).toEqual([
      { oid: 'c1', reason: 'v1' },
      { oid: 'c2', reason: 'v2' },
      { oid: 'c1', reason: 'also' },
    ])
    expect(await catalog.rows.retained.list('huge')).toEqual([])
  })
}
