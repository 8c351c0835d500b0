import { expect, test } from 'vitest'

import { ANSWERS_MAX } from '../limits.ts'
import { Answers } from './answers.ts'

test('an answer stands until the next transaction', async () => {
  const catalog = { epoch: 1 }
  const answers = new Answers<{ made: number }>()
  let made = 0
  const ask = (key: string) => answers.get(catalog, key, async () => ({ made: ++made }))
  expect([await ask('a'), await ask('a'), await ask('b')]).toEqual([{ made: 1 }, { made: 1 }, { made: 2 }])
  catalog.epoch += 1
  expect(await ask('a')).toEqual({ made: 3 })
})

test('what was read before a commit is not kept after it', async () => {
  const catalog = { epoch: 1 }
  const answers = new Answers<{ private: boolean }>()
  const slow = Promise.withResolvers<{ private: boolean }>()
  const asked = answers.get(catalog, 'repo', () => slow.promise)
  catalog.epoch += 1
  slow.resolve({ private: false })
  expect(await asked).toEqual({ private: false })
  expect(await answers.get(catalog, 'repo', async () => ({ private: true }))).toEqual({ private: true })
})

test('nothing is kept where others write, nor what was thrown, nor without end', async () => {
  const answers = new Answers<{ made: number }>()
  let made = 0
  const find = async () => ({ made: ++made })
  await answers.get({ epoch: null }, 'a', find)
  expect(await answers.get({ epoch: null }, 'a', find)).toEqual({ made: 2 })

  const catalog = { epoch: 1 }
  const refused = answers.get(catalog, 'a', () => Promise.reject(new Error('not yours')))
  await expect(refused).rejects.toThrow('not yours')
  expect(await answers.get(catalog, 'a', find)).toEqual({ made: 3 })
  for (let index = 0; index < ANSWERS_MAX; index += 1) await answers.get(catalog, String(index), find)
  expect((await answers.get(catalog, 'a', find)).made).toBeGreaterThan(3)
})
