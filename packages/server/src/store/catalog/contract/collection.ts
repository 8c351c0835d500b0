/** Contract of what collection asks and removes. */
import { expect, test } from 'vitest'

import type { Catalog, DoomedBlob } from '../catalog.ts'
import { repo, withTwoOwners, xetFile, xorb } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

const START = { domainId: '', name: '' }
const EMPTY_FILE = '0'.repeat(64)

/** Ann's `tiny` has `l1` and a file `f1` of `x1`; `l2` and `x2` belong to nobody, and Bob has an `l1` of his own. */
async function withContents(make: MakeCatalog): Promise<Catalog> {
  const catalog = await withTwoOwners(make)
  await catalog.tx(async (rows) => {
    for (const [domainId, oid] of [
      ['ann', 'l1'],
      ['ann', 'l2'],
      ['bob', 'l1'],
    ] as const)
      await rows.blobs.insertLfs({ domainId, oid, sizeBytes: 5, createdAt: 10 })
    await rows.blobs.linkLfs('tiny', 'l1', 20)
    for (const hash of ['x1', 'x2']) await rows.xet.insertXorb(xorb(hash, 'ann', { touchedAt: 10 }))
    const file = xetFile('f1', 'ann', { claimedSha256: 'claim', sha256: 'proof', createdAt: 30 })
    await rows.xet.insertFile('tiny', file, ['x1'])
    await rows.xet.insertShard({
      id: 's1',
      domainId: 'ann',
      repoId: 'tiny',
      createdAt: 10,
      xorbHashes: ['x1', 'x2'],
      chunks: [
        { hash: 'k1', xorbHash: 'x1' },
        { hash: 'k2', xorbHash: 'x2' },
      ],
    })
  })
  return catalog
}

const doomed = (kind: DoomedBlob['kind'], name: string, doomedAt: number): DoomedBlob => ({
  kind,
  domainId: 'ann',
  name,
  sizeBytes: kind === 'xorbs' ? 60 : 5,
  doomedAt,
})

export function collectionContract(make: MakeCatalog): void {
  test('links are paged with every sha256 that may name them, and remember since when none did', async () => {
    await using catalog = await withContents(make)
    const { collection } = catalog.rows
    const lfs = { key: 'l1', oids: ['l1'], sizeBytes: 5, linkedAt: 20, unreferencedAt: null }
    const xet = { key: 'f1', oids: ['claim', 'proof'], sizeBytes: 100, linkedAt: 30, unreferencedAt: null }
    expect(await collection.links('tiny', 'lfs', '', 10)).toEqual([lfs])
    expect(await collection.links('tiny', 'lfs', 'l1', 10)).toEqual([])
    expect(await collection.links('tiny', 'xet', '', 1)).toEqual([xet])
    expect(await collection.links('huge', 'xet', '', 1)).toEqual([])
    await catalog.tx(async (rows) => {
      await rows.collection.setUnreferenced('tiny', 'lfs', ['l1', 'unknown'], 40)
      await rows.collection.renewLinks('tiny', 'xet', ['f1'], 50)
      await rows.collection.renewLinks('tiny', 'lfs', [], 50)
    })
    expect(await collection.links('tiny', 'lfs', '', 10)).toEqual([{ ...lfs, unreferencedAt: 40 }])
    expect(await collection.linksUntil('tiny', 'xet', ['f1'], 49)).toEqual([])
    expect(await collection.linksUntil('tiny', 'xet', ['f1', 'f2'], 50)).toEqual(['f1'])
    await catalog.tx(async (rows) => {
      await rows.collection.setUnreferenced('tiny', 'lfs', ['l1'], null)
      await rows.collection.dropLinks('huge', 'lfs', ['l1'])
      await rows.collection.dropLinks('tiny', 'xet', ['f1'])
    })
    expect(await collection.links('tiny', 'lfs', '', 10)).toEqual([lfs])
    expect(await collection.links('tiny', 'xet', '', 10)).toEqual([])
  })

  test('unneeded is what nothing refers to and nobody used of late, of each domain by itself', async () => {
    await using catalog = await withContents(make)
    const { collection } = catalog.rows
    const unneeded = async (kind: 'files' | 'lfs' | 'xorbs' | 'shards', unusedSince = 10) =>
      (await collection.stored(kind, START, 10, unusedSince))
        .filter(({ isUnneeded }) => isUnneeded)
        .map(({ domainId, name }) => `${domainId} ${name}`)
    expect(await unneeded('lfs')).toEqual(['ann l2', 'bob l1'])
    expect(await unneeded('lfs', 9)).toEqual([])
    expect(await unneeded('xorbs')).toEqual(['ann x2'])
    expect(await unneeded('shards')).toEqual([])
    expect(await unneeded('files', 30)).toEqual([])
    const rows = await collection.stored('lfs', { domainId: 'ann', name: 'l1' }, 1, 10)
    expect(rows).toEqual([{ domainId: 'ann', name: 'l2', sizeBytes: 5, isUnneeded: true }])

    await catalog.tx(async ({ collection: own }) => {
      expect(await own.remove('files', 'ann', 'f1')).toBe(false)
      await own.dropLinks('tiny', 'xet', ['f1'])
      expect(await own.remove('files', 'ann', 'f1')).toBe(true)
      expect(await own.remove('files', 'ann', 'f1')).toBe(false)
    })
    expect(await unneeded('xorbs')).toEqual(['ann x1', 'ann x2'])
    await catalog.tx(async ({ collection: own }) => {
      for (const hash of ['x1', 'x2']) expect(await own.remove('xorbs', 'ann', hash)).toBe(true)
    })
    expect(await unneeded('shards')).toEqual(['ann tiny/s1'])
    expect(await collection.withRow('shards', 'ann', ['tiny/s1', 'huge/s1'])).toEqual(new Set(['tiny/s1']))
    await catalog.tx((own) => own.xet.insertFile('tiny', xetFile(EMPTY_FILE, 'ann'), []))
    expect(await unneeded('shards')).toEqual([])
  })

  test('a blob is doomed once, by its key, and executed only as it was doomed', async () => {
    await using catalog = await withContents(make)
    const { collection, xet } = catalog.rows
    const blob = (name: string, sizeBytes: number) => ({ domainId: 'ann', name, sizeBytes })
    await catalog.tx(async ({ collection: own }) => {
      for (const at of [100, 200]) {
        await own.doom('lfs', blob('l1', 5), at, 10)
        await own.doom('lfs', blob('l2', 5), at, 10)
        await own.doom('xorbs', blob('x2', 60), at, 10)
        await own.doomStray('lfs', blob('l1', 5), at)
        await own.doomStray('lfs', blob('l9', 5), at)
      }
    })
    const all = [doomed('lfs', 'l2', 100), doomed('lfs', 'l9', 100), doomed('xorbs', 'x2', 100)]
    expect(await collection.doomed(null, 10)).toEqual(all)
    expect(await collection.doomed(all[0]!, 1)).toEqual([all[1]])
    expect((await collection.stored('lfs', START, 10, 10)).map(({ isUnneeded }) => isUnneeded)).toEqual([
      false,
      false,
      true,
    ])
    expect(await xet.findShardByChunk('ann', 'k2', null)).toBeNull()
    expect(await xet.findShardByChunk('ann', 'k2', 'tiny')).toBeNull()
    expect(await xet.findShardByChunk('ann', 'k1', null)).toEqual({ repoId: 'tiny', xorbHashes: ['x1'] })

    await catalog.tx(async ({ collection: own }) => {
      expect(await own.execute({ ...all[0]!, doomedAt: 99 })).toBe(false)
      expect(await own.execute(all[0]!)).toBe(true)
      expect(await own.execute(all[0]!)).toBe(true)
      expect(await own.execute(all[1]!)).toBe(true)
      await own.pardon('lfs', 'ann', ['l2', 'l9'])
      expect(await own.execute(all[0]!)).toBe(false)
    })
    expect(await collection.doomed(null, 10)).toEqual([all[2]])
    expect(await catalog.rows.blobs.getLfs('ann', 'l2')).toBeNull()
    expect(await catalog.rows.blobs.getLfs('bob', 'l1')).not.toBeNull()
  })

  test('whatever makes use of a blob takes it off the list, and one in use is not executed', async () => {
    await using catalog = await withContents(make)
    await catalog.tx(async (rows) => {
      const { collection } = rows
      const doom = async (): Promise<DoomedBlob[]> => {
        await collection.doom('lfs', { domainId: 'ann', name: 'l2', sizeBytes: 5 }, 100, 10)
        await collection.doom('xorbs', { domainId: 'ann', name: 'x2', sizeBytes: 60 }, 100, 10)
        return collection.doomed(null, 10)
      }
      const left = async (): Promise<string[]> => (await collection.doomed(null, 10)).map(({ name }) => name)
      await doom()
      expect(await rows.xet.touchXorb('ann', 'x2', 110)).toBe(true)
      expect(await left()).toEqual(['l2'])
      await doom()
      expect(await rows.xet.insertXorb(xorb('x2', 'ann', { touchedAt: 110 }))).toBe(false)
      expect(await left()).toEqual(['l2'])
      await rows.repos.insert(repo('other', 'ann'))
      await rows.blobs.linkLfs('other', 'l2', 110)
      expect(await left()).toEqual([])
      await doom()
      await rows.xet.insertFile('other', xetFile('f2', 'ann', { createdAt: 110 }), ['x2'])
      expect(await left()).toEqual([])
      await collection.doomStray('xorbs', { domainId: 'ann', name: 'x7', sizeBytes: 60 }, 100)
      await rows.xet.insertXorb(xorb('x7', 'ann'))
      expect(await left()).toEqual([])
    })
    await expect(
      catalog.tx((rows) => rows.xet.insertFile('tiny', xetFile('f3', 'ann'), ['x1', 'x9'])),
    ).rejects.toMatchObject({ name: 'XorbMissingError', hash: 'x9' })
  })

  test('what the index says of one xorb is counted, and dropped in portions', async () => {
    await using catalog = await withContents(make)
    const chunks = Array.from({ length: 25 }, (_, index) => ({ hash: `c${index}`, xorbHash: 'x2' }))
    const shard = { domainId: 'ann', repoId: 'tiny', createdAt: 1, xorbHashes: ['x2'] }
    await catalog.tx((rows) => rows.xet.insertShard({ ...shard, id: 's2', chunks }))
    expect(await catalog.rows.collection.countIndexed('ann', 'x2')).toBe(26)
    const drop = () => catalog.tx((rows) => rows.collection.dropIndexed('ann', 'x2', 20))
    expect([await drop(), await drop(), await drop()]).toEqual([20, 6, 0])
    expect(await catalog.rows.collection.countIndexed('ann', 'x1')).toBe(1)
  })
}
