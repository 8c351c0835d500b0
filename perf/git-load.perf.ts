/**
 * HEAD resolve while a clone of 1 GiB and a repack of the same repository go on, beside a bare handler while the very same
 * goes on; and the memory of the hub and of its gits.
 */
import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { cairnBin } from '../e2e/hub-process.ts'
import { benchmark, inTurns } from './harness/benchmark.ts'
import { openFolder } from './harness/folder.ts'
import { git, withToken } from './harness/git.ts'
import { authorization, makeRepo, startHub } from './harness/hub.ts'
import { latencies, percentile } from './harness/latency.ts'
import { forgetPeak, peakRssMb, rssMb } from './harness/process-facts.ts'
import { startReference } from './harness/server.ts'

const run = promisify(execFile)
const FILES = 128
const FILE_BYTES = 8 << 20
const PER_SECOND = 200
const LOOK_MS = 100

await benchmark('HEAD resolve beside a clone of 1 GiB and a repack', async ({ runs, add }) => {
  await using folder = await openFolder()
  await using hub = await startHub()
  const repo = await makeRepo(hub, 'large')
  const url = withToken(`${hub.url}/${repo}`, hub.token)
  const source = join(folder.path, 'source')
  await git(folder.path, 'init', '--quiet', '--initial-branch=main', source)
  for (let index = 0; index < FILES; index += 1)
    await writeFile(join(source, `file-${index}.bin`), randomBytes(FILE_BYTES))
  // Random bytes gain nothing by it, and neither side's time is that of the client's packing.
  for (const setting of ['core.compression', 'pack.window']) await git(source, 'config', setting, '0')
  await git(source, 'add', '.')
  await git(source, '-c', 'user.name=A', '-c', 'user.email=a@example.com', 'commit', '--quiet', '-m', 'all')
  forgetPeak(hub.pid)
  await git(source, 'push', '--quiet', '--force', url, 'main')
  const pushPeaks = [peakRssMb(hub.pid)]
  await rm(source, { recursive: true })

  const resolve = `${hub.url}/${repo}/resolve/main/file-0.bin`
  const answer = await fetch(resolve, { method: 'HEAD', headers: authorization(hub) })
  const prepared = join(folder.path, 'answer.json')
  await writeFile(prepared, JSON.stringify({ headers: Object.fromEntries(answer.headers), body: '' }))
  await using bare = await startReference('bare-http.ts', [prepared])
  const peaks: number[] = []
  const childPeaks: number[] = []
  const load = async () => {
    forgetPeak(hub.pid)
    let childMb = 0
    const timer = setInterval(() => (childMb = Math.max(childMb, gitsMb(hub.pid))), LOOK_MS)
    const target = join(folder.path, 'clone')
    await Promise.all([
      git(folder.path, 'clone', '--quiet', '--bare', url, target),
      run(process.execPath, [cairnBin, 'admin', 'repo', 'repack', repo, '--prune', '--data', hub.dataDir]),
    ])
    clearInterval(timer)
    await rm(target, { recursive: true })
    peaks.push(peakRssMb(hub.pid))
    childPeaks.push(childMb)
  }
  const p99 = async (address: string, headers: Record<string, string>) =>
    percentile(await latencies(address, { headers, perSecond: PER_SECOND, during: load() }), 0.99)
  const found = await inTurns(runs, {
    ours: () => p99(resolve, authorization(hub)),
    reference: () => p99(bare.url, {}),
  })
  add({
    what: `p99 of HEAD resolve, ${PER_SECOND} a second, beside a clone of 1 GiB and a repack`,
    unit: 'ms',
    ours: found.ours,
    reference: { name: 'bare node:http beside the same', values: found.reference },
    bound: { on: 'ratio', atMost: 2 },
  })
  add({ what: '… peak memory of the hub', unit: 'MB', ours: peaks, bound: { on: 'ours', atMost: 300 } })
  add({ what: '… peak memory of its gits, together', unit: 'MB', ours: childPeaks })
  add({
    what: 'peak memory of the hub, 1 GiB pushed',
    unit: 'MB',
    ours: pushPeaks,
    bound: { on: 'ours', atMost: 300 },
  })
})

/** What the programs that the hub has started hold, those of the helper included. Mapped packs count in each. */
function gitsMb(pid: number): number {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 4).split(' ')[0]))
    } catch {
      // It has ended meanwhile.
    }
  }
  const isBelow = (one: number): boolean => {
    const parent = parents.get(one)
    return parent !== undefined && parent !== 0 && (parent === pid || isBelow(parent))
  }
  let sum = 0
  for (const one of parents.keys())
    try {
      if (isBelow(one)) sum += rssMb(one)
    } catch {
      // It has ended meanwhile.
    }
  return sum
}
