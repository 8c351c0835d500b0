/**
 * `kill -9` at random moments while clients commit, push and upload, and the hub migrates and collects: what was
 * acknowledged is there afterwards, and what was not is there whole or not at all. `npm run soak` asks for more rounds than `npm test`.
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { startWork, type HubWork } from './crash-work.ts'
import { startWriters, type Writers } from './crash-writers.ts'
import { fsckAll } from './fsck.ts'
import { printOnFailure, startHub, type HubProcess } from './hub-process.ts'
import { administer } from './mount.ts'

const rounds = Number(process.env['CAIRN_CRASH_ROUNDS'] ?? 20)
const seed = Number(process.env['CAIRN_CRASH_SEED'] ?? Date.now() % 1_000_000)
const killedWithinMs = 1_200
const startMaxMs = 5_000

let work: string
let hub: HubProcess
let writers: Writers
let hubWork: HubWork

beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-crashes-'))
  hub = await startHub()
  writers = await startWriters(hub, work, random)
  hubWork = await startWork(hub, random)
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(work, { recursive: true, force: true })
})
printOnFailure(() => `seed ${seed}\n${hub.log()}`)

/** mulberry32: the same seed, the same moments. */
let state = seed
function random(): number {
  state = (state + 0x6d2b79f5) | 0
  let bits = Math.imul(state ^ (state >>> 15), 1 | state)
  bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits
  return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32
}

test(
  `nothing acknowledged is lost in ${rounds} crashes`,
  async () => {
    const startsMs: number[] = []
    for (let round = 1; round <= rounds; round += 1) {
      await writers.prepare()
      const writing = Promise.all([writers.write(), hubWork.work()])
      await delay(random() * killedWithinMs)
      await hub.kill('SIGKILL')
      await writing
      const before = performance.now()
      await hub.restart()
      startsMs.push(performance.now() - before)
      await writers.check(`round ${round}, seed ${seed}`)
      // Nothing is under way now: what an interrupted upload or push left must be gone.
      expect(await leftovers(hub.dataDir), `round ${round}, seed ${seed}`).toEqual([])
    }
    expect(Math.max(...startsMs)).toBeLessThan(startMaxMs)
    await hubWork.finish()
    const done = { ...writers.acknowledged(), ...hubWork.done() }
    // Else the moments were such that nothing was tested.
    for (const count of Object.values(done)) expect(count, JSON.stringify(done)).toBeGreaterThan(0)
    await writers.checkAll()
    expect(await fsckAll(hub.dataDir)).toEqual([])
    // Exits with 1 when it finds a problem, which is then in what it prints.
    await administer(hub, 'fsck', '--full')
  },
  rounds * 30_000,
)

async function leftovers(dataDir: string): Promise<string[]> {
  const staged = await readdir(join(dataDir, 'blobs', 'staging'))
  const inRepos = await readdir(join(dataDir, 'repos'), { recursive: true })
  return [...staged, ...inRepos.filter((path) => /^(?:incoming|discarded)\/|\.lock$/.test(path))]
}
