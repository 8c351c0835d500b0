/** Contract of LFS objects and of what a sha256 is stored as. */
import { expect, test } from 'vitest'

import { repo, withTwoOwners, xetFile, xorb } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

export function contentContract(make: MakeCatalog): void {
  test('an LFS object belongs to its domain, and a repository sees it once it is linked', async () => {
    await using catalog = await withTwoOwners(make)
    const object = { domainId: 'ann', oid: 'sha1', sizeBytes: 6_000_000_000_000, createdAt: 4 }
    await catalog.tx(async (rows) => {
      await rows.blobs.insertLfs(object)
      await rows.blobs.insertLfs({ ...object, createdAt: 9 })
    })
    const { blobs } = catalog.rows
    expect(await blobs.getLfs('ann', 'sha1')).toEqual(object)
    expect(await blobs.getLfs('bob', 'sha1')).toBeNull()
    expect(await blobs.contentOf('tiny', ['sha1'])).toEqual(new Map())
    await catalog.tx(async (rows) => {
      await rows.blobs.linkLfs('tiny', 'sha1')
      await rows.blobs.linkLfs('tiny', 'sha1')
    })
    const content = { kind: 'lfs', domainId: 'ann', oid: 'sha1', sizeBytes: object.sizeBytes }
    expect(await blobs.contentOf('tiny', ['sha1', 'sha2'])).toEqual(new Map([['sha1', content]]))
    expect(await blobs.contentOf('huge', ['sha1'])).toEqual(new Map())
  })

  test('nothing is linked that is not there, or lies in another domain', async () => {
    await using catalog = await withTwoOwners(make)
    const object = { domainId: 'ann', oid: 'sha1', sizeBytes: 1, createdAt: 1 }
    await catalog.tx((rows) => rows.blobs.insertLfs(object))
    await expect(catalog.tx((rows) => rows.blobs.linkLfs('tiny', 'sha2'))).rejects.toThrow()
    await expect(catalog.tx((rows) => rows.blobs.linkLfs('huge', 'sha1'))).rejects.toThrow()
    await expect(catalog.tx((rows) => rows.blobs.linkLfs('nowhere', 'sha1'))).rejects.toThrow()
  })

  test('Xet wins over LFS, verified over claimed, and a mismatch counts for nothing', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.blobs.insertLfs({ domainId: 'ann', oid: 'sha', sizeBytes: 100, createdAt: 1 })
      await rows.blobs.linkLfs('tiny', 'sha')
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      for (const hash of ['f1', 'f2', 'f3']) {
        await rows.xet.insertFile('tiny', xetFile(hash, 'ann', { sha256: 'sha' }), ['x1'])
      }
    })
    const stored = async () => (await catalog.rows.blobs.contentOf('tiny', ['sha'])).get('sha')
    expect(await stored()).toMatchObject({ kind: 'xet', oid: 'sha', sizeBytes: 100, sha256State: 'claimed' })
    await catalog.tx((rows) => rows.xet.setSha256State('ann', 'f2', 'verified'))
    expect(await stored()).toMatchObject({ kind: 'xet', xetHash: 'f2', sha256State: 'verified' })
    await catalog.tx(async (rows) => {
      for (const hash of ['f1', 'f2', 'f3']) await rows.xet.setSha256State('ann', hash, 'mismatch')
    })
    expect(await stored()).toEqual({ kind: 'lfs', domainId: 'ann', oid: 'sha', sizeBytes: 100 })
  })

  test('knowing a sha256 does not show what another repository of the domain has', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.repos.insert(repo('secret', 'ann', { private: true }))
      await rows.blobs.insertLfs({ domainId: 'ann', oid: 'lfs', sizeBytes: 1, createdAt: 1 })
      await rows.blobs.linkLfs('secret', 'lfs')
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      await rows.xet.insertFile('secret', xetFile('f1', 'ann', { sha256: 'xet' }), ['x1'])
    })
    expect((await catalog.rows.blobs.contentOf('secret', ['lfs', 'xet'])).size).toBe(2)
    expect((await catalog.rows.blobs.contentOf('tiny', ['lfs', 'xet'])).size).toBe(0)
    expect(await catalog.rows.xet.getFile('tiny', 'f1')).toBeNull()
  })

  test('a list of thousands is answered whole, whatever its length, repeats included', async () => {
    await using catalog = await withTwoOwners(make)
    const oids = Array.from({ length: 1500 }, (_, index) => `sha-${index}`)
    await catalog.tx(async (rows) => {
      for (const [index, oid] of oids.entries()) {
        await rows.blobs.insertLfs({ domainId: 'ann', oid, sizeBytes: index, createdAt: 1 })
        await rows.blobs.linkLfs('tiny', oid)
      }
    })
    for (const count of [0, 1, 2, 8, 9, 64, 65, 512, 513, 1024, 1500]) {
      const asked = oids.slice(0, count)
      const contents = await catalog.rows.blobs.contentOf('tiny', [...asked, ...asked, 'unknown'])
      expect([...contents.keys()].toSorted()).toEqual(asked.toSorted())
      for (const [index, oid] of asked.entries()) expect(contents.get(oid)?.sizeBytes).toBe(index)
    }
  })
}
