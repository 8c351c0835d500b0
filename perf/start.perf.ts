/**
 * The hub at rest: how long until it answers, over an existing data directory and over none, and its memory then. And
 * `npm ci` in a copy of the checkout, with the cache of packages that this machine has.
 */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

import { benchmark } from './harness/benchmark.ts'
import { openFolder } from './harness/folder.ts'
import { startHub } from './harness/hub.ts'
import { rssMb } from './harness/process-facts.ts'

const run = promisify(execFile)
const CHECKOUT = fileURLToPath(new URL('..', import.meta.url))
/** `npm ci` takes as long as all of the rest. */
const INSTALL_RUNS_MAX = 3

await benchmark('start', async ({ runs, add }) => {
  const fresh: number[] = []
  const again: number[] = []
  const idle: number[] = []
  for (let round = 0; round < runs; round += 1) {
    const started = performance.now()
    await using hub = await startHub()
    fresh.push(performance.now() - started)
    await hub.kill('SIGTERM')
    const restarted = performance.now()
    await hub.restart()
    again.push(performance.now() - restarted)
    idle.push(rssMb(hub.pid))
  }
  add({ what: 'cold start to the first answer, nothing there yet', unit: 'ms', ours: fresh })
  add({ what: 'cold start to the first answer, a data directory', unit: 'ms', ours: again })
  add({ what: 'memory at rest', unit: 'MB', ours: idle })

  const installs: number[] = []
  for (let round = 0; round < Math.min(runs, INSTALL_RUNS_MAX); round += 1) {
    await using folder = await openFolder()
    const copy = join(folder.path, 'cairn')
    await run('git', ['clone', '--quiet', CHECKOUT, copy])
    const started = performance.now()
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: copy })
    installs.push((performance.now() - started) / 1000)
  }
  add({ what: 'npm ci of a fresh clone, packages cached', unit: 's', ours: installs })
})
