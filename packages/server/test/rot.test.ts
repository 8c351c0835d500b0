/** What happens to a download whose stored bytes have changed. */
import { encodeTerms } from '@cairn/protocol/xet/terms'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { READ_BUFFER_BYTES } from '../src/limits.ts'
import { openXetFile } from '../src/ops/xet/bridge.ts'
import { commit, createRepo, lfsFile, uploadLfs } from './client.ts'
import { casAccess, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

async function publish(hub: TestHub, content: string): Promise<void> {
  await createRepo(hub, 'alice', 'alice/tiny')
  await uploadLfs(hub, 'alice', 'alice/tiny', content)
  await commit(hub, 'alice', 'alice/tiny', [lfsFile('model.bin', content)])
}

/** Behind the hub's back. */
async function overwrite(hub: TestHub, content: string | Uint8Array, kind = 'lfs/'): Promise<void> {
  const { blobs } = hub.hub.ops
  for await (const { key } of blobs.list(kind)) {
    await blobs.delete(key)
    await using staged = await blobs.stage()
    await staged.append(Buffer.from(content))
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

test('a Xet file whose sha256 is proven never arrives with a rotten chunk, nor with its chunks in another order', async () => {
  await using hub = await startHub()
  const made = makeXetFile(1)
  await createRepo(hub, 'alice', 'alice/tiny')
  await uploadXet(await casAccess(hub, 'alice', 'alice/tiny', 'write'), made)
  await commit(hub, 'alice', 'alice/tiny', [xetLine('model.bin', made)])
  const whole = Buffer.from(made.content)
  expect(Buffer.from(await (await download(hub)).arrayBuffer()).equals(whole)).toBe(true)

  const { ops } = hub.hub
  const { rows } = ops.catalog
  const repo = (await rows.repos.getByName('default', 'model', 'alice', 'tiny'))!
  const row = (await rows.xet.getFile(repo.id, made.hash))!
  expect(row.sha256).toBe(made.sha256)
  const readWith = async (...chunkStarts: number[]): Promise<Buffer> => {
    const rawBytes = whole.length / chunkStarts.length
    const terms = encodeTerms(
      chunkStarts.map((chunkStart) => ({
        xorb: made.xorb.hash,
        chunkStart,
        chunkEnd: chunkStart + 1,
        rawBytes,
      })),
    )
    const xet = { ...rows.xet, getFile: async () => ({ ...row, terms }) }
    const { domainId, sizeBytes } = row
    const content = openXetFile({ ...ops, catalog: { ...ops.catalog, rows: { ...rows, xet } } }, repo, {
      kind: 'xet',
      domainId,
      sizeBytes,
      oid: made.sha256,
      xetHash: made.hash,
      isProven: true,
    })
    const parts: Buffer[] = []
    for await (const part of await content.open()) parts.push(Buffer.from(part))
    return Buffer.concat(parts)
  }
  expect((await readWith(0, 1, 2)).equals(whole)).toBe(true)
  await expect(readWith(1, 0, 2)).rejects.toThrow(/no longer/)

  const rotten = Uint8Array.from(made.xorb.bytes)
  rotten[30_000]! ^= 1
  await overwrite(hub, rotten, 'xorbs/')
  expect((await download(hub)).status).toBe(500)
})
