/** The executable meaning of `BlobStore`, for every implementation, including what a failure leaves behind: nothing. */
import { setImmediate as nextTurn } from 'node:timers/promises'

import { failEachCall } from '@cairn/testkit/faults'
import { describe, expect, test } from 'vitest'

import { keyPrefix, lfsKey, shardKey, xorbKey } from '../keys.ts'
import { BlobMismatchError, BlobNotFoundError } from './blob-store.ts'
import type { BlobKey, BlobStore } from './blob-store.ts'
import { collect, patterned, sha256 } from './blobs-under-test.contract.ts'
import type { BlobStoreUnderTest } from './blobs-under-test.contract.ts'
import { partStoreContract } from './part-store.contract.ts'

const KIB = 1024
const MIB = 1024 * KIB
const DOMAIN = 'd0'
const KEY = lfsKey(DOMAIN, 'ab'.repeat(32))

export function blobStoreContract(name: string, make: () => Promise<BlobStoreUnderTest>): void {
  describe(`${name}: blobs`, () => {
    test('a staged write is invisible until it is committed', async () => {
      await using t = await make()
      await using staged = await t.store.stage()
      await staged.append(patterned(3 * MIB))
      expect(await visible(t.store)).toEqual([])
      expect(await t.store.stat(KEY)).toBeNull()
      await expect(t.store.read(KEY)).rejects.toThrow(BlobNotFoundError)
      await staged.commit(KEY)
      expect(await t.store.stat(KEY)).toEqual({ key: KEY, sizeBytes: 3 * MIB })
      expect(await visible(t.store)).toEqual([KEY])
      expect(await t.leftovers()).toEqual([])
      expect((await readAll(await t.reopen(), KEY)).equals(patterned(3 * MIB))).toBe(true)
    })

    test.each([
      ['nothing', []],
      ['an empty chunk', [0]],
      ['one byte', [1]],
      ['one gathered buffer exactly', [MIB]],
      ['one byte around a buffer', [MIB - 1, 1, 1]],
      ['small chunks', Array<number>(700).fill(7 * KIB + 3)],
      ['large chunks between small ones', [5, 2 * MIB + 1, 100 * KIB, MIB, 1, 3 * MIB]],
      ['5 MiB across chunk boundaries', Array<number>(80).fill(64 * KIB)],
    ])('what was appended is what is read: %s', async (_, sizes) => {
      await using t = await make()
      const bytes = patterned(sizes.reduce((sum, size) => sum + size, 0))
      await using staged = await t.store.stage()
      // The caller's own buffer is used again as soon as append has settled.
      const mine = Buffer.alloc(Math.max(0, ...sizes))
      let offset = 0
      for (const size of sizes) {
        mine.set(bytes.subarray(offset, offset + size))
        await staged.append(mine.subarray(0, size))
        offset += size
        expect(staged.sizeBytes).toBe(offset)
        mine.fill(0xee)
      }
      expect(staged.sha256()).toBe(sha256(bytes))
      await staged.commit(KEY, { sizeBytes: bytes.length, sha256: sha256(bytes) })
      expect(staged.sha256()).toBe(sha256(bytes))
      expect(staged.sizeBytes).toBe(bytes.length)
      expect((await readAll(t.store, KEY)).equals(bytes)).toBe(true)
    })

    test('size and sha256 can be asked on the way', async () => {
      await using t = await make()
      await using staged = await t.store.stage()
      expect(staged.sha256()).toBe(sha256(Buffer.alloc(0)))
      await staged.append(Buffer.from('ab'))
      expect(staged.sha256()).toBe(sha256(Buffer.from('ab')))
      await staged.append(Buffer.from('c'))
      expect(staged.sha256()).toBe(sha256(Buffer.from('abc')))
    })

    test('ranges are inclusive and exact at every edge', async () => {
      await using t = await make()
      const size = MIB + 5
      const bytes = patterned(size)
      await put(t.store, KEY, bytes)
      const edges = [0, 1, 256 * KIB - 1, 256 * KIB, 256 * KIB + 1, 512 * KIB, size - 2, size - 1]
      for (const start of edges)
        for (const end of edges.filter((edge) => edge >= start))
          expect((await readAll(t.store, KEY, { start, end })).equals(bytes.subarray(start, end + 1))).toBe(
            true,
          )
      for (const [start, end] of [
        [0, size],
        [size, size],
        [5, 4],
        [-1, 3],
        [0.5, 3],
        [0, Number.NaN],
      ] as const)
        await expect(t.store.read(KEY, { start, end })).rejects.toThrow(RangeError)
    })

    test('an empty blob has a size and no chunk, and no range lies within it', async () => {
      await using t = await make()
      await put(t.store, KEY, Buffer.alloc(0))
      expect(await t.store.stat(KEY)).toEqual({ key: KEY, sizeBytes: 0 })
      for await (const chunk of await t.store.read(KEY)) expect.unreachable(`a chunk of ${chunk.length}`)
      await expect(t.store.read(KEY, { start: 0, end: 0 })).rejects.toThrow(RangeError)
    })

    test('a chunk is whole while one write of it is in flight, with many slow readers at once', async () => {
      await using t = await make()
      const keys = [0, 1, 2].map((n) => xorbKey(DOMAIN, `0${n}`.repeat(32)))
      const blobs = keys.map((_, n) => patterned(2 * MIB + n * 100_001, n))
      for (const [n, key] of keys.entries()) await put(t.store, key, blobs[n]!)

      async function readSlowly(reader: number): Promise<void> {
        const bytes = blobs[reader % 3]!
        const leaveAt = reader % 4 === 3 ? bytes.length / 2 : Number.POSITIVE_INFINITY
        let inFlight: Promise<void> = Promise.resolve()
        let offset = 0
        for await (const chunk of await t.store.read(keys[reader % 3]!)) {
          await inFlight
          inFlight = written(chunk, bytes.subarray(offset, offset + chunk.length), 1 + (reader % 5))
          offset += chunk.length
          if (offset > leaveAt) break
        }
        await inFlight
        if (leaveAt === Number.POSITIVE_INFINITY) expect(offset).toBe(bytes.length)
      }
      await Promise.all(Array.from({ length: 24 }, (_, reader) => readSlowly(reader)))
    })

    test.each([[1], [7], [3001]])(
      'an open blob fills %i pieces of memory and nothing between them',
      async (count) => {
        await using t = await make()
        const bytes = patterned(MIB)
        await put(t.store, KEY, bytes)
        await using blob = await t.store.open(KEY)
        await t.store.delete(KEY)
        const memory = Buffer.alloc(count * 20)
        const pieces = Array.from({ length: count }, (_, index) =>
          memory.subarray(index * 20, index * 20 + 19),
        )
        await blob.readInto(1000, pieces)
        expect(Buffer.concat(pieces).equals(bytes.subarray(1000, 1000 + count * 19))).toBe(true)
        expect(pieces.every((_, index) => memory[index * 20 + 19] === 0)).toBe(true)
      },
    )

    test('an open blob has no bytes behind its end', async () => {
      await using t = await make()
      await expect(t.store.open(KEY)).rejects.toThrow(BlobNotFoundError)
      await put(t.store, KEY, patterned(10))
      await using blob = await t.store.open(KEY)
      await expect(blob.readInto(5, [Buffer.alloc(3), Buffer.alloc(3)])).rejects.toThrow(RangeError)
    })

    test('reading goes on when the blob is deleted meanwhile', async () => {
      await using t = await make()
      await put(t.store, KEY, patterned(2 * MIB))
      const chunks = await t.store.read(KEY)
      await t.store.delete(KEY)
      expect((await collect(chunks)).equals(patterned(2 * MIB))).toBe(true)
    })

    test('abort and disposal leave nothing, and end the write', async () => {
      await using t = await make()
      const aborted = await t.store.stage()
      await aborted.append(patterned(MIB + 1))
      await aborted.abort()
      await aborted.abort()
      await expect(aborted.append(Buffer.from('x'))).rejects.toThrow()
      await expect(aborted.commit(KEY)).rejects.toThrow()
      {
        await using disposed = await t.store.stage()
        await disposed.append(patterned(10))
      }
      expect(await visible(t.store)).toEqual([])
      expect(await t.leftovers()).toEqual([])
    })

    test('abort comes while appends are under way, as when a client hangs up', async () => {
      await using t = await make()
      const staged = await t.store.stage()
      const appending = (async () => {
        for (let n = 0; n < 1000; n++) await staged.append(patterned(700 * KIB))
      })()
      const ended = expect(appending).rejects.toThrow()
      await nextTurn()
      await staged.abort()
      await ended
      expect(await t.leftovers()).toEqual([])
    })

    test.each([
      ['size', { sizeBytes: 4 }],
      ['sha256', { sizeBytes: 3, sha256: sha256(Buffer.from('abd')) }],
    ])('another %s than promised is refused and nothing stays', async (_, promised) => {
      await using t = await make()
      await using staged = await t.store.stage()
      await staged.append(Buffer.from('abc'))
      const refused = await staged.commit(KEY, promised).catch((error: unknown) => error)
      expect(refused).toBeInstanceOf(BlobMismatchError)
      expect(refused).toMatchObject({ actual: { sizeBytes: 3, sha256: sha256(Buffer.from('abc')) } })
      await expect(staged.commit(KEY)).rejects.toThrow()
      expect(await visible(t.store)).toEqual([])
      expect(await t.leftovers()).toEqual([])
    })

    test('the first blob of a key stays, the second is dropped and its commit succeeds', async () => {
      await using t = await make()
      await put(t.store, KEY, Buffer.from('first'))
      await put(t.store, KEY, Buffer.from('second'))
      expect((await readAll(t.store, KEY)).toString()).toBe('first')
      expect(await t.leftovers()).toEqual([])
    })

    test('of many commits of one key at once all succeed, and what the first showed stays', async () => {
      await using t = await make()
      const writers = Promise.all(
        Array.from({ length: 12 }, (_, n) => put(t.store, KEY, Buffer.from(`writer ${n}`))),
      )
      while ((await t.store.stat(KEY)) === null) await nextTurn()
      const shown = String(await readAll(t.store, KEY))
      await writers
      expect(String(await readAll(t.store, KEY))).toBe(shown)
      expect(await t.leftovers()).toEqual([])
    })

    test('a crash leaves nothing of a write in progress, and all that was committed', async () => {
      await using t = await make()
      const bytes = patterned(100)
      await put(t.store, KEY, bytes)
      await using unfinished = await t.store.stage()
      await unfinished.append(patterned(2 * MIB))
      const restarted = await t.reopen()
      expect(await t.leftovers()).toEqual([])
      expect(await visible(restarted)).toEqual([KEY])
      expect(await readAll(restarted, KEY)).toEqual(bytes)
    })

    test('one domain does not see what another holds', async () => {
      await using t = await make()
      const oid = '7f'.repeat(32)
      await put(t.store, lfsKey('mine', oid), Buffer.from('x'))
      expect(await t.store.stat(lfsKey('yours', oid))).toBeNull()
      expect(await visible(t.store, keyPrefix('lfs', 'yours'))).toEqual([])
    })

    test('list goes in key order, by prefix, from any key on', async () => {
      await using t = await make()
      const hashes = ['00', '0a', 'a0', 'ff'].map((byte) => byte.repeat(32))
      const keys = ['a', 'a-b', 'a_b', 'aB', 'b']
        .flatMap((domain) =>
          hashes.flatMap((hash) => [
            lfsKey(domain, hash),
            xorbKey(domain, hash),
            shardKey({ domainId: domain, repoId: 'r', id: `s-${hash.slice(0, 8)}` }),
          ]),
        )
        .toSorted((a, b) => (a < b ? -1 : 1))
      for (const key of keys.toReversed()) await put(t.store, key, Buffer.from(key))
      expect(await visible(t.store)).toEqual(keys)
      for (const after of keys)
        expect(await visible(t.store, '', after)).toEqual(keys.filter((key) => key > after))
      for (const prefix of ['lfs/', 'lfs/a', 'lfs/a/', 'xorbs/a-b/00/00/', 'shards/b/s-f', 'xorbs/a/f', 'q'])
        expect(await visible(t.store, prefix, keys[3])).toEqual(
          keys.filter((key) => key.startsWith(prefix) && key > keys[3]!),
        )
    })

    test('delete takes one blob, twice if asked, and nothing beside it', async () => {
      await using t = await make()
      const neighbour = lfsKey(DOMAIN, `abab${'00'.repeat(30)}`)
      await put(t.store, KEY, Buffer.from('x'))
      await put(t.store, neighbour, Buffer.from('y'))
      await t.store.delete(KEY)
      await t.store.delete(KEY)
      expect(await visible(t.store)).toEqual([neighbour])
      await put(t.store, KEY, Buffer.from('z'))
      expect((await readAll(t.store, KEY)).toString()).toBe('z')
    })

    test.each(['before', 'after'] as const)('a fault %s any call shows no half of a blob', async (timing) => {
      await using t = await make()
      const bytes = patterned(2 * MIB + 9)
      const failures = await failEachCall(
        timing,
        async () => t.store,
        async (store) => {
          await using staged = await store.stage()
          for (let at = 0; at < bytes.length; at += 600 * KIB)
            await staged.append(bytes.subarray(at, at + 600 * KIB))
          await staged.commit(KEY, { sha256: sha256(bytes) })
          expect((await readAll(store, KEY)).equals(bytes)).toBe(true)
          await store.delete(KEY)
        },
        async () => {
          expect(await t.leftovers()).toEqual([])
          if ((await t.store.stat(KEY)) !== null)
            expect((await readAll(t.store, KEY)).equals(bytes)).toBe(true)
          await t.store.delete(KEY)
        },
      )
      expect(failures).toBeGreaterThan(8)
    })
  })

  partStoreContract(name, make)
}

async function put(store: BlobStore, key: BlobKey, bytes: Uint8Array): Promise<void> {
  await using staged = await store.stage()
  await staged.append(bytes)
  await staged.commit(key)
}

async function visible(store: BlobStore, prefix = '', after?: BlobKey): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of store.list(prefix, after)) keys.push(key)
  return keys
}

async function readAll(
  store: BlobStore,
  key: BlobKey,
  range?: { start: number; end: number },
): Promise<Buffer> {
  return collect(await store.read(key, range))
}

/** A slow socket: the bytes must still be right when the kernel is done with them. */
async function written(chunk: Uint8Array, expected: Buffer, turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await nextTurn()
  expect(expected.equals(chunk)).toBe(true)
}
