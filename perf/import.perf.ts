/**
 * How long a download's HEAD waits while 100,000 rows (refs, each looked up first) are written beside it, in
 * transactions of several sizes: the event loop's longest hold and the slowest HEAD, beside those of the same loop of
 * HEADs without an import.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'

import { benchmark, inTurns } from './harness/benchmark.ts'

const ROWS = 100_000
const HOLD_MAX_MS = 20
/** Rows of one transaction; 2,000 is the most that the house allows. */
const SIZES = [100, 2000]
const IDLE_MS = 2_000

async function importRefs(
  hub: TestHub,
  repoId: string,
  perTransaction: number,
  round: number,
): Promise<void> {
  const oid = '1'.repeat(40)
  for (let start = 0; start < ROWS; start += perTransaction)
    await hub.hub.ops.catalog.tx(async (rows) => {
      for (let index = start; index < start + perTransaction; index += 1)
        await rows.refs.swap(repoId, `refs/import/${perTransaction}/${round}/${index}`, null, oid, index)
    })
}

async function during(hub: TestHub, work: () => Promise<void>): Promise<{ holdMs: number; headMs: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  let done = false
  const heads: number[] = []
  delay.enable()
  const asking = (async () => {
    while (!done) {
      const begun = performance.now()
      const answer = await fetch(`${hub.url}/alice/tiny/resolve/main/.gitattributes`, { method: 'HEAD' })
      if (answer.status !== 200) throw new Error(`HEAD ${answer.status}`)
      heads.push(performance.now() - begun)
    }
  })()
  await work()
  done = true
  await asking
  delay.disable()
  return { holdMs: delay.max / 1e6, headMs: Math.max(...heads) }
}

await benchmark('an import', async ({ runs, add }) => {
  await using hub = await startHub()
  const made = await hub.fetch('alice', '/api/repos/create', {
    method: 'POST',
    body: JSON.stringify({ name: 'tiny' }),
  })
  if (made.status !== 200) throw new Error(await made.text())
  const repo = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'tiny')
  if (repo === null) throw new Error('no repository')
  for (const size of SIZES) {
    const { ours, reference } = await inTurns(runs, {
      ours: (round) => during(hub, () => importRefs(hub, repo.id, size, round)),
      reference: () => during(hub, () => sleep(IDLE_MS)),
    })
    add({
      what: `longest hold of the loop during an import of ${ROWS} rows, ${size} a transaction`,
      unit: 'ms',
      ours: ours.map(({ holdMs }) => holdMs),
      reference: { name: 'without', values: reference.map(({ holdMs }) => holdMs) },
      bound: { on: 'ours', atMost: HOLD_MAX_MS },
    })
    add({
      what: '… the slowest HEAD meanwhile',
      unit: 'ms',
      ours: ours.map(({ headMs }) => headMs),
      reference: { name: 'without', values: reference.map(({ headMs }) => headMs) },
    })
  }
})
