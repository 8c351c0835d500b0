/**
 * How long a download's HEAD waits while 100,000 rows (refs, each looked up first) are written beside it, in
 * transactions of several sizes. Prints the event loop's longest hold and the slowest HEAD, beside those of the same
 * loop of HEADs without an import.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'

const ROWS = 100_000
const HOLD_MAX_MS = 20
/** Rows of one transaction; 2,000 is the most that the house allows. */
const SIZES = [100, 500, 1000, 2000]

async function main(): Promise<void> {
  await using hub = await startHub()
  const made = await fetch(`${hub.url}/api/repos/create`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${TOKENS.alice}` },
    body: JSON.stringify({ name: 'tiny' }),
  })
  if (made.status !== 200) throw new Error(await made.text())
  const repo = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'tiny')
  if (repo === null) throw new Error('no repository')

  print('nothing', await during(hub, () => sleep(2000)))
  for (const size of SIZES)
    print(`transactions of ${size} refs`, await during(hub, () => importRefs(hub, repo.id, size)))
  console.log(`bound: no hold over ${HOLD_MAX_MS} ms`)
}

async function importRefs(hub: TestHub, repoId: string, perTransaction: number): Promise<void> {
  const oid = '1'.repeat(40)
  for (let start = 0; start < ROWS; start += perTransaction)
    await hub.hub.ops.catalog.tx(async (rows) => {
      for (let index = start; index < start + perTransaction; index += 1)
        await rows.refs.swap(repoId, `refs/import/${perTransaction}/${index}`, null, oid, index)
    })
}

async function during(
  hub: TestHub,
  work: () => Promise<void>,
): Promise<{ holdMs: number; headMs: number; heads: number }> {
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
  return { holdMs: delay.max / 1e6, headMs: Math.max(...heads), heads: heads.length }
}

function print(what: string, { holdMs, headMs, heads }: Awaited<ReturnType<typeof during>>): void {
  console.log(
    `${what}: longest hold ${holdMs.toFixed(1)} ms, slowest of ${heads} HEADs ${headMs.toFixed(1)} ms`,
  )
}

await main()
