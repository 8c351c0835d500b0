/** Contract of what an account owns. */
import { expect, test } from 'vitest'

import { repo, withTwoOwners, xetFile, xorb, type MakeCatalog } from './fixtures.ts'

export function ownedReposContract(make: MakeCatalog): void {
  test('repositories are counted by type and by who may see them, without the deleted and the others', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async ({ repos }) => {
      await repos.insert(repo('m2', 'ann'))
      await repos.insert(repo('m3', 'ann', { private: true }))
      await repos.insert(repo('d1', 'ann', { type: 'dataset' }))
      await repos.insert(repo('gone', 'ann'))
      await repos.markDeleted('gone', 9)
    })
    expect(await catalog.rows.owned.counts('default', 'ann')).toEqual([
      { type: 'dataset', private: false, count: 1 },
      { type: 'model', private: false, count: 2 },
      { type: 'model', private: true, count: 1 },
    ])
    expect(await catalog.rows.owned.counts('other', 'ann')).toEqual([])
    expect((await catalog.rows.owned.page('default', 'ann', null, 2)).map((r) => r.id)).toEqual(['d1', 'm2'])
    expect((await catalog.rows.owned.page('default', 'ann', 'm2', 9)).map((r) => r.id)).toEqual([
      'm3',
      'tiny',
    ])
  })

  test('storage is what LFS and Xet files weigh', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async ({ repos, blobs, xet }) => {
      await repos.insert(repo('m2', 'ann'))
      await blobs.insertLfs({ domainId: 'ann', oid: 'a', sizeBytes: 5_000_000_000, createdAt: 1 })
      await blobs.linkLfs('tiny', 'a', 1)
      await blobs.linkLfs('m2', 'a', 1)
      await xet.insertFile('tiny', xetFile('f1', 'ann', { sizeBytes: 7 }), [])
    })
    const { owned } = catalog.rows
    expect(await owned.storage(['tiny', 'm2', 'huge'])).toEqual(
      new Map([
        ['tiny', 5_000_000_007],
        ['m2', 5_000_000_000],
        ['huge', 0],
      ]),
    )
    expect(await owned.storageTotal('default', 'ann')).toBe(10_000_000_007)
    expect(await owned.storageTotal('default', 'bob')).toBe(0)
  })

  test('what is shared is on the disk once, for a repository, an owner and the hub', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async ({ repos, blobs, xet }) => {
      await repos.insert(repo('m2', 'ann', { registryId: 'default' }))
      await repos.insert(repo('gone', 'ann'))
      for (const domainId of ['ann', 'bob'])
        await blobs.insertLfs({ domainId, oid: 'a', sizeBytes: 5_000_000_000, createdAt: 1 })
      for (const id of ['tiny', 'm2', 'gone']) await blobs.linkLfs(id, 'a', 1)
      await blobs.linkLfs('huge', 'a', 1)
      for (const hash of ['x1', 'x2', 'x3']) await xet.insertXorb(xorb(hash, 'ann', { storedBytes: 60 }))
      await xet.insertFile('tiny', xetFile('f1', 'ann', { sizeBytes: 100 }), ['x1', 'x2'])
      await xet.insertFile('tiny', xetFile('f2', 'ann', { sizeBytes: 100 }), ['x2'])
      await xet.insertFile('m2', xetFile('f1', 'ann', { sizeBytes: 100 }), ['x1', 'x2'])
      // The same content, which came as an object first.
      await xet.insertFile('m2', xetFile('f3', 'ann', { sizeBytes: 5_000_000_000, sha256: 'a' }), [])
      await repos.markDeleted('gone', 9)
    })
    const sizes = (of: Parameters<typeof catalog.rows.owned.sizes>[0]) => catalog.rows.owned.sizes(of)
    expect(await sizes({ repoId: 'tiny' })).toEqual({
      logicalBytes: 5_000_000_200,
      onDiskBytes: 5_000_000_120,
    })
    expect(await sizes({ repoId: 'm2' })).toEqual({ logicalBytes: 5_000_000_100, onDiskBytes: 5_000_000_120 })
    expect(await sizes({ repoId: 'gone' })).toEqual({ logicalBytes: 0, onDiskBytes: 0 })
    expect(await sizes({ ownerId: 'ann' })).toEqual({
      logicalBytes: 10_000_000_300,
      onDiskBytes: 5_000_000_120,
    })
    expect(await sizes(null)).toEqual({ logicalBytes: 15_000_000_300, onDiskBytes: 10_000_000_120 })
  })
}
