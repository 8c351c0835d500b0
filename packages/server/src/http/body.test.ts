/** How long the chunks of a body are there. Its limits are tested where requests come in. */
import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'

import { expect, test } from 'vitest'

import { passChunks, readChunks } from './body.ts'

function bodyOf(chunks: readonly Uint8Array[]): IncomingMessage {
  return Object.assign(Readable.from(chunks), { headers: {} }) as IncomingMessage
}

test('a chunk that is passed on is freed when the next one is asked for, unless others share its memory', async () => {
  const own = Buffer.allocUnsafeSlow(1000)
  const whole = Buffer.allocUnsafeSlow(2000)
  const chunks = [own, whole.subarray(0, 1000)]
  const passed = passChunks(bodyOf(chunks), 10_000)
  expect((await passed.next()).value).toHaveLength(1000)
  expect(own).toHaveLength(1000)
  await passed.next()
  expect(own).toHaveLength(0)
  expect((await passed.next()).done).toBe(true)
  expect(whole).toHaveLength(2000)
})

test('a chunk that is read stays the reader’s', async () => {
  const chunks = [Buffer.from('a'.repeat(9000)), Buffer.from('b'.repeat(9000))]
  const read = await Array.fromAsync(readChunks(bodyOf(chunks), 20_000))
  expect(read.map((chunk) => chunk.length)).toEqual([9000, 9000])
})
