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
      await rows.blobs.linkLfs('tiny', 'sha1', 1)
      await rows.blobs.linkLfs('tiny', 'sha1', 1)
    })
    const content = { kind: 'lfs', domainId: 'ann', oid: 'sha1', sizeBytes: object.sizeBytes }
    expect(await blobs.contentOf('tiny', ['sha1', 'sha2'])).toEqual(new Map([['sha1', content]]))
    expect(await blobs.contentOf('huge', ['sha1'])).toEqual(new Map())
  })

  test('nothing is linked that is not there, or lies in another domain', async () => {
    await using catalog = await withTwoOwners(make)
    const object = { domainId: 'ann', oid: 'sha1', sizeBytes: 1, createdAt: 1 }
    await catalog.tx((rows) => rows.blobs.insertLfs(object))
    await expect(catalog.tx((rows) => rows.blobs.linkLfs('tiny', 'sha2', 1))).rejects.toThrow()
    await expect(catalog.tx((rows) => rows.blobs.linkLfs('huge', 'sha1', 1))).rejects.toThrow()
    await expect(catalog.tx((rows) => rows.blobs.linkLfs('nowhere', 'sha1', 1))).rejects.toThrow()
  })

  test('LFS wins over a claim, proven Xet over LFS, and a false claim counts for nothing', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.blobs.insertLfs({ domainId: 'ann', oid: 'sha', sizeBytes: 100, createdAt: 1 })
      await rows.blobs.linkLfs('tiny', 'sha', 1)
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      for (const hash of ['f1', 'f2', 'f3'])
        await rows.xet.insertFile('tiny', xetFile(hash, 'ann', { claimedSha256: 'sha' }), ['x1'])
    })
    const stored = async () => (await catalog.rows.blobs.contentOf('tiny', ['sha'])).get('sha')
    const prove = (hash: string, sha256: string) => catalog.tx((rows) => rows.xet.prove('ann', hash, sha256))
    expect(await stored()).toMatchObject({ kind: 'lfs' })
    await prove('f2', 'sha')
    expect(await stored()).toMatchObject({ kind: 'xet', xetHash: 'f2', isProven: true })
    for (const hash of ['f1', 'f2', 'f3']) await prove(hash, 'other')
    expect(await stored()).toEqual({ kind: 'lfs', domainId: 'ann', oid: 'sha', sizeBytes: 100 })
  })

  test('of several Xet files a proven one is taken, then the one with the fewest terms', async () => {
    await using catalog = await withTwoOwners(make)
    const stored = async () => (await catalog.rows.blobs.contentOf('tiny', ['sha'])).get('sha')
    await catalog.tx(async (rows) => {
      for (const [hash, termCount] of [
        ['f1', 9],
        ['f2', 2],
        ['f3', 4],
        ['f4', 2],
      ] as const)
        await rows.xet.insertFile('tiny', xetFile(hash, 'ann', { claimedSha256: 'sha', termCount }), [])
    })
    expect(await stored()).toMatchObject({ xetHash: 'f2', isProven: false })
    for (const [hash, taken] of [
      ['f1', 'f1'],
      ['f3', 'f3'],
      ['f4', 'f4'],
    ] as const) {
      await catalog.tx((rows) => rows.xet.prove('ann', hash, 'sha'))
      expect(await stored()).toMatchObject({ xetHash: taken, isProven: true })
    }
  })

  test('a claim counts in its own repository only, and what was proven under its true name', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.repos.insert(repo('liar', 'ann'))
      await rows.repos.insert(repo('mute', 'ann'))
      for (const [id, claimedSha256] of [
        ['liar', 'false'],
        ['tiny', 'true'],
        ['mute', null],
      ] as const)
        await rows.xet.insertFile(id, xetFile('f1', 'ann', { claimedSha256 }), [])
    })
    const { blobs, xet } = catalog.rows
    const has = async (repoId: string) => [...(await blobs.contentOf(repoId, ['false', 'true'])).keys()]
    expect([await has('liar'), await has('tiny'), await has('mute')]).toEqual([['false'], ['true'], []])
    const refuted = { repoId: 'liar', claimedSha256: 'false', xetHash: 'f1', sha256: 'true' }
    expect(await catalog.tx((rows) => rows.xet.prove('ann', 'f1', 'true'))).toEqual([refuted])
    expect([await has('liar'), await has('tiny'), await has('mute')]).toEqual([['true'], ['true'], ['true']])
    expect(await xet.falseClaims('liar', ['false', 'true'])).toEqual(new Map([['false', refuted]]))
    expect(await xet.falseClaims('tiny', ['false', 'true'])).toEqual(new Map())
    // Taken away under the false name, it stays under the true one.
    await catalog.tx((rows) => rows.blobs.unlinkContent('liar', ['false']))
    expect((await xet.falseClaims('liar', ['false'])).size).toBe(0)
    expect(await has('liar')).toEqual(['true'])
    await catalog.tx((rows) => rows.blobs.unlinkContent('liar', ['true']))
    expect(await has('liar')).toEqual([])
    expect(await xet.getFile('liar', 'f1')).toBeNull()
    expect(await has('tiny')).toEqual(['true'])
  })

  test('knowing a sha256 does not show what another repository of the domain has', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.repos.insert(repo('secret', 'ann', { private: true }))
      await rows.blobs.insertLfs({ domainId: 'ann', oid: 'lfs', sizeBytes: 1, createdAt: 1 })
      await rows.blobs.linkLfs('secret', 'lfs', 1)
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      await rows.xet.insertFile('secret', xetFile('f1', 'ann', { claimedSha256: 'xet', sha256: 'xet' }), [
        'x1',
      ])
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
        await rows.blobs.linkLfs('tiny', oid, 1)
      }
    })
    for (const count of [0, 1, 2, 8, 9, 64, 65, 512, 513, 1024, 1500]) {
      const asked = oids.slice(0, count)
      const contents = await catalog.rows.blobs.contentOf('tiny', [...asked, ...asked, 'unknown'])
      expect([...contents.keys()].toSorted()).toEqual(asked.toSorted())
      for (const [index, oid] of asked.entries()) expect(contents.get(oid)?.sizeBytes).toBe(index)
    }
  })

  test('contents are listed by sha256, page by page, once each and until they are unlinked', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      for (const [oid, createdAt] of [
        ['b', 5],
        ['d', 7],
      ] as const) {
        await rows.blobs.insertLfs({ domainId: 'ann', oid, sizeBytes: 100, createdAt })
        await rows.blobs.linkLfs('tiny', oid, 1)
      }
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      await rows.xet.insertFile('tiny', xetFile('f1', 'ann', { claimedSha256: 'a', createdAt: 3 }), ['x1'])
      await rows.xet.insertFile('tiny', xetFile('f2', 'ann', { claimedSha256: 'b', createdAt: 4 }), ['x1'])
      await rows.xet.insertFile('tiny', xetFile('f3', 'ann'), ['x1'])
      const refuted = xetFile('f4', 'ann', { claimedSha256: 'c', sha256: 'd' })
      await rows.xet.insertFile('tiny', refuted, ['x1'])
    })
    const { blobs } = catalog.rows
    const a = { oid: 'a', sizeBytes: 100, createdAt: 3 }
    const b = { oid: 'b', sizeBytes: 100, createdAt: 4 }
    const d = { oid: 'd', sizeBytes: 100, createdAt: 1 }
    expect(await blobs.listContent('tiny', null, 10)).toEqual([a, b, d])
    expect(await blobs.listContent('tiny', null, 2)).toEqual([a, b])
    expect(await blobs.listContent('tiny', 'b', 2)).toEqual([d])
    expect(await blobs.listContent('huge', null, 10)).toEqual([])
    await catalog.tx((rows) => rows.blobs.unlinkContent('huge', ['a', 'b']))
    expect(await blobs.listContent('tiny', null, 10)).toEqual([a, b, d])
    await catalog.tx(async (rows) => {
      await rows.blobs.unlinkContent('tiny', ['a', 'b', 'unknown'])
      await rows.blobs.unlinkContent('tiny', [])
    })
    expect(await blobs.listContent('tiny', null, 10)).toEqual([d])
    expect(await blobs.contentOf('tiny', ['a', 'b'])).toEqual(new Map())
    expect(await blobs.getLfs('ann', 'b')).not.toBeNull()
  })
}
