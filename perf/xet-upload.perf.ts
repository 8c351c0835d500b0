/**
 * `hf upload` of 512 MiB of random bytes through Xet, beside a hub that writes and syncs the same bytes and believes
 * everything. Bytes and caches are new each time, so that nothing is left out of the transfer.
 */
import { join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { openFolder } from './harness/folder.ts'
import { hf } from './harness/hf.ts'
import { makeRepo, startHub } from './harness/hub.ts'
import { makeLargeFile } from './harness/large-file.ts'
import { cpuMs } from './harness/process-facts.ts'
import { startReference } from './harness/server.ts'

const SIZE_BYTES = 512 << 20

await benchmark('hf upload of 512 MiB', async ({ runs, add }) => {
  await using hub = await startHub()
  const repo = await makeRepo(hub, 'large')
  const measure = async (endpoint: string, pid: number) => {
    await using folder = await openFolder()
    const file = await makeLargeFile(join(folder.path, 'model.safetensors'), SIZE_BYTES)
    const before = cpuMs(pid)
    const ms = await hf(['upload', repo, file.path, 'model.safetensors'], { endpoint, home: folder.path })
    return { seconds: ms / 1000, cpuMsPerGib: ((cpuMs(pid) - before) * (1 << 30)) / SIZE_BYTES }
  }
  const { ours, reference } = await inTurns(runs, {
    ours: () => measure(hub.url, hub.pid),
    reference: async () => {
      await using kept = await openFolder()
      await using sink = await startReference('null-hub.ts', [kept.path])
      return await measure(sink.url, sink.pid)
    },
  })
  const name = 'a hub that only writes'
  add({
    what: '512 MiB hf upload, Xet, random bytes',
    unit: 's',
    ours: ours.map(({ seconds }) => seconds),
    reference: { name, values: reference.map(({ seconds }) => seconds) },
    bound: { on: 'ratio', atMost: 1.5 },
  })
  add({
    what: '… server CPU',
    unit: 'CPU ms/GiB',
    ours: ours.map(({ cpuMsPerGib }) => cpuMsPerGib),
    reference: { name, values: reference.map(({ cpuMsPerGib }) => cpuMsPerGib) },
  })
})
