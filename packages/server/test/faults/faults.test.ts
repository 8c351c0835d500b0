/**
 * A disk that is full or does not take what it should, and a process that dies, at every call of store and catalog:
 * what was acknowledged is there, what is left is a sweep's to take, and the next attempt succeeds.
 */
import { cpSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import {
  CountedCalls,
  faultyCatalog,
  faultyStore,
  systemFault,
  WatchedCalls,
  type Calls,
} from '@cairn/testkit/faults'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { OpsContext } from '../../src/ops/context.ts'
import type { Finding, WorkStep } from '../../src/ops/work-step.ts'
import { createRepo, sha256 } from '../client.ts'
import { collect, OPERATIONS, type Operation, type Stage } from './operations.ts'

const DAY_MS = 24 * 3600_000
/** How many restarts go on at a time. */
const RESTARTS = 3

/** Each call fails in each way and each state is started from; else in one of the ways, and every other state. */
const isSoak = process.env['CAIRN_FAULT_BYTES'] !== undefined

let folder: string
let now: number
let stage: Stage
function open(dataDir: string, clock = () => now): Promise<TestHub> {
  return startHub({ dataDir, clock, env: { CAIRN_GC_INTERVAL_HOURS: '0' } })
}

function acknowledge(files: ReadonlyMap<string, Uint8Array> = new Map()): void {
  for (const [path, bytes] of files) stage.acknowledged.set(path, bytes)
}

function watched(ops: OpsContext, calls: Calls): OpsContext {
  return { ...ops, blobs: faultyStore(ops.blobs, calls), catalog: faultyCatalog(ops.catalog, calls) }
}

async function expectServed(
  hub: TestHub,
  files: ReadonlyMap<string, Uint8Array>,
  when: string,
): Promise<void> {
  for (const [path, bytes] of files) {
    const answer = await hub.fetch('alice', `/${stage.id}/resolve/main/${path}`)
    const got = sha256(new Uint8Array(await answer.arrayBuffer()))
    expect([answer.status, got], `${when}: ${path}`).toEqual([200, sha256(bytes)])
  }
}

/** Everything read, catalog and disk compared both ways. */
async function fsck({ hub }: TestHub): Promise<Finding[]> {
  const findings: Finding[] = []
  let cursor: string | null = null
  do {
    const step = (await hub.admin({
      resource: 'hub',
      verb: 'fsck',
      args: { full: true, cursor },
    })) as WorkStep
    findings.push(...step.findings)
    cursor = step.cursor
  } while (cursor !== null)
  return findings
}

const problems = (found: Finding[]): Finding[] => found.filter(({ state }) => state !== 'note')
const staging = ({ dataDir }: TestHub): Promise<string[]> => readdir(join(dataDir, 'blobs', 'staging'))

const FAULTS = [
  { what: 'a full disk', timing: 'before', code: 'ENOSPC' },
  { what: 'a failed fsync of what is visible', timing: 'after', code: 'EIO' },
  { what: 'a failed fsync', timing: 'before', code: 'EIO' },
] as const

describe.each(Object.entries(OPERATIONS))('%s', (_, operation: Operation) => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'cairn-faults-'))
    now = Date.now()
    const hub = await open(join(folder, 'hub'))
    const id = await createRepo(hub, 'alice', 'alice/faults')
    const pass = (): void => void (now += 3 * DAY_MS)
    stage = { hub, id, pass, acknowledged: new Map() }
    // Something of each kind that nothing may touch.
    for (const name of ['an LFS upload', 'a Xet upload', 'a commit', 'migration']) {
      const scene = await OPERATIONS[name]!(stage, 1)
      await scene.attempt(hub.hub.ops)
      acknowledge(scene.files)
    }
  })
  afterAll(async () => {
    await stage.hub[Symbol.asyncDispose]()
    await rm(folder, { recursive: true })
  })

  test('is killed at every call', async () => {
    const scene = await operation(stage, 2)
    const acknowledged = new Map(stage.acknowledged)
    const images: { dataDir: string; when: string }[] = []
    let stateCount = 0
    const calls = new WatchedCalls((when) => {
      stateCount++
      if (!isSoak && stateCount % 2 === 0) return
      const dataDir = join(folder, `killed-${stateCount}`)
      cpSync(stage.hub.dataDir, dataDir, { recursive: true })
      images.push({ dataDir, when })
    })
    await scene.attempt(watched(stage.hub.hub.ops, calls))
    expect(stateCount).toBeGreaterThan(2)
    const restartNext = async (): Promise<void> => {
      for (let image = images.shift(); image !== undefined; image = images.shift())
        await restart(image.dataDir, image.when)
    }
    await Promise.all(Array.from({ length: RESTARTS }, restartNext))
    acknowledge(scene.files)

    async function restart(dataDir: string, when: string): Promise<void> {
      let clock = now
      await using hub = await open(dataDir, () => clock)
      expect(await staging(hub), when).toEqual([])
      expect(problems(await fsck(hub)), when).toEqual([])
      await expectServed(hub, acknowledged, when)
      // Whoever was cut off does not come back in time, but later.
      clock += 3 * DAY_MS
      await collect(hub.hub.ops)
      await scene.attempt(hub.hub.ops)
      expect(await fsck(hub), when).toEqual([])
      await expectServed(hub, new Map([...acknowledged, ...(scene.files ?? [])]), when)
    }
  })

  test('fails at every call', async () => {
    let seed = 2
    let pointCount = 0
    for (const round of isSoak ? FAULTS.keys() : [0])
      for (
        let failing = 1;
        await failsAt(failing, FAULTS[(failing + round) % FAULTS.length]!, ++seed);
        failing++
      )
        pointCount++
    stage.pass()
    await collect(stage.hub.hub.ops)
    expect(await fsck(stage.hub)).toEqual([])
    await expectServed(stage.hub, stage.acknowledged, 'in the end')
    expect(pointCount).toBeGreaterThan(2)
  })

  /** False when there is no such call any more. */
  async function failsAt(failing: number, fault: (typeof FAULTS)[number], seed: number): Promise<boolean> {
    const { what, timing, code } = fault
    const when = `${what}, call ${failing}`
    const { hub } = stage
    const scene = await operation(stage, seed)
    const calls = new CountedCalls({ failing, timing, makeFault: systemFault(code) })
    const error = await scene.attempt(watched(hub.hub.ops, calls)).then(
      () => null,
      (thrown: Error) => thrown,
    )
    if (error !== null && !calls.hasFailed) throw error
    expect(await staging(hub), when).toEqual([])
    // Reads all that is acknowledged, each time.
    expect(problems(await fsck(hub)), when).toEqual([])
    if (error !== null) await scene.attempt(hub.hub.ops)
    acknowledge(scene.files)
    await expectServed(hub, scene.files ?? new Map(), `${when}, again`)
    return calls.hasFailed
  }
})
