/** What happens to a download whose stored bytes have changed. */
import { startHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { DOWNLOAD_CHECK_MS } from '../src/limits.ts'
import { commit, createRepo, lfsFile, uploadLfs } from './client.ts'

test('a rotten file never arrives as a whole; one found sound is believed for a while', async () => {
  let now = Date.now()
  await using hub = await startHub({ clock: () => now })
  const weights = 'the weights of a model'
  await createRepo(hub, 'alice', 'alice/tiny')
  await uploadLfs(hub, 'alice', 'alice/tiny', weights)
  await commit(hub, 'alice', 'alice/tiny', [lfsFile('model.bin', weights)])
  const { blobs } = hub.hub.ops
  const overwrite = async (text: string) => {
    for await (const { key } of blobs.list('lfs/')) {
      await blobs.delete(key)
      await using staged = await blobs.stage()
      await staged.append(new TextEncoder().encode(text))
      await staged.commit(key)
    }
  }
  const download = async () => {
    const answer = await hub.fetch('alice', '/alice/tiny/resolve/main/model.bin')
    return { status: answer.status, text: await answer.text() }
  }
  const rotten = weights.replace('weights', 'weighty')
  await overwrite(rotten)
  expect((await download()).status).toBe(500)
  await overwrite(weights)
  expect(await download()).toEqual({ status: 200, text: weights })
  await overwrite(rotten)
  expect((await download()).text).toBe(rotten)
  now += DOWNLOAD_CHECK_MS
  expect((await download()).status).toBe(500)
})
