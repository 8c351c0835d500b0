import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, open, readdir, rm, truncate, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { describe, expect, test } from 'vitest'

import { lfsKey } from '../keys.ts'
import { blobStoreContract } from './blob-store.contract.ts'
import type { BlobKey } from './blob-store.ts'
import { collect, patterned } from './blobs-under-test.contract.ts'
import type { BlobStoreUnderTest } from './blobs-under-test.contract.ts'
import { DiskBlobStore } from './disk.ts'

interface DiskUnderTest extends BlobStoreUnderTest {
  root: string
}

async function makeDisk(): Promise<DiskUnderTest> {
  const root = await mkdtemp(join(tmpdir(), 'cairn-blobs-'))
  return {
    root,
    store: await DiskBlobStore.open(root),
    reopen: () => DiskBlobStore.open(root),
    leftovers: () => readdir(join(root, 'staging')),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  }
}

blobStoreContract('disk', makeDisk)

const KEY = lfsKey('d0', 'ab'.repeat(32))
const MIB = 1024 * 1024

async function putBlob(t: DiskUnderTest, bytes: Uint8Array): Promise<string> {
  await using staged = await t.store.stage()
  await staged.append(bytes)
  await staged.commit(KEY)
  return join(t.root, 'blobs', KEY)
}

describe('disk alone', () => {
  test('opening clears staging of whatever lies there, and blobs and parts of nothing', async () => {
    await using t = await makeDisk()
    await putBlob(t, Buffer.from('x'))
    await t.store.parts.put('upload-0001', 1, one('part'), 10)
    await writeFile(join(t.root, 'staging', 'half-written'), 'x')
    await cp(join(t.root, 'parts', 'upload-0001'), join(t.root, 'staging', 'half-dropped'), {
      recursive: true,
    })
    const restarted = await t.reopen()
    expect(await t.leftovers()).toEqual([])
    expect(await restarted.stat(KEY)).not.toBeNull()
    expect(await restarted.parts.list('upload-0001')).toHaveLength(1)
  })

  test('a file cut short under a reader makes it throw, before or in the midst', async () => {
    await using t = await makeDisk()
    const path = await putBlob(t, patterned(2 * MIB))
    const chunks = await t.store.read(KEY)
    await truncate(path, MIB + 3)
    await expect(collect(chunks)).rejects.toThrow('earlier than it should')
  })

  test('a file system that fails at commit is heard of, and nothing stays', async () => {
    await using t = await makeDisk()
    await writeFile(join(t.root, 'blobs', 'lfs'), 'a file where a folder should be')
    await expect(putBlob(t, patterned(MIB))).rejects.toMatchObject({ code: 'ENOTDIR' })
    expect(await t.leftovers()).toEqual([])
  })

  test('a write that fails behind append is heard of, and nothing stays', async () => {
    await using t = await makeDisk()
    const story = `
      const { DiskBlobStore } = await import(${JSON.stringify(import.meta.resolve('./disk.ts'))})
      const { lfsKey } = await import(${JSON.stringify(import.meta.resolve('../keys.ts'))})
      const store = await DiskBlobStore.open(${JSON.stringify(t.root)})
      const codes = []
      const failing = async (work) => { await using s = await store.stage(); await work(s).catch((e) => codes.push(e.code)) }
      const small = Buffer.alloc(100_000), key = lfsKey('d0', 'ab'.repeat(32))
      await failing(async (s) => { for (let n = 0; n < 60; n++) await s.append(small) })
      await failing(async (s) => { await s.append(Buffer.alloc(5_000_000)) })
      await failing(async (s) => { for (let n = 0; n < 21; n++) await s.append(small); await s.commit(key) })
      console.log(codes.join(), (await store.stat(key)) === null)`
    // The shell allows files of 2,048 blocks of 1 KiB; Node ignores the signal, so the write itself fails.
    const script = 'ulimit -f 2048; exec "$0" --input-type=module -e "$1"'
    const { stdout } = await promisify(execFile)('bash', ['-c', script, process.execPath, story])
    expect(stdout.trim()).toBe('EFBIG,EFBIG,EFBIG true')
    expect(await t.leftovers()).toEqual([])
  })

  test('two calls at once on one staged write are a mistake of the caller, told to the second', async () => {
    await using t = await makeDisk()
    await using staged = await t.store.stage()
    const first = staged.append(patterned(3 * MIB))
    await expect(staged.append(Buffer.from('x'))).rejects.toThrow('one call at a time')
    await first
    expect(staged.sizeBytes).toBe(3 * MIB)
  })

  test.each(['../../etc/passwd', 'lfs/d0/ab/ab/../x', '/etc/passwd', 'lfs/d0', ''])(
    '%j is no key',
    async (text) => {
      await using t = await makeDisk()
      const key = text as BlobKey
      await expect(t.store.stat(key)).rejects.toThrow(TypeError)
      await expect(t.store.read(key)).rejects.toThrow(TypeError)
      await expect(t.store.delete(key)).rejects.toThrow(TypeError)
      await using staged = await t.store.stage()
      await expect(staged.commit(key)).rejects.toThrow(TypeError)
      expect(await t.leftovers()).toEqual([])
    },
  )

  test('files that are no keys are neither listed nor touched', async () => {
    await using t = await makeDisk()
    await putBlob(t, Buffer.from('x'))
    await writeFile(join(t.root, 'blobs', 'README'), 'an operator was here')
    await mkdir(join(t.root, 'blobs', 'lfs', 'lost+found'))
    const keys: string[] = []
    for await (const { key } of t.store.list('')) keys.push(key)
    expect(keys).toEqual([KEY])
  })

  test('a part whose bytes rotted is not joined', async () => {
    await using t = await makeDisk()
    const { etag } = await t.store.parts.put('upload-0001', 1, one('part'), 10)
    const file = await open(join(t.root, 'parts', 'upload-0001', '1'), 'r+')
    await file.write(Buffer.from('q'), 0, 1, 0)
    await file.close()
    const joined = t.store.parts.assemble('upload-0001', [{ partNumber: 1, etag }])
    await expect(joined).rejects.toMatchObject({ partNumber: 1, reason: 'bytes' })
    expect(await t.leftovers()).toEqual([])
  })

  test('a put makes an old upload young again', async () => {
    await using t = await makeDisk()
    await t.store.parts.put('upload-0001', 1, one('part'), 10)
    await t.store.parts.put('upload-0002', 1, one('part'), 10)
    for (const uploadId of ['upload-0001', 'upload-0002']) await utimes(join(t.root, 'parts', uploadId), 1, 1)
    await t.store.parts.put('upload-0002', 1, one('again'), 10)
    const stale: string[] = []
    for await (const uploadId of t.store.parts.listStale(2000)) stale.push(uploadId)
    expect(stale).toEqual(['upload-0001'])
  })

  test('it signs no addresses', async () => {
    await using t = await makeDisk()
    expect(await t.store.presign(KEY, 'get', { expiresInSeconds: 60 })).toBeNull()
  })
})

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text)
}
