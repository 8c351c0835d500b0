/**
 * What is sent of 512 MiB after five bytes were inserted in their middle: by the client that sent the first version, by
 * one that knows nothing, and by one that knows nothing after `@huggingface/hub`, which cuts other chunks, sent it.
 */
import { execFile } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { startRecorder } from '../e2e/recorder.ts'
import { benchmark } from './harness/benchmark.ts'
import { makeContent } from './harness/contents.ts'
import { openFolder } from './harness/folder.ts'
import { hf } from './harness/hf.ts'
import { makeRepo, startHub } from './harness/hub.ts'

const SIZE_BYTES = 512 << 20
const NAME = 'model.safetensors'
const JS_UPLOAD = fileURLToPath(new URL('harness/js-upload.ts', import.meta.url))

await benchmark('an edit in 512 MiB', async ({ runs, add }) => {
  await using hub = await startHub()
  await using recorder = await startRecorder(hub.url)
  const repo = await makeRepo(hub, 'large')
  await using folder = await openFolder()
  const [first, second] = [join(folder.path, 'first'), join(folder.path, 'second')]

  const sent = async (path: string, home: string): Promise<number> => {
    recorder.take()
    await hf(['upload', repo, path, NAME], { endpoint: recorder.url, home })
    const bytes = recorder.take().reduce((sum, one) => sum + one.requestBodySizeBytes, 0)
    return (100 * bytes) / SIZE_BYTES
  }
  const warm: number[] = []
  const cold: number[] = []
  for (let round = 0; round < runs; round += 1)
    for (const [shares, knowsFirst] of [
      [warm, true],
      [cold, false],
    ] as const) {
      await using homes = await openFolder()
      const home = join(homes.path, 'first')
      await makeContent(first, 'random', SIZE_BYTES)
      await insert(first, second)
      await sent(first, home)
      shares.push(await sent(second, knowsFirst ? home : join(homes.path, 'other')))
    }
  const bound = { on: 'ours', atMost: 0.05 } as const
  add({ what: 'sent of 512 MiB after 5 bytes were inserted, warm client', unit: '%', ours: warm, bound })
  add({ what: '… cold client', unit: '%', ours: cold, bound })

  await makeContent(first, 'random', SIZE_BYTES)
  await insert(first, second)
  await promisify(execFile)(process.execPath, [JS_UPLOAD, hub.url, hub.token, repo, first, NAME])
  await using home = await openFolder()
  add({ what: '… after the JS client, once', unit: '%', ours: [await sent(second, home.path)] })
})

/** A copy with five more bytes in its middle. */
async function insert(from: string, to: string): Promise<void> {
  const middle = SIZE_BYTES / 2 + 12_345
  await pipeline(async function* () {
    yield* createReadStream(from, { end: middle - 1 })
    yield Buffer.from('hello')
    yield* createReadStream(from, { start: middle })
  }, createWriteStream(to))
}
