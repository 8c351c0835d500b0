/** The part of the blob store's contract that speaks of multipart uploads. */
import { failEachCall } from '@cairn/testkit/faults'
import { describe, expect, test } from 'vitest'

import { lfsKey } from '../keys.ts'
import { PartMismatchError, PartTooLargeError } from './blob-store.ts'
import type { BlobStore } from './blob-store.ts'
import { collect, patterned, sha256 } from './blobs-under-test.contract.ts'
import type { BlobStoreUnderTest } from './blobs-under-test.contract.ts'

const UPLOAD = 'upload-0001'
const OTHER = 'upload-0002'
const MIB = 1024 * 1024
const KEY = lfsKey('d0', 'cd'.repeat(32))

export function partStoreContract(name: string, make: () => Promise<BlobStoreUnderTest>): void {
  describe(`${name}: parts`, () => {
    test('parts arrive in any order, some twice, over a restart, and become one blob', async () => {
      await using t = await make()
      const bytes = patterned(2 * MIB + 77)
      const cut = [bytes.subarray(0, MIB), bytes.subarray(MIB, 2 * MIB), bytes.subarray(2 * MIB)]
      await putPart(t.store, 3, cut[2]!)
      await putPart(t.store, 1, Buffer.from('a first try'))
      expect(await putPart(t.store, 1, cut[0]!)).toEqual({ etag: sha256(cut[0]!), sizeBytes: MIB })

      const restarted = await t.reopen()
      await putPart(restarted, 2, cut[1]!)
      const parts = await restarted.parts.list(UPLOAD)
      expect(parts).toEqual(
        cut.map((part, n) => ({ partNumber: n + 1, etag: sha256(part), sizeBytes: part.length })),
      )
      await using staged = await restarted.parts.assemble(UPLOAD, parts)
      expect(staged.sha256()).toBe(sha256(bytes))
      await staged.commit(KEY, { sizeBytes: bytes.length, sha256: sha256(bytes) })
      expect((await collect(await restarted.read(KEY))).equals(bytes)).toBe(true)

      expect(await restarted.parts.list(UPLOAD)).toEqual(parts)
      await restarted.parts.drop(UPLOAD)
      await restarted.parts.drop(UPLOAD)
      expect(await restarted.parts.list(UPLOAD)).toEqual([])
      expect(await t.leftovers()).toEqual([])
      expect(await restarted.stat(KEY)).not.toBeNull()
    })

    test('parts are listed by number, not by name, and uploads do not mix', async () => {
      await using t = await make()
      for (const n of [10, 9, 100, 1, 10_000]) await putPart(t.store, n, Buffer.from(`part ${n}`))
      await t.store.parts.put(OTHER, 2, chunks(Buffer.from('other')), 100)
      expect((await t.store.parts.list(UPLOAD)).map((part) => part.partNumber)).toEqual([
        1, 9, 10, 100, 10_000,
      ])
      await t.store.parts.drop(UPLOAD)
      expect(await t.store.parts.list(OTHER)).toHaveLength(1)
    })

    test('an empty part is a part', async () => {
      await using t = await make()
      await putPart(t.store, 1, Buffer.alloc(0))
      const parts = await t.store.parts.list(UPLOAD)
      expect(parts).toEqual([{ partNumber: 1, etag: sha256(Buffer.alloc(0)), sizeBytes: 0 }])
      await using staged = await t.store.parts.assemble(UPLOAD, parts)
      expect(staged.sizeBytes).toBe(0)
    })

    test('a part that is too large, or breaks off, leaves the earlier one as it was', async () => {
      await using t = await make()
      const { etag } = await putPart(t.store, 1, Buffer.from('good'))
      await t.store.parts.put(OTHER, 1, chunks(Buffer.from('1234')), 4)
      await expect(t.store.parts.put(UPLOAD, 1, chunks(Buffer.from('12345')), 4)).rejects.toThrow(
        PartTooLargeError,
      )
      await expect(t.store.parts.put(UPLOAD, 1, brokenOff(), 10 * MIB)).rejects.toThrow('hung up')
      await expect(t.store.parts.put('upload-0003', 1, brokenOff(), 10 * MIB)).rejects.toThrow('hung up')
      expect(await t.store.parts.list(UPLOAD)).toEqual([{ partNumber: 1, etag, sizeBytes: 4 }])
      expect(await t.store.parts.list('upload-0003')).toEqual([])
      expect(await t.leftovers()).toEqual([])
    })

    test('only parts that are there, as the caller knows them, without gaps, are joined', async () => {
      await using t = await make()
      const { etag } = await putPart(t.store, 1, Buffer.from('one'))
      const assemble = async (...parts: { partNumber: number; etag: string }[]): Promise<unknown> =>
        t.store.parts.assemble(UPLOAD, parts).catch((error: unknown) => error)
      const absent = await assemble({ partNumber: 1, etag }, { partNumber: 2, etag })
      expect(absent).toBeInstanceOf(PartMismatchError)
      expect(absent).toMatchObject({ partNumber: 2, reason: 'absent' })
      expect(await assemble({ partNumber: 1, etag: '0'.repeat(64) })).toMatchObject({ reason: 'etag' })
      expect(await assemble({ partNumber: 2, etag })).toBeInstanceOf(RangeError)
      expect(await assemble()).toBeInstanceOf(RangeError)
      expect(await t.leftovers()).toEqual([])
    })

    test.each(['short', '../../etc', 'upload_0001', 'x'.repeat(65), '', 'upload-0001/1'])(
      'upload id %j is refused',
      async (uploadId) => {
        await using t = await make()
        await expect(t.store.parts.put(uploadId, 1, chunks(Buffer.from('x')), 10)).rejects.toThrow(TypeError)
        await expect(t.store.parts.list(uploadId)).rejects.toThrow(TypeError)
        await expect(t.store.parts.drop(uploadId)).rejects.toThrow(TypeError)
      },
    )

    test.each([0, -1, 1.5, 10_001, Number.NaN])('part number %d is refused', async (partNumber) => {
      await using t = await make()
      await expect(putPart(t.store, partNumber, Buffer.from('x'))).rejects.toThrow(RangeError)
    })

    test('the sweeper hears of untouched uploads only', async () => {
      await using t = await make()
      await putPart(t.store, 1, Buffer.from('x'))
      const stale = async (before: number): Promise<string[]> => {
        const found: string[] = []
        for await (const uploadId of t.store.parts.listStale(before)) found.push(uploadId)
        return found
      }
      expect(await stale(Date.now() + 3_600_000)).toEqual([UPLOAD])
      expect(await stale(Date.now() - 3_600_000)).toEqual([])
    })

    test.each(['before', 'after'] as const)(
      'a fault %s any call shows no half of a joined blob',
      async (timing) => {
        await using t = await make()
        const bytes = patterned(600_000)
        const failures = await failEachCall(
          timing,
          async () => t.store,
          async (store) => {
            await putPart(store, 2, bytes.subarray(400_000))
            await putPart(store, 1, bytes.subarray(0, 400_000))
            await using staged = await store.parts.assemble(UPLOAD, await store.parts.list(UPLOAD))
            await staged.commit(KEY, { sha256: sha256(bytes) })
            await store.parts.drop(UPLOAD)
          },
          async () => {
            expect(await t.leftovers()).toEqual([])
            if ((await t.store.stat(KEY)) !== null)
              expect((await collect(await t.store.read(KEY))).equals(bytes)).toBe(true)
            await t.store.delete(KEY)
          },
        )
        expect(failures).toBe(6)
        expect((await collect(await t.store.read(KEY))).equals(bytes)).toBe(true)
      },
    )
  })
}

async function putPart(
  store: BlobStore,
  partNumber: number,
  bytes: Buffer,
): Promise<{ etag: string; sizeBytes: number }> {
  return store.parts.put(UPLOAD, partNumber, chunks(bytes), 64 * MIB)
}

async function* chunks(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

async function* brokenOff(): AsyncGenerator<Uint8Array> {
  yield patterned(3 * MIB)
  throw new Error('hung up')
}
