/** How the process itself does, under the names that Prometheus' own libraries give. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'

import type { Metric, Sample } from './exposition.ts'

/** Watches the event loop from when it is first asked for: that takes a timer of ten milliseconds. */
let delay: ReturnType<typeof monitorEventLoopDelay> | null = null

export function processMetrics(): Metric[] {
  const cpu = process.cpuUsage()
  const memory = process.memoryUsage()
  const one = (name: string, type: Metric['type'], help: string, value: number): Metric => ({
    name,
    type,
    help,
    samples: [[{}, value]],
  })
  return [
    one(
      'process_cpu_seconds_total',
      'counter',
      'Processor time of all threads.',
      (cpu.user + cpu.system) / 1e6,
    ),
    one('process_resident_memory_bytes', 'gauge', 'Memory that the process has.', memory.rss),
    one('process_start_time_seconds', 'gauge', 'When it started.', performance.timeOrigin / 1000),
    one('nodejs_heap_size_used_bytes', 'gauge', 'Objects of JavaScript.', memory.heapUsed),
    one(
      'nodejs_external_memory_bytes',
      'gauge',
      'Buffers and other memory outside of the heap.',
      memory.external,
    ),
    one(
      'nodejs_eventloop_active_seconds_total',
      'counter',
      'Time that the thread which serves was at work.',
      performance.eventLoopUtilization().active / 1000,
    ),
    {
      name: 'nodejs_eventloop_lag_seconds',
      type: 'gauge',
      help: 'How late timers were since this was last asked for.',
      samples: lag(),
    },
  ]
}

function lag(): Sample[] {
  if (delay === null) {
    delay = monitorEventLoopDelay({ resolution: 10 })
    delay.enable()
  }
  const seconds = (ns: number) => (delay!.count === 0 ? 0 : ns / 1e9)
  const samples: Sample[] = [
    [{ quantile: 'mean' }, seconds(delay.mean)],
    [{ quantile: '0.5' }, seconds(delay.percentile(50))],
    [{ quantile: '0.99' }, seconds(delay.percentile(99))],
    [{ quantile: 'max' }, seconds(delay.max)],
  ]
  delay.reset()
  return samples
}
