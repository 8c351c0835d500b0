/** What happens to a download whose stored bytes have changed. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { READ_BUFFER_BYTES } from '../src/limits.ts'
import { commit, createRepo, lfsFile, uploadLfs } from './client.ts'

async function publish(hub: TestHub, content: string): Promise<void> {
  await createRepo(hub, 'alice', 'alice/tiny')
  await uploadLfs(hub, 'alice', 'alice/tiny', content)
  await commit(hub, 'alice', 'alice/tiny', [lfsFile('model.bin', content)])
}

/** Behind the hub's back. */
async function overwrite(hub: TestHub, content: string): Promise<void> {
  const { blobs } = hub.hub.ops
  for await (const { key } of blobs.list('lfs/')) {
    await blobs.delete(key)
    await using staged = await blobs.stage()
    await staged.append(new TextEncoder().encode(content))
    await staged.commit(key)
  }
}

function download(hub: TestHub): Promise<Response> {
  return hub.fetch('alice', '/alice/tiny/resolve/main/model.bin')
}

test('a rotten file never arrives as a whole, be it the first download or a later one', async () => {
  await using hub = await startHub()
  const weights = 'the weights of a model'
  const rotten = weights.replace('weights', 'weighty')
  await publish(hub, weights)
  await overwrite(hub, rotten)
  expect((await download(hub)).status).toBe(500)
  await overwrite(hub, weights)
  expect(await (await download(hub)).text()).toBe(weights)
  await overwrite(hub, rotten)
  expect((await download(hub)).status).toBe(500)
  await overwrite(hub, weights)
  expect(await (await download(hub)).text()).toBe(weights)
})

test('a download of many chunks breaks off when a single bit changed since the one before', async () => {
  await using hub = await startHub()
  const weights = 'weights '.repeat((3 * READ_BUFFER_BYTES) / 8)
  await publish(hub, weights)
  expect(await (await download(hub)).text()).toBe(weights)
  await overwrite(hub, weights.replace('w', 'v'))
  const answer = await download(hub)
  expect(answer.status).toBe(200)
  await expect(answer.text()).rejects.toThrow('terminated')
  await overwrite(hub, weights)
  expect(await (await download(hub)).text()).toBe(weights)
})
