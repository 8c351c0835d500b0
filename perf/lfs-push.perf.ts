/** `git lfs push` of 1 GiB, to the hub and to a bare LFS server that hashes, writes and syncs the same bytes. */
import { link, mkdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { openFolder } from './harness/folder.ts'
import { git, timeGit, withToken } from './harness/git.ts'
import { makeRepo, startHub } from './harness/hub.ts'
import { freshen, GIB, makeLargeFile } from './harness/large-file.ts'
import { cpuMs, forgetPeak, peakRssMb } from './harness/process-facts.ts'
import { startReference } from './harness/server.ts'

await benchmark('git lfs push of 1 GiB', async ({ runs, add }) => {
  await using folder = await openFolder()
  await using hub = await startHub()
  await using sink = await startReference('lfs-sink.ts', [folder.path])
  const ours = withToken(`${hub.url}/${await makeRepo(hub, 'large')}.git`, hub.token)
  const clone = join(folder.path, 'clone')
  await git(folder.path, 'init', '--quiet', '--initial-branch=main', clone)
  let file = await makeLargeFile(join(folder.path, 'large'), GIB)
  const push = async (url: string, pid: number) => {
    // Neither side gets a content twice.
    file = await freshen(file)
    const { sha256 } = file
    const path = join(clone, '.git/lfs/objects', sha256.slice(0, 2), sha256.slice(2, 4), sha256)
    await mkdir(dirname(path), { recursive: true })
    await link(file.path, path)
    const before = cpuMs(pid)
    const ms = await timeGit(clone, '-c', 'lfs.locksverify=false', 'lfs', 'push', '--object-id', url, sha256)
    await rm(path)
    return { seconds: ms / 1000, cpu: cpuMs(pid) - before }
  }
  const peaks: number[] = []
  const found = await inTurns(runs, {
    async ours() {
      forgetPeak(hub.pid)
      const measured = await push(ours, hub.pid)
      peaks.push(peakRssMb(hub.pid))
      await rm(join(hub.dataDir, 'blobs', 'blobs', 'lfs'), { recursive: true })
      return measured
    },
    reference: () => push(`${sink.url}/any.git`, sink.pid),
  })
  const name = 'bare LFS server'
  add({
    what: 'git lfs push of 1 GiB',
    unit: 's',
    ours: found.ours.map(({ seconds }) => seconds),
    reference: { name, values: found.reference.map(({ seconds }) => seconds) },
    bound: { on: 'ratio', atMost: 1.3 },
  })
  add({
    what: '… server CPU',
    unit: 'CPU ms/GiB',
    ours: found.ours.map(({ cpu }) => cpu),
    reference: { name, values: found.reference.map(({ cpu }) => cpu) },
  })
  add({ what: '… peak memory of the hub', unit: 'MB', ours: peaks, bound: { on: 'ours', atMost: 300 } })
})
