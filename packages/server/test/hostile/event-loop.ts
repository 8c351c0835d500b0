/** How long one thing kept everything else from its turn. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'

/** The longest hold while `work` went on, in milliseconds. */
export async function longestHold(work: () => Promise<unknown>): Promise<number> {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  // It measures from tick to tick, so one must be before and one behind.
  await sleep(20)
  await work()
  await sleep(20)
  delay.disable()
  return delay.max / 1e6
}
