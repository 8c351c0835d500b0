/**
 * `hf upload` of 512 MiB through Xet, beside a hub that writes and syncs the same bytes and believes everything. Bytes
 * and caches are new each time, so that nothing is left out of the transfer, and gone afterwards, so that neither side
 * writes into memory that the machine has used before and the other not.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { CONTENT_KINDS, makeContent } from './harness/contents.ts'
import { openFolder } from './harness/folder.ts'
import { hf } from './harness/hf.ts'
import { makeRepo, startHub } from './harness/hub.ts'
import { cpuMs, untilIdle } from './harness/process-facts.ts'
import { startReference } from './harness/server.ts'
import { xorbFolder } from './harness/xet.ts'

const SIZE_BYTES = 512 << 20
const AT_MOST = { random: 1.25, csv: 1.5, bf16: 1.5 }

await benchmark('hf upload of 512 MiB', async ({ runs, add }) => {
  await using hub = await startHub()
  const repo = await makeRepo(hub, 'large')
  for (const kind of CONTENT_KINDS) {
    const measure = async (endpoint: string, pid: number) => {
      await using folder = await openFolder()
      const path = join(folder.path, 'model.safetensors')
      await makeContent(path, kind, SIZE_BYTES)
      const before = cpuMs(pid)
      const ms = await hf(['upload', repo, path, 'model.safetensors'], { endpoint, home: folder.path })
      return { seconds: ms / 1000, cpuMsPerGib: ((cpuMs(pid) - before) * (1 << 30)) / SIZE_BYTES }
    }
    const upload = async () => {
      const found = await measure(hub.url, hub.pid)
      // It decodes the file once more to learn its sha256.
      await untilIdle(hub.pid)
      await rm(xorbFolder(hub), { recursive: true })
      return found
    }
    // Not counted: a hub that has run for a while has compiled its code.
    await upload()
    const { ours, reference } = await inTurns(runs, {
      ours: upload,
      reference: async () => {
        await using kept = await openFolder()
        await using sink = await startReference('null-hub.ts', [kept.path])
        return await measure(sink.url, sink.pid)
      },
    })
    const name = 'a hub that only writes'
    add({
      what: `512 MiB hf upload, Xet, ${kind}`,
      unit: 's',
      ours: ours.map(({ seconds }) => seconds),
      reference: { name, values: reference.map(({ seconds }) => seconds) },
      bound: { on: 'ratio', atMost: AT_MOST[kind] },
    })
    add({
      what: '… server CPU',
      unit: 'CPU ms/GiB',
      ours: ours.map(({ cpuMsPerGib }) => cpuMsPerGib),
      reference: { name, values: reference.map(({ cpuMsPerGib }) => cpuMsPerGib) },
    })
  }
})
