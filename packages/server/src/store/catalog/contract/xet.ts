/** Contract of xorbs, Xet files, shards and dedup epochs. */
import { expect, test } from 'vitest'

import { TOUCH_INTERVAL_MS } from '../../../limits.ts'
import type { ShardRow } from '../catalog.ts'
import { repo, withTwoOwners, xetFile, xorb } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

export function xetContract(make: MakeCatalog): void {
  test('a xorb is stored once per domain, byte for byte; meeting it again only touches it', async () => {
    await using catalog = await withTwoOwners(make)
    const row = xorb('x1', 'ann', { chunks: Uint8Array.of(0, 255, 10, 0, 39), rawBytes: 67_108_864 })
    expect(await catalog.tx((rows) => rows.xet.insertXorb(row))).toBe(true)
    expect(await catalog.tx((rows) => rows.xet.insertXorb({ ...row, domainId: 'bob' }))).toBe(true)
    const later = 1 + 2 * TOUCH_INTERVAL_MS
    const again = { ...row, storedAt: later, touchedAt: later, storedBytes: 1 }
    expect(await catalog.tx((rows) => rows.xet.insertXorb(again))).toBe(false)
    // Soon after, it is not worth a write.
    expect(await catalog.tx((rows) => rows.xet.touchXorb('ann', 'x1', later + 1000))).toBe(true)
    expect(await catalog.tx((rows) => rows.xet.touchXorb('ann', 'x2', later))).toBe(false)
    const [mine, his] = [
      await catalog.rows.xet.getXorbs('ann', ['x1', 'x2']),
      await catalog.rows.xet.getXorbs('bob', ['x1']),
    ]
    expect([...mine.keys()]).toEqual(['x1'])
    expect({ ...mine.get('x1')!, chunks: [...mine.get('x1')!.chunks] }).toEqual({
      ...row,
      chunks: [0, 255, 10, 0, 39],
      touchedAt: later,
    })
    expect(his.get('x1')?.touchedAt).toBe(1)
    expect((await catalog.rows.xet.getXorbs('ann', [])).size).toBe(0)
  })

  test('many xorbs are asked for at once', async () => {
    await using catalog = await withTwoOwners(make)
    const hashes = Array.from({ length: 700 }, (_, index) => `x${index}`)
    await catalog.tx(async (rows) => {
      for (const hash of hashes) await rows.xet.insertXorb(xorb(hash, 'ann'))
    })
    const found = await catalog.rows.xet.getXorbs('ann', [...hashes, 'missing'])
    expect([...found.keys()].toSorted()).toEqual(hashes.toSorted())
  })

  test('a file is registered once for a repository, and again for another one', async () => {
    await using catalog = await withTwoOwners(make)
    const file = xetFile('f1', 'ann', { claimedSha256: 'sha', sizeBytes: 5_000_000_000_000 })
    await catalog.tx(async (rows) => {
      await rows.repos.insert(repo('second', 'ann'))
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      await rows.xet.insertXorb(xorb('x2', 'ann'))
      expect(await rows.xet.insertFile('tiny', file, ['x1', 'x2', 'x1'])).toBe(true)
      expect(await rows.xet.insertFile('tiny', file, ['x1', 'x2'])).toBe(false)
    })
    expect(await catalog.rows.xet.getFile('second', 'f1')).toBeNull()
    expect(await catalog.tx((rows) => rows.xet.insertFile('second', file, ['x1', 'x2']))).toBe(true)
    const seen = (await catalog.rows.xet.getFile('second', 'f1'))!
    expect({ ...seen, terms: [...seen.terms] }).toEqual({ ...file, terms: [...file.terms] })
  })

  test('a file of thousands of xorbs, and the empty file of none', async () => {
    await using catalog = await withTwoOwners(make)
    const hashes = Array.from({ length: 3000 }, (_, index) => `x${index}`)
    await catalog.tx(async (rows) => {
      for (const hash of hashes) await rows.xet.insertXorb(xorb(hash, 'ann', { chunks: new Uint8Array(0) }))
      expect(await rows.xet.insertFile('tiny', xetFile('f1', 'ann'), hashes)).toBe(true)
      const empty = xetFile('0'.repeat(64), 'ann', { sizeBytes: 0, termCount: 0, terms: new Uint8Array(0) })
      expect(await rows.xet.insertFile('tiny', empty, [])).toBe(true)
    })
    expect((await catalog.rows.xet.getFile('tiny', '0'.repeat(64)))?.terms.length).toBe(0)
  })

  test('a file cannot use a xorb that its domain does not have', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx((rows) => rows.xet.insertXorb(xorb('x1', 'bob')))
    await expect(
      catalog.tx((rows) => rows.xet.insertFile('tiny', xetFile('f1', 'ann'), ['x1'])),
    ).rejects.toThrow()
    expect(await catalog.rows.xet.getFile('tiny', 'f1')).toBeNull()
  })

  test('the first claim of a repository stays, and a proof once made', async () => {
    await using catalog = await withTwoOwners(make)
    const upload = async (claimedSha256: string | null, sha256: string | null = null) => {
      const file = xetFile('f1', 'ann', { claimedSha256, sha256 })
      const isNew = await catalog.tx((rows) => rows.xet.insertFile('tiny', file, []))
      const stored = (await catalog.rows.xet.getFile('tiny', 'f1'))!
      return `${stored.claimedSha256} ${stored.sha256}${isNew ? ' new' : ''}`
    }
    expect(await upload(null)).toBe('null null new')
    expect(await upload('wrong')).toBe('wrong null new')
    expect(await upload('right')).toBe('wrong null')
    expect(await upload('right', 'right')).toBe('wrong right')
    expect(await upload('right', null)).toBe('wrong right')
    await catalog.tx((rows) => rows.repos.insert(repo('other', 'ann')))
    const known = (repoId: string) => catalog.rows.xet.knownFiles(repoId, ['f1', 'f2'])
    const file = { sha256: 'right', isLinked: true, claimedSha256: 'wrong' }
    expect(await known('tiny')).toEqual(new Map([['f1', file]]))
    const unlinked = { sha256: 'right', isLinked: false, claimedSha256: null }
    expect(await known('other')).toEqual(new Map([['f1', unlinked]]))
    expect(await known('huge')).toEqual(new Map())
  })

  test('a chunk leads to the newest shard of its domain, its own xorb first', async () => {
    await using catalog = await withTwoOwners(make)
    const shard = (id: string, createdAt: number, more: Partial<ShardRow>): ShardRow => ({
      id,
      domainId: 'ann',
      repoId: 'tiny',
      createdAt,
      xorbHashes: ['x1', 'x2', 'x3'],
      chunks: [{ hash: 'k', xorbHash: 'x2' }],
      ...more,
    })
    await catalog.tx(async (rows) => {
      for (const hash of ['x1', 'x2', 'x3']) await rows.xet.insertXorb(xorb(hash, 'ann'))
      await rows.xet.insertXorb(xorb('x1', 'bob'))
      await rows.xet.insertShard(shard('m', 10, {}))
      await rows.xet.insertShard(
        shard('z', 5, { xorbHashes: ['x3'], chunks: [{ hash: 'k', xorbHash: 'x3' }] }),
      )
    })
    const { xet } = catalog.rows
    expect(await xet.findShardByChunk('ann', 'k', null)).toMatchObject({ xorbHashes: ['x2', 'x1', 'x3'] })
    expect(await xet.findShardByChunk('ann', 'other', null)).toBeNull()
    expect(await xet.findShardByChunk('bob', 'k', null)).toBeNull()
    await catalog.tx((rows) =>
      rows.xet.insertShard(
        shard('a', 20, {
          xorbHashes: [],
          chunks: [
            { hash: 'k', xorbHash: 'x3' },
            { hash: 'k', xorbHash: 'x3' },
          ],
        }),
      ),
    )
    expect(await xet.findShardByChunk('ann', 'k', null)).toMatchObject({ xorbHashes: ['x3'] })
  })

  test('a chunk can be asked for among the uploads to one repository', async () => {
    await using catalog = await withTwoOwners(make)
    const shard = { domainId: 'ann', createdAt: 1, chunks: [{ hash: 'k', xorbHash: 'x1' }] }
    await catalog.tx(async (rows) => {
      await rows.repos.insert(repo('other', 'ann'))
      for (const hash of ['x1', 'x2']) await rows.xet.insertXorb(xorb(hash, 'ann'))
      await rows.xet.insertShard({ ...shard, id: 's', repoId: 'tiny', xorbHashes: ['x1'] })
      await rows.xet.insertShard({ ...shard, id: 't', repoId: 'other', xorbHashes: ['x2'], createdAt: 2 })
    })
    const { xet } = catalog.rows
    expect(await xet.findShardByChunk('ann', 'k', 'tiny')).toMatchObject({ xorbHashes: ['x1'] })
    expect(await xet.findShardByChunk('ann', 'k', 'other')).toMatchObject({ xorbHashes: ['x1', 'x2'] })
    expect(await xet.findShardByChunk('ann', 'k', 'huge')).toBeNull()
  })

  test('a shard with thousands of chunks', async () => {
    await using catalog = await withTwoOwners(make)
    const chunks = Array.from({ length: 5000 }, (_, index) => ({ hash: `k${index}`, xorbHash: 'x1' }))
    await catalog.tx(async (rows) => {
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      await rows.xet.insertShard({
        id: 's',
        domainId: 'ann',
        repoId: 'tiny',
        createdAt: 1,
        xorbHashes: ['x1'],
        chunks,
      })
    })
    for (const hash of ['k0', 'k2500', 'k4999']) {
      expect(await catalog.rows.xet.findShardByChunk('ann', hash, null)).toMatchObject({ xorbHashes: ['x1'] })
    }
  })

  test('a xorb leads to those of what came later to the same path, the newest first', async () => {
    await using catalog = await withTwoOwners(make)
    const { xet } = catalog.rows
    await catalog.tx(async (rows) => {
      for (const hash of ['x1', 'x2', 'x3', 'x4', 'x5']) await rows.xet.insertXorb(xorb(hash, 'ann'))
      for (const [hash, xorbs] of [
        ['f1', ['x1']],
        ['f2', ['x1', 'x2']],
        ['f3', ['x3']],
        ['g', ['x4']],
        ['h', ['x5']],
      ] as const)
        await rows.xet.insertFile('tiny', xetFile(hash, 'ann', { claimedSha256: `sha-${hash}` }), xorbs)
      const note = (pathKey: string, file: string, landedAt: number) =>
        rows.xet.notePathVersions('tiny', [{ pathKey, oid: `sha-${file}`, landedAt }])
      await note('p', 'f1', 1)
      await note('p', 'f2', 2)
      await note('p', 'f3', 3)
      await note('p', 'f1', 9)
      await note('q', 'g', 5)
      await note('q', 'lfs', 6)
      await note('q', 'h', 4)
    })
    const later = (hash: string, limit = 9) => xet.xorbsOfLaterVersions('tiny', 'ann', hash, limit)
    expect(await later('x1')).toEqual(['x3', 'x2'])
    expect(await later('x1', 1)).toEqual(['x3'])
    expect(await later('x2')).toEqual(['x3'])
    expect(await later('x3')).toEqual([])
    expect(await later('x5')).toEqual(['x4'])
    expect(await xet.xorbsOfLaterVersions('huge', 'ann', 'x1', 9)).toEqual([])
    expect(await xet.xorbsOfLaterVersions('tiny', 'bob', 'x1', 9)).toEqual([])
  })

  test('an epoch is current until it ends', async () => {
    await using catalog = await make()
    const { xet } = catalog.rows
    expect(await xet.currentEpoch(0)).toBeNull()
    await catalog.tx(async (rows) => {
      await rows.xet.insertEpoch({ id: 'e2', key: Uint8Array.of(2, 0), endsAt: 200 })
      await rows.xet.insertEpoch({ id: 'e1', key: Uint8Array.of(1, 0), endsAt: 100 })
    })
    const epoch = (await xet.currentEpoch(50))!
    expect({ ...epoch, key: [...epoch.key] }).toEqual({ id: 'e2', key: [2, 0], endsAt: 200 })
    expect((await xet.currentEpoch(199))?.id).toBe('e2')
    expect(await xet.currentEpoch(200)).toBeNull()
  })
}
