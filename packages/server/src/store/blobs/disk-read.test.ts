import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { expect, test } from 'vitest'

import { BufferPool } from '../../buffer-pool.ts'
import { READ_BUFFER_BYTES, READ_BUFFERS_HELD_MAX_BYTES } from '../../limits.ts'
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
  expect(lent.map(({ buffer }) => buffer)).toContain(pool.take().buffer)
})

test('among many readers each further one holds less, and all get the same bytes', async () => {
  await using t = await openAlphabet()
  await t.file.close()
  const path = join(await mkdtemp(join(tmpdir(), 'cairn-read-')), 'file')
  const content = Buffer.from(Array.from({ length: 600_001 }, (_, n) => n % 251))
  await writeFile(path, content)
  const pool = new BufferPool(READ_BUFFER_BYTES, 8)
  const readers = await Promise.all(
    Array.from({ length: 300 }, async () =>
      (await readFrom(await open(path, 'r'), 0, content.length, pool))[Symbol.asyncIterator](),
    ),
  )
  let heldBytes = 0
  for (const [index, reader] of readers.entries()) {
    const first = (await reader.next()).value as Buffer
    expect(first.equals(content.subarray(0, first.length))).toBe(true)
    heldBytes += 2 * first.length
    if (index < 48) expect(first.length).toBe(READ_BUFFER_BYTES)
  }
  expect(heldBytes).toBeLessThan(READ_BUFFERS_HELD_MAX_BYTES * 2.5)
  const last = readers.pop()!
  let at = 64 * 1024
  for (let next = await last.next(); !next.done; next = await last.next()) {
    expect(content.subarray(at, at + next.value.length).equals(next.value)).toBe(true)
    at += next.value.length
  }
  expect(at).toBe(content.length)
  await Promise.all(readers.map((reader) => reader.return!()))
  await rm(dirname(path), { recursive: true })
})
