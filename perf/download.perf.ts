/**
 * A 1 GiB LFS file through `resolve`, beside nginx with sendfile, one client and eight: what the server's process pays
 * for a GiB, and how fast it is. The first pass over a file checks its sha256 and is a row of its own; later ones a
 * fingerprint.
 */
import { join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { download, upload } from './harness/curl.ts'
import { openFolder } from './harness/folder.ts'
import { authorization, commitPointer, lfsUploadUrl, makeRepo, startHub } from './harness/hub.ts'
import { GIB, makeLargeFile } from './harness/large-file.ts'
import { cpuMs } from './harness/process-facts.ts'
import { startNginx } from './reference/nginx.ts'

const NAME = 'model.safetensors'

await benchmark('download of 1 GiB', async ({ runs, add }) => {
  await using folder = await openFolder()
  await using hub = await startHub()
  const file = await makeLargeFile(join(folder.path, NAME), GIB)
  await using nginx = await startNginx(folder.path)
  const repo = await makeRepo(hub, 'large')
  await upload(await lfsUploadUrl(hub, repo, file.sha256, file.sizeBytes), file.path)
  await commitPointer(hub, repo, NAME, file.sha256, file.sizeBytes)

  const measure = async (url: string, pid: number, clients: number) => {
    const before = cpuMs(pid)
    const ms = await download(url, clients, authorization(hub))
    return { cpuMsPerGib: (cpuMs(pid) - before) / clients, mbPerSecond: (clients * GIB) / 1e3 / ms }
  }
  const address = `${hub.url}/${repo}/resolve/main/${NAME}`
  const first = await measure(address, hub.pid, 1)
  add({
    what: '1 GiB download, the first since the start: checked',
    unit: 'CPU ms/GiB',
    ours: [first.cpuMsPerGib],
  })
  await measure(`${nginx.url}/${NAME}`, nginx.pid, 1)
  for (const clients of [1, 8]) {
    const { ours, reference } = await inTurns(runs, {
      ours: () => measure(address, hub.pid, clients),
      reference: () => measure(`${nginx.url}/${NAME}`, nginx.pid, clients),
    })
    const what = `1 GiB download, ${clients === 1 ? 'one client' : `${clients} clients`}`
    const name = 'nginx sendfile'
    add({
      what,
      unit: 'CPU ms/GiB',
      ours: ours.map((one) => one.cpuMsPerGib),
      reference: { name, values: reference.map((one) => one.cpuMsPerGib) },
      bound: { on: 'ratio', atMost: 1 },
    })
    add({
      what: '… how fast',
      unit: 'MB/s',
      ours: ours.map((one) => one.mbPerSecond),
      reference: { name, values: reference.map((one) => one.mbPerSecond) },
    })
  }
})
