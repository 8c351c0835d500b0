import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { openSqliteCatalog } from '../sqlite.ts'
import { RowMemory } from './row-memory.ts'

test('a look-up sees each commit at once, also one that ends while it is under way', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-rows-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await using catalog = await openSqliteCatalog({ path: join(folder, 'catalog.db') })
  const insert = (name: string) =>
    catalog.tx((rows) =>
      rows.accounts.insert({
        id: name,
        kind: 'user',
        name,
        fullname: null,
        email: null,
        isAdmin: false,
        createdAt: 1,
      }),
    )
  expect(await catalog.rows.accounts.getByName('ada')).toBeNull()
  await insert('ada')
  expect((await catalog.rows.accounts.getByName('ada'))?.id).toBe('ada')
  // Asked before the commit, answered around it: whatever it says, it must not be said again.
  await Promise.all([
    insert('bob'),
    ...Array.from({ length: 20 }, () => catalog.rows.accounts.getByName('bob')),
  ])
  expect((await catalog.rows.accounts.getByName('bob'))?.id).toBe('bob')
  const failed = catalog.tx(async (rows) => {
    await rows.accounts.update('ada', { fullname: 'Ada' })
    throw new Error('never mind')
  })
  await expect(failed).rejects.toThrow('never mind')
  expect((await catalog.rows.accounts.getByName('ada'))?.fullname).toBeNull()
})

test('an answer is kept by all of its parameters, for one epoch, unless it is large', () => {
  const memory = new RowMemory()
  const answers = memory.open()
  const keep = (parameters: unknown[], value: unknown, epoch = memory.epoch) =>
    memory.keep(answers, parameters, { rows: [{ value }] }, epoch)
  keep(['a', 'b'], 1)
  keep(['ab', ''], 2)
  keep(['a', null], 3)
  expect(
    [
      ['a', 'b'],
      ['ab', ''],
      ['a', null],
      ['a', 'null'],
    ].map((key) => memory.find(answers, key)?.rows),
  ).toEqual([[{ value: 1 }], [{ value: 2 }], [{ value: 3 }], undefined])
  keep(['long', 'x'], 'x'.repeat(5000))
  keep(['binary', 'x'], new Uint8Array(1))
  expect(memory.find(answers, ['long', 'x']) ?? memory.find(answers, ['binary', 'x'])).toBeUndefined()

  const { epoch } = memory
  memory.forget()
  expect(memory.find(answers, ['a', 'b'])).toBeUndefined()
  keep(['late', 'x'], 1, epoch)
  expect(memory.find(answers, ['late', 'x'])).toBeUndefined()
})
