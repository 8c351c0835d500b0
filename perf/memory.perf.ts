/** The hub's memory while eight clients upload 1 GiB each at the same time. */
import { copyFile, rm } from 'node:fs/promises'
import { join } from 'node:path'

import { benchmark } from './harness/benchmark.ts'
import { upload } from './harness/curl.ts'
import { openFolder } from './harness/folder.ts'
import { lfsUploadUrl, makeRepo, startHub } from './harness/hub.ts'
import { freshen, GIB, makeLargeFile, type LargeFile } from './harness/large-file.ts'
import { forgetPeak, peakRssMb } from './harness/process-facts.ts'

const CLIENTS = 8

await benchmark(`${CLIENTS} uploads of 1 GiB at once`, async ({ runs, add }) => {
  await using folder = await openFolder()
  await using hub = await startHub()
  const repo = await makeRepo(hub, 'large')
  const first = await makeLargeFile(join(folder.path, '0'), GIB)
  const peaks: number[] = []
  const speeds: number[] = []
  for (let round = 0; round < runs; round += 1) {
    const files: LargeFile[] = []
    for (let index = 0; index < CLIENTS; index += 1) {
      const path = join(folder.path, String(index))
      if (index > 0 && round === 0) await copyFile(first.path, path)
      files.push(await freshen({ ...first, path }))
    }
    const urls = await Promise.all(files.map(({ sha256 }) => lfsUploadUrl(hub, repo, sha256, GIB)))
    forgetPeak(hub.pid)
    const started = performance.now()
    await Promise.all(files.map(({ path }, index) => upload(urls[index]!, path)))
    speeds.push((CLIENTS * GIB) / 1e3 / (performance.now() - started))
    peaks.push(peakRssMb(hub.pid))
    await rm(join(hub.dataDir, 'blobs', 'blobs', 'lfs'), { recursive: true })
  }
  add({
    what: `peak memory during ${CLIENTS} uploads of 1 GiB`,
    unit: 'MB',
    ours: peaks,
    bound: { on: 'ours', atMost: 300 },
  })
  add({ what: '… all together', unit: 'MB/s', ours: speeds })
})
