/** What Linux knows about a process: its CPU time and its memory. */
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Of `/proc/<pid>/stat`: USER_HZ, which is 100 on every Linux that Node runs on. */
const TICK_MS = 10

/** User and system time of all threads of the process, in steps of 10 ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name stands in parentheses and may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

export function rssMb(pid: number): number {
  return statusMb(pid, 'VmRSS')
}

/** The most that the process has held since `forgetPeak`. */
export function peakRssMb(pid: number): number {
  return statusMb(pid, 'VmHWM')
}

export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}

function statusMb(pid: number, name: string): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]
  if (kib === undefined) throw new Error(`no ${name} of ${pid}`)
  return (Number(kib) * 1024) / 1e6
}

/** Longer than the hub waits between two looks at its outbox. */
const IDLE_MS = 1500

/** Until the process has done what earlier requests left to do. */
export async function untilIdle(pid: number): Promise<void> {
  for (let before = -1; before !== cpuMs(pid);) {
    before = cpuMs(pid)
    await sleep(IDLE_MS)
  }
}
