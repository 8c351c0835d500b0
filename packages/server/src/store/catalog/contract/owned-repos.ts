/** Contract of what an account owns. */
import { expect, test } from 'vitest'

import { repo, withTwoOwners, xetFile, type MakeCatalog } from './fixtures.ts'

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
}
