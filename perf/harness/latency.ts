/**
 * How long single requests take that come at a steady pace, whatever became of those before: a server that stalls makes
 * all of them late that were due meanwhile.
 */
import { Agent, request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'

const STEP_MS = 5

/** Milliseconds from the moment each HEAD was due until its answer, while `during` goes on. */
export async function latencies(
  url: string,
  options: { headers: Record<string, string>; perSecond: number; during: Promise<unknown> },
): Promise<number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const found: number[] = []
  const pending = new Set<Promise<void>>()
  let isOver = false
  options.during.then(
    () => (isOver = true),
    () => (isOver = true),
  )
  const started = performance.now()
  for (let count = 0; !isOver;) {
    for (; count / options.perSecond < (performance.now() - started) / 1000; count += 1) {
      const dueAt = started + (count / options.perSecond) * 1000
      const one = head(url, options.headers, agent).then(() => void found.push(performance.now() - dueAt))
      pending.add(one)
      void one.finally(() => pending.delete(one)).catch(() => {})
    }
    await sleep(STEP_MS)
  }
  await Promise.all(pending)
  agent.destroy()
  await options.during
  return found
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

function head(url: string, headers: Record<string, string>, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'HEAD', headers, agent }, (response) => {
      response.resume()
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`${url}: ${response.statusCode}`)),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}
