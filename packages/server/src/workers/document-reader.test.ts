import { FormatError } from '@cairn/protocol/errors'
import { expect, test } from 'vitest'

import { DOCUMENT_QUEUE_MAX } from '../limits.ts'
import { DocumentReader, DocumentUnreadError } from './document-reader.ts'

const SLOW = `---\na: "${'\\q'.repeat(125_000)}"\n---\n`

test('reads as the thread that asked would', async () => {
  await using reader = new DocumentReader()
  const card = await reader.read('card', '---\nlicense: mit\ntags: [a, .nan]\n---\n')
  expect(card).toEqual({ data: { license: 'mit', tags: ['a', NaN] }, problems: [] })
  await expect(reader.read('safetensors', Buffer.from('{'))).rejects.toBeInstanceOf(FormatError)
  expect(await reader.read('gguf', Buffer.from('GGUF'))).toBeNull()
})

test('a document that takes too long costs its own reading only', async () => {
  await using reader = new DocumentReader(100)
  const slow = reader.read('card', SLOW).catch((error: unknown) => error)
  expect(await slow).toMatchObject({ reason: 'too-slow' })
  const patient = new DocumentReader(60_000)
  try {
    expect((await patient.read('card', SLOW)).problems).not.toEqual([])
  } finally {
    await patient[Symbol.asyncDispose]()
  }
})

test('no more than so many wait, and closing tells all of them', async () => {
  const reader = new DocumentReader()
  const reading = Array.from({ length: DOCUMENT_QUEUE_MAX + 1 }, () =>
    reader.read('card', SLOW).catch((error: unknown) => error),
  )
  await expect(reader.read('card', SLOW)).rejects.toMatchObject({ reason: 'busy' })
  await reader[Symbol.asyncDispose]()
  for (const one of await Promise.all(reading)) expect(one).toBeInstanceOf(DocumentUnreadError)
  await expect(reader.read('card', SLOW)).rejects.toMatchObject({ reason: 'closed' })
})
