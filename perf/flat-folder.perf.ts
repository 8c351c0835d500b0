/**
 * A thousand commits of one file each over HTTP into a flat folder of 5,000: what they cost on disk once the repository
 * is packed, and whether the last ones are slower than the first.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

import { cairnBin } from '../e2e/hub-process.ts'
import { benchmark } from './harness/benchmark.ts'
import { onlyBareRepository } from './harness/git.ts'
import { commit, commitBody, makeRepo, startHub } from './harness/hub.ts'
import { median } from './harness/rows.ts'

const run = promisify(execFile)
const FILES = 5_000
const COMMITS = 1_000
const ENDS = 50

const fileOf = (index: number, version: number) =>
  [`file-${index}.json`, Buffer.from(JSON.stringify({ index, version }))] as const

await benchmark('a thousand commits into a flat folder', async ({ runs, add }) => {
  const first: number[] = []
  const last: number[] = []
  const before: number[] = []
  const tidied: number[] = []
  const pruned: number[] = []
  for (let round = 0; round < runs; round += 1) {
    await using hub = await startHub()
    const repo = await makeRepo(hub, 'flat')
    await commit(hub, repo, commitBody(Array.from({ length: FILES }, (_, index) => fileOf(index, 0))))
    const times: number[] = []
    for (let version = 1; version <= COMMITS; version += 1) {
      const body = commitBody([fileOf((version * 7919) % FILES, version)])
      const started = performance.now()
      await commit(hub, repo, body)
      times.push(performance.now() - started)
    }
    first.push(median(times.slice(0, ENDS)))
    last.push(median(times.slice(-ENDS)))
    const bare = await onlyBareRepository(hub.dataDir)
    const repack = (...options: string[]) =>
      run(process.execPath, [cairnBin, 'admin', 'repo', 'repack', repo, '--data', hub.dataDir, ...options])
    before.push(await diskMb(bare))
    await repack()
    tidied.push(await diskMb(bare))
    await repack('--prune')
    pruned.push(await diskMb(bare))
  }
  add({
    what: `one-file commit into a flat folder of ${FILES}, the last ${ENDS} of ${COMMITS}`,
    unit: 'ms',
    ours: last,
    reference: { name: `the first ${ENDS}`, values: first },
    bound: { on: 'ratio', atMost: 2 },
  })
  add({ what: '… disk right after them', unit: 'MB', ours: before })
  add({ what: '… disk after housekeeping', unit: 'MB', ours: tidied, bound: { on: 'ours', atMost: 10 } })
  add({ what: '… disk after packing whole', unit: 'MB', ours: pruned, bound: { on: 'ours', atMost: 10 } })
})

/** As the disk counts it. */
async function diskMb(folder: string): Promise<number> {
  const { stdout } = await run('du', ['--summarize', '--block-size=1', folder])
  return Number.parseInt(stdout, 10) / 1e6
}
