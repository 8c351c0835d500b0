/**
 * A commit of 1,000 small files over HTTP, beside `git fast-import` of the same into a fresh repository; and one of
 * 20,000 beside a quarter of it, with the memory that it takes.
 */
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { openFolder } from './harness/folder.ts'
import { commit, commitBody, makeRepo, startHub } from './harness/hub.ts'
import { forgetPeak, peakRssMb } from './harness/process-facts.ts'

const FILE_BYTES = 1024
const FILES_PER_FOLDER = 100
const MANY = 20_000

type Files = [path: string, content: Buffer][]

await benchmark('commits', async ({ runs, add }) => {
  await using folder = await openFolder()
  await using hub = await startHub()
  let count = 0
  const land = async (files: Files) => {
    const repo = await makeRepo(hub, `repo-${(count += 1)}`)
    const body = commitBody(files)
    const started = performance.now()
    await commit(hub, repo, body)
    return performance.now() - started
  }
  await land(smallFiles(100))
  const thousand = await inTurns(runs, {
    ours: () => land(smallFiles(1_000)),
    reference: async (round) => fastImport(join(folder.path, `${round}.git`), smallFiles(1_000)),
  })
  add({
    what: 'commit of 1,000 files of 1 KB',
    unit: 'ms',
    ours: thousand.ours,
    reference: { name: 'git fast-import', values: thousand.reference },
    bound: { on: 'ratio', atMost: 3 },
  })
  const peaks: number[] = []
  const growth = await inTurns(runs, {
    quarter: () => land(smallFiles(MANY / 4)),
    whole: async () => {
      forgetPeak(hub.pid)
      const ms = await land(smallFiles(MANY))
      peaks.push(peakRssMb(hub.pid))
      return ms
    },
  })
  add({
    what: 'commit of 20,000 files, a thousand of them',
    unit: 'ms',
    ours: growth.whole.map((ms) => (ms * 1_000) / MANY),
    reference: { name: 'of 5,000', values: growth.quarter.map((ms) => (ms * 4_000) / MANY) },
    bound: { on: 'ratio', atMost: 1.2 },
  })
  add({ what: '… peak memory', unit: 'MB', ours: peaks, bound: { on: 'ours', atMost: 400 } })
})

function smallFiles(count: number): Files {
  return Array.from({ length: count }, (_, index) => [
    `part-${Math.floor(index / FILES_PER_FOLDER)}/file-${index}.json`,
    // Text that compresses about as JSON does.
    Buffer.from(randomBytes(FILE_BYTES / 2).toString('hex')),
  ])
}

function fastImport(gitDir: string, files: Files): number {
  const git = (args: string[], input?: Buffer) => {
    const { status, stderr } = spawnSync('git', ['--git-dir', gitDir, ...args], { input, maxBuffer: 1 << 26 })
    if (status !== 0) throw new Error(`git ${args[0]}: ${stderr.toString()}`)
  }
  git(['init', '--quiet', '--bare'])
  const header = 'commit refs/heads/main\ncommitter A <a@example.com> 1700000000 +0000\ndata 9\nbenchmark\n'
  const stream = Buffer.concat([
    Buffer.from(header),
    ...files.flatMap(([path, content]) => [
      Buffer.from(`M 100644 inline ${path}\ndata ${content.length}\n`),
      content,
      Buffer.from('\n'),
    ]),
  ])
  const started = performance.now()
  git(['fast-import', '--quiet'], stream)
  return performance.now() - started
}
