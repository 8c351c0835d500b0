/** The hub's memory while sixteen clients upload xorbs of 64 MiB of text each at the same time. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { encodeXorb } from '@cairn/protocol/xet/xorb'
import { nativePrimitives } from '@cairn/server/primitives'

import { benchmark } from './harness/benchmark.ts'
import { contentBlock } from './harness/contents.ts'
import { post } from './harness/curl.ts'
import { openFolder } from './harness/folder.ts'
import { call, makeRepo, startHub } from './harness/hub.ts'
import { forgetPeak, peakRssMb } from './harness/process-facts.ts'

const CLIENTS = 16
const XORBS_EACH = 2
const XORB_MIB = 64
const CHUNK_BYTES = 1 << 16

await benchmark(`${CLIENTS} uploads of xorbs at once`, async ({ runs, add }) => {
  await using hub = await startHub()
  const repo = await makeRepo(hub, 'large')
  const { accessToken, casUrl } = (await call(hub, `/api/models/${repo}/xet-write-token/main`)) as {
    accessToken: string
    casUrl: string
  }
  const peaks: number[] = []
  for (let round = 0; round < runs; round += 1) {
    await using folder = await openFolder()
    const queues = await Promise.all(
      Array.from({ length: CLIENTS }, async () => {
        const queue: { path: string; hash: string }[] = []
        for (let index = 0; index < XORBS_EACH; index += 1) queue.push(await makeXorb(folder.path))
        return queue
      }),
    )
    forgetPeak(hub.pid)
    await Promise.all(
      queues.map(async (queue) => {
        for (const { path, hash } of queue)
          await post(`${casUrl}/v1/xorbs/default/${hash}`, path, { Authorization: `Bearer ${accessToken}` })
      }),
    )
    peaks.push(peakRssMb(hub.pid))
  }
  add({
    what: `peak memory during ${CLIENTS} uploads of xorbs`,
    unit: 'MB',
    ours: peaks,
    bound: { on: 'ours', atMost: 400 },
  })
})

async function makeXorb(folder: string): Promise<{ path: string; hash: string }> {
  const chunks: Uint8Array[] = []
  for (let mib = 0; mib < XORB_MIB; mib += 1) {
    const block = contentBlock('csv')
    for (let at = 0; at < block.length; at += CHUNK_BYTES) chunks.push(block.subarray(at, at + CHUNK_BYTES))
  }
  const { hash, bytes } = encodeXorb(nativePrimitives, chunks)
  const path = join(folder, hash)
  await writeFile(path, bytes)
  return { path, hash }
}
