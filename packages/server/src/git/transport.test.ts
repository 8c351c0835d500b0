import { setTimeout as sleep } from 'node:timers/promises'

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { blob, closeScratch, nextRepository, openScratch, repo, store } from './scratch.fixture.ts'
import { answer } from './transport.ts'

beforeAll(openScratch)
afterAll(closeScratch)
beforeEach(nextRepository)

const MIB = 2 ** 20

test('a reader who stands still ends git and gets no end; one who takes enough gets all', async () => {
  const large = blob(Buffer.alloc(4 * MIB, 'x'))
  await store.write(repo, [large])
  const gitDir = store.gitDir(repo)
  const start = () => store.helper.spawnGit({ args: ['cat-file', 'blob', large.oid], gitDir, resident: true })
  const limits = { stallMs: 300, minBytesPerS: MIB }

  const steady = await start()
  let sizeBytes = 0
  // Longer than the limit in all.
  for await (const chunk of answer(steady, limits)) {
    sizeBytes += chunk.length
    await sleep(chunk.length / 5000)
  }
  expect(sizeBytes).toBe(4 * MIB)

  const still = await start()
  const chunks = answer(still, limits)
  await chunks.next()
  expect(await still.exited).toMatchObject({ signal: 'SIGKILL' })
  const rest = async () => {
    for await (const _ of chunks) continue
  }
  await expect(rest()).rejects.toMatchObject({ code: 'RequestTimeout' })
})
