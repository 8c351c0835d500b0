/** A 1 GiB LFS upload in one PUT, beside the best bare loop that hashes, writes and syncs the same bytes. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { upload } from './harness/curl.ts'
import { openFolder } from './harness/folder.ts'
import { lfsUploadUrl, makeRepo, startHub } from './harness/hub.ts'
import { freshen, GIB, makeLargeFile } from './harness/large-file.ts'
import { cpuMs } from './harness/process-facts.ts'
import { startReference } from './harness/server.ts'

await benchmark('upload of 1 GiB', async ({ runs, add }) => {
  await using folder = await openFolder()
  await using hub = await startHub()
  await using loop = await startReference('upload-loop.ts', [folder.path])
  const repo = await makeRepo(hub, 'large')
  let file = await makeLargeFile(join(folder.path, 'large'), GIB)
  const measure = async (url: string, pid: number) => {
    const before = cpuMs(pid)
    const ms = await upload(url, file.path)
    return { seconds: ms / 1000, cpuMsPerGib: cpuMs(pid) - before }
  }
  const { ours, reference } = await inTurns(runs, {
    ours: async () => {
      // The hub stores a content once; only a new one is written.
      file = await freshen(file)
      const found = await measure(await lfsUploadUrl(hub, repo, file.sha256, GIB), hub.pid)
      await rm(join(hub.dataDir, 'blobs', 'blobs', 'lfs'), { recursive: true })
      return found
    },
    reference: () => measure(loop.url, loop.pid),
  })
  const name = 'best bare loop'
  add({
    what: '1 GiB upload, LFS',
    unit: 's',
    ours: ours.map(({ seconds }) => seconds),
    reference: { name, values: reference.map(({ seconds }) => seconds) },
    bound: { on: 'ratio', atMost: 1.15 },
  })
  add({
    what: '… server CPU',
    unit: 'CPU ms/GiB',
    ours: ours.map(({ cpuMsPerGib }) => cpuMsPerGib),
    reference: { name, values: reference.map(({ cpuMsPerGib }) => cpuMsPerGib) },
  })
})
