/** Contract of old names, restoring, links that outlive an owner, and likes. */
import { expect, test } from 'vitest'

import type { LinkPosition, OldName, Visibility } from '../catalog.ts'
import { repo, user, withTwoOwners, xetFile, xorb } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

const named = (name: string): OldName => ({ registryId: 'default', type: 'model', namespace: 'Ann', name })

export function lifecycleContract(make: MakeCatalog): void {
  test('an old name leads to its last holder, in any case, and the oldest goes when there are too many', async () => {
    await using catalog = await withTwoOwners(make)
    const { oldNames } = catalog.rows
    await catalog.tx(async (rows) => {
      await rows.oldNames.insert(named('One'), 'tiny', 1, 3)
      await rows.oldNames.insert(named('one'), 'huge', 2, 3)
      for (const [index, name] of ['a', 'b', 'c', 'd'].entries())
        await rows.oldNames.insert(named(name), 'tiny', 10 + index, 3)
    })
    expect(await oldNames.find(named('ONE'))).toEqual({ repoId: 'huge' })
    expect(await oldNames.find({ ...named('one'), type: 'dataset' })).toBeNull()
    expect(await oldNames.find(named('a'))).toBeNull()
    expect(await oldNames.find(named('b'))).toEqual({ repoId: 'tiny' })
    await catalog.tx((rows) => rows.oldNames.delete(named('B')))
    expect(await oldNames.find(named('b'))).toBeNull()
    await catalog.tx((rows) => rows.repos.purge('huge'))
    expect(await oldNames.find(named('one'))).toBeNull()
  })

  test('a moved repository keeps what it had in its earlier domain and gets more in the new one', async () => {
    await using catalog = await withTwoOwners(make)
    const { blobs, xet, repos } = catalog.rows
    await catalog.tx(async (rows) => {
      for (const domainId of ['ann', 'bob']) await rows.xet.insertXorb(xorb('x', domainId))
      await rows.blobs.insertLfs({ domainId: 'ann', oid: 'lfs', sizeBytes: 1, createdAt: 1 })
      await rows.blobs.linkLfs('tiny', 'lfs', 1)
      await rows.xet.insertFile('tiny', xetFile('f1', 'ann', { claimedSha256: 'xet' }), ['x'])
      const to = { ownerId: 'bob', domainId: 'bob', namespace: 'Bob', name: 'Mine' }
      await rows.repos.move('tiny', to)
      await rows.xet.insertFile('tiny', xetFile('f2', 'bob', { claimedSha256: 'new' }), ['x'])
    })
    expect(await repos.getByName('default', 'model', 'bob', 'mine')).toMatchObject({
      id: 'tiny',
      domainId: 'bob',
    })
    expect(await repos.getByName('default', 'model', 'ann', 'tiny')).toBeNull()
    const domains = async () =>
      [...(await blobs.contentOf('tiny', ['lfs', 'xet', 'new']))]
        .map(([oid, { domainId }]) => `${oid} in ${domainId}`)
        .toSorted()
    expect(await domains()).toEqual(['lfs in ann', 'new in bob', 'xet in ann'])
    expect(await xet.getFile('tiny', 'f1')).toMatchObject({ domainId: 'ann' })
    // Uploaded once more, it is the new domain's.
    const again = catalog.tx((rows) =>
      rows.xet.insertFile('tiny', xetFile('f1', 'bob', { claimedSha256: 'xet' }), ['x']),
    )
    expect(await again).toBe(true)
    expect(await domains()).toEqual(['lfs in ann', 'new in bob', 'xet in bob'])
    expect(await catalog.tx((rows) => rows.xet.insertFile('tiny', xetFile('f1', 'bob'), ['x']))).toBe(false)
  })

  test('links are copied page by page, across domains, and survive their source', async () => {
    await using catalog = await withTwoOwners(make)
    const oids = Array.from({ length: 5 }, (_, index) => `lfs-${index}`)
    await catalog.tx(async (rows) => {
      await rows.xet.insertXorb(xorb('x', 'ann'))
      for (const oid of oids) {
        await rows.blobs.insertLfs({ domainId: 'ann', oid, sizeBytes: 1, createdAt: 1 })
        await rows.blobs.linkLfs('tiny', oid, 1)
        await rows.xet.insertFile('tiny', xetFile(`f-${oid}`, 'ann', { claimedSha256: `xet-${oid}` }), ['x'])
      }
    })
    let position: LinkPosition | null = null
    let steps = 0
    do {
      const after: LinkPosition | null = position
      position = await catalog.tx((rows) => rows.blobs.copyLinks('tiny', 'huge', after, 2))
      steps += 1
    } while (position !== null)
    expect(steps).toBe(6)
    await catalog.tx((rows) => rows.repos.purge('tiny'))
    const all = [...oids, ...oids.map((oid) => `xet-${oid}`)]
    const found = await catalog.rows.blobs.contentOf('huge', all)
    expect([...found.keys()].toSorted()).toEqual(all.toSorted())
    expect(new Set([...found.values()].map(({ domainId }) => domainId))).toEqual(new Set(['ann']))
  })

  test('deleted repositories are listed by time and by name, and live again under a free name only', async () => {
    await using catalog = await withTwoOwners(make)
    const { repos } = catalog.rows
    const again = repo('tiny-2', 'ann', { namespace: 'Ann', name: 'Tiny' })
    await catalog.tx(async (rows) => {
      await rows.repos.markDeleted('huge', 20)
      await rows.repos.markDeleted('tiny', 10)
      await rows.repos.insert(again)
    })
    const until = async (at: number, limit = 9) =>
      (await repos.listDeletedUntil(at, limit)).map(({ id }) => id)
    expect(await until(9)).toEqual([])
    expect(await until(20)).toEqual(['tiny', 'huge'])
    expect(await until(20, 1)).toEqual(['tiny'])
    expect((await repos.listDeletedByName(named('TINY'))).map(({ id }) => id)).toEqual(['tiny'])
    const restore = (name: string) =>
      catalog.tx((rows) => rows.repos.restore('tiny', { namespace: 'Ann', name }))
    await expect(restore('tiny')).rejects.toMatchObject({ what: 'repo name' })
    await restore('Other')
    expect(await repos.getByName('default', 'model', 'ann', 'other')).toMatchObject({
      id: 'tiny',
      deletedAt: null,
    })
  })

  test('one like each, newest first, of living repositories', async () => {
    await using catalog = await withTwoOwners(make)
    const { likes } = catalog.rows
    const like = (userId: string, repoId: string, createdAt: number) =>
      catalog.tx((rows) => rows.likes.insert({ userId, repoId, createdAt }))
    await catalog.tx((rows) => rows.accounts.insert(user('cat', 'Cat')))
    expect(await like('ann', 'huge', 5)).toBe(true)
    expect(await like('ann', 'huge', 6)).toBe(false)
    await like('bob', 'huge', 5)
    await like('cat', 'huge', 4)
    await like('ann', 'tiny', 7)
    expect(await likes.count('huge')).toBe(3)
    const first = await likes.likersOf('huge', null, 2)
    expect(first.map(({ user: { name }, at }) => [name, at])).toEqual([
      ['Bob', 5],
      ['Ann', 5],
    ])
    const rest = await likes.likersOf('huge', { at: 5, id: 'ann' }, 2)
    expect(rest.map(({ user: { name } }) => name)).toEqual(['Cat'])
    const anns = { userId: 'ann', registryId: 'default', visibility: 'all' as Visibility }
    const liked = async (before: { at: number; id: string } | null = null, filter = anns, limit = 9) =>
      (await likes.likedBy(filter, before, limit)).map((entry) => entry.repo.id)
    expect(await liked()).toEqual(['tiny', 'huge'])
    expect(await liked({ at: 7, id: 'tiny' })).toEqual(['huge'])
    expect(await liked(null, { ...anns, registryId: 'lab' })).toEqual([])
    await catalog.tx((rows) => rows.repos.update('tiny', { private: true }))
    expect(await liked(null, { ...anns, visibility: { ownerIds: [] } }, 1)).toEqual(['huge'])
    expect(await liked(null, { ...anns, visibility: { ownerIds: ['bob'] } }, 1)).toEqual(['huge'])
    expect(await liked(null, { ...anns, visibility: { ownerIds: ['ann'] } }, 1)).toEqual(['tiny'])
    await catalog.tx((rows) => rows.repos.markDeleted('tiny', 9))
    expect(await liked()).toEqual(['huge'])
    expect(await catalog.tx((rows) => rows.likes.delete('ann', 'huge'))).toBe(true)
    expect(await catalog.tx((rows) => rows.likes.delete('ann', 'huge'))).toBe(false)
    await catalog.tx((rows) => rows.repos.purge('huge'))
    expect(await likes.count('huge')).toBe(0)
  })
}
