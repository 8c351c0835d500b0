/** Contract of LFS objects that become Xet files. */
import { expect, test } from 'vitest'

import type { Catalog } from '../catalog.ts'
import { repo, withTwoOwners, xetFile, xorb } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

const SHA = { domainId: 'ann', oid: 'sha' }

/** An object of ann's that two of her repositories have, and a Xet file of which the hub knows that it is the same. */
async function withObject(make: MakeCatalog): Promise<Catalog> {
  const catalog = await withTwoOwners(make)
  await catalog.tx(async (rows) => {
    await rows.repos.insert(repo('other', 'ann'))
    for (const [oid, receivedAt] of [
      ['later', 30],
      ['sha', 20],
      ['first', 10],
    ] as const) {
      await rows.blobs.insertLfs({ domainId: 'ann', oid, sizeBytes: 100, createdAt: 1 })
      await rows.lfsMigrations.insert({ domainId: 'ann', oid }, receivedAt)
    }
    await rows.blobs.linkLfs('tiny', 'sha', 7)
    await rows.blobs.linkLfs('other', 'sha', 7)
    await rows.xet.insertXorb(xorb('x1', 'ann'))
    for (const [hash, termCount] of [
      ['f1', 5],
      ['f2', 2],
    ] as const) {
      await rows.xet.insertFile('tiny', xetFile(hash, 'ann', { claimedSha256: 'lie', termCount }), ['x1'])
      await rows.xet.prove('ann', hash, 'sha')
    }
  })
  return catalog
}

export function lfsMigrationsContract(make: MakeCatalog): void {
  test('the first that came is the next, unless it was put off', async () => {
    await using catalog = await withObject(make)
    const { lfsMigrations } = catalog.rows
    const next = async (until: number, now: number) => (await lfsMigrations.nextToReplace(until, now))?.oid
    expect(await next(9, 100)).toBeUndefined()
    expect(await next(100, 100)).toBe('first')
    await catalog.tx((rows) => rows.lfsMigrations.postpone({ domainId: 'ann', oid: 'first' }, 200))
    // What has come already does not come again.
    await catalog.tx((rows) => rows.lfsMigrations.insert({ domainId: 'ann', oid: 'first' }, 1000))
    expect(await next(100, 100)).toBe('sha')
    expect(await next(100, 200)).toBe('first')
    expect(await lfsMigrations.get({ domainId: 'ann', oid: 'first' })).toMatchObject({ attempts: 1 })
    expect(await lfsMigrations.get({ domainId: 'bob', oid: 'first' })).toBeNull()
    await expect(
      catalog.tx((rows) => rows.lfsMigrations.insert({ domainId: 'bob', oid: 'first' }, 1)),
    ).rejects.toThrow()
  })

  test('who had the object has the file, whatever he called it before', async () => {
    await using catalog = await withObject(make)
    const { lfsMigrations, blobs } = catalog.rows
    expect(await lfsMigrations.repoIds(SHA)).toEqual(['other', 'tiny'])
    expect(await lfsMigrations.provenFile(SHA)).toBe('f2')
    expect(await lfsMigrations.provenFile({ domainId: 'bob', oid: 'sha' })).toBeNull()
    expect(await lfsMigrations.recipe(SHA)).toBeNull()
    await catalog.tx((rows) => rows.lfsMigrations.replace(SHA, 'f2', 50))
    for (const repoId of ['tiny', 'other'])
      expect((await blobs.contentOf(repoId, ['sha'])).get('sha')).toMatchObject({
        kind: 'xet',
        xetHash: 'f2',
      })
    expect(await blobs.contentOf('huge', ['sha'])).toEqual(new Map())
    expect(await lfsMigrations.repoIds(SHA)).toEqual([])
    expect(await lfsMigrations.recipe(SHA)).toMatchObject({ domainId: 'ann' })
    expect(await lfsMigrations.get(SHA)).toMatchObject({ replacedAt: 50, xetHash: 'f2', attempts: 0 })
    expect((await lfsMigrations.nextToReplace(100, 100))?.oid).toBe('first')
    expect(await lfsMigrations.nextToRemove(49, 100)).toBeNull()
    expect((await lfsMigrations.nextToRemove(50, 100))?.oid).toBe('sha')
  })

  test('an object that somebody has again is not removed, and begins anew', async () => {
    await using catalog = await withObject(make)
    const { lfsMigrations, blobs } = catalog.rows
    const remove = () => catalog.tx((rows) => rows.lfsMigrations.remove(SHA))
    await catalog.tx((rows) => rows.lfsMigrations.replace(SHA, 'f2', 50))
    await catalog.tx(async (rows) => {
      await rows.blobs.linkLfs('other', 'sha', 7)
      await rows.lfsMigrations.insert(SHA, 60)
    })
    expect(await remove()).toBe(false)
    expect(await lfsMigrations.get(SHA)).toMatchObject({ replacedAt: null, xetHash: null })
    await catalog.tx((rows) => rows.lfsMigrations.replace(SHA, 'f2', 70))
    expect(await remove()).toBe(true)
    expect(await lfsMigrations.get(SHA)).toBeNull()
    expect(await blobs.getLfs('ann', 'sha')).toBeNull()
    expect(await remove()).toBe(false)
  })

  test('the list is of all, or of those that a repository has in either form', async () => {
    await using catalog = await withObject(make)
    const { lfsMigrations } = catalog.rows
    const oids = async (...of: Parameters<typeof lfsMigrations.list>) =>
      (await lfsMigrations.list(...of)).map(({ oid }) => oid)
    expect(await oids(null, null, 9)).toEqual(['first', 'later', 'sha'])
    expect(await oids(null, { domainId: 'ann', oid: 'first' }, 1)).toEqual(['later'])
    expect(await oids(null, { domainId: 'ann', oid: 'sha' }, 9)).toEqual([])
    expect(await lfsMigrations.count(null)).toBe(3)
    for (const _ of ['as LFS', 'as Xet']) {
      expect(await oids('other', null, 9)).toEqual(['sha'])
      expect(await lfsMigrations.count('other')).toBe(1)
      expect(await lfsMigrations.count('huge')).toBe(0)
      await catalog.tx((rows) => rows.lfsMigrations.replace(SHA, 'f2', 50))
    }
  })
}
