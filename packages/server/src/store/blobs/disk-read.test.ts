import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { BufferPool } from './buffer-pool.ts'
import { readFrom } from './disk-read.ts'

const BUFFER_BYTES = 4

async function openAlphabet() {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-read-'))
  await writeFile(join(folder, 'alphabet'), 'abcdefghijklmnop')
  return {
    file: await open(join(folder, 'alphabet'), 'r'),
    pool: new BufferPool(BUFFER_BYTES, 8),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

test('a chunk is overwritten by the second next after its own, not sooner, and both buffers come back', async () => {
  await using t = await openAlphabet()
  const chunks = (await readFrom(t.file, 0, 16, t.pool))[Symbol.asyncIterator]()
  const first = (await chunks.next()).value as Buffer
  const second = (await chunks.next()).value as Buffer
  expect([first, second].map(String)).toEqual(['abcd', 'efgh'])
  const third = (await chunks.next()).value as Buffer
  expect([first, second, third].map(String)).toEqual(['ijkl', 'efgh', 'ijkl'])
  const last = (await chunks.next()).value as Buffer
  expect(await chunks.next()).toEqual({ done: true, value: undefined })
  expect(t.pool.idleCount).toBe(2)
  t.pool.take().fill('x')
  t.pool.take().fill('x')
  expect(String(last)).toBe('mnop')
  await expect(t.file.stat()).rejects.toThrow('closed')
})

test('a reader that leaves early may still be writing: its buffers are dropped and the file is closed', async () => {
  await using t = await openAlphabet()
  const chunks = (await readFrom(t.file, 0, 16, t.pool))[Symbol.asyncIterator]()
  await chunks.next()
  await chunks.next()
  await chunks.return!()
  expect(t.pool.idleCount).toBe(0)
  await expect(t.file.stat()).rejects.toThrow('closed')
})

test('a reader that never starts closes the file when it returns', async () => {
  await using t = await openAlphabet()
  const chunks = (await readFrom(t.file, 0, 16, t.pool))[Symbol.asyncIterator]()
  await chunks.return!()
  await expect(t.file.stat()).rejects.toThrow('closed')
  expect(await chunks.next()).toMatchObject({ done: true })
})

test('a stretch of one buffer is read at once, into memory of its own', async () => {
  await using t = await openAlphabet()
  const chunks = await readFrom(t.file, 3, BUFFER_BYTES, t.pool)
  await expect(t.file.stat()).rejects.toThrow('closed')
  for await (const chunk of chunks) {
    expect(String(chunk)).toBe('defg')
    expect(chunk.buffer.byteLength).toBe(BUFFER_BYTES)
  }
  expect(t.pool.idleCount).toBe(0)
})

test('the pool keeps no more idle buffers than it may', () => {
  const pool = new BufferPool(BUFFER_BYTES, 2)
  const lent = [pool.take(), pool.take(), pool.take()]
  for (const buffer of lent) pool.give(buffer)
  expect(pool.idleCount).toBe(2)
  expect(lent).toContain(pool.take())
})
