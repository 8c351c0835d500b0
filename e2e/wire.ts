/** Bytes to a hub and what comes back, with nothing between that would tidy them up. */
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import type { HubProcess } from './hub-process.ts'

export interface Wire {
  socket: Socket
  /** What has come so far, a character a byte. */
  received(): string
  closed: Promise<void>
}

export function open(hub: Pick<HubProcess, 'url'>): Wire {
  const { hostname, port } = new URL(hub.url)
  const socket = connect(Number(port), hostname)
  let text = ''
  socket.on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
  // A connection that is reset is an answer too.
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return { socket, received: () => text, closed }
}

/** Sends the bytes and waits until the connection ends, or for a while. */
export async function exchange(
  hub: Pick<HubProcess, 'url'>,
  pieces: readonly (string | Buffer)[],
  waitMs = 1500,
): Promise<{ text: string; isClosed: boolean; statuses: number[] }> {
  const wire = open(hub)
  for (const piece of pieces) {
    wire.socket.write(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece)
    if (pieces.length > 1) await delay(20)
  }
  const isClosed = await Promise.race([wire.closed.then(() => true), delay(waitMs, false)])
  wire.socket.destroy()
  const text = wire.received()
  const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map((match) => Number(match[1]))
  return { text, isClosed, statuses }
}

/** Resident memory of a process, in bytes. */
export async function residentBytes(pid: number): Promise<number> {
  const kib = /^VmRSS:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) * 1024
}

export interface Watch extends AsyncDisposable {
  /** Milliseconds of each request so far. */
  times(): number[]
  peakBytes(): number
}

/** Asks for a file again and again, on a thread of its own: what a test is busy with must not look like the hub's delay. */
const NEIGHBOUR = `
  const { parentPort, workerData } = require('node:worker_threads')
  const { get, Agent } = require('node:http')
  const agent = new Agent({ keepAlive: true })
  const ask = () => {
    const from = performance.now()
    get(workerData, { method: 'HEAD', agent }, (answer) => {
      parentPort.postMessage({ status: answer.statusCode, ms: performance.now() - from })
      answer.resume().on('end', () => setTimeout(ask, 10))
    }).on('error', (error) => parentPort.postMessage({ status: 0, ms: 0, error: String(error) }))
  }
  ask()
`

/** Somebody else who goes on asking for a file, and a look at the hub's memory, until it is disposed of. Has had an answer. */
export async function watch(hub: HubProcess, path: string): Promise<Watch> {
  const times: number[] = []
  const wrong: unknown[] = []
  let peakBytes = 0
  const worker = new Worker(NEIGHBOUR, { eval: true, workerData: hub.url + path })
  worker.on('message', (told: { status: number; ms: number }) => {
    if (told.status === 200) times.push(told.ms)
    else wrong.push(told)
  })
  await once(worker, 'message')
  const timer = setInterval(() => {
    void residentBytes(hub.pid).then((bytes) => (peakBytes = Math.max(peakBytes, bytes)))
  }, 50)
  return {
    times: () => times,
    peakBytes: () => peakBytes,
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await worker.terminate()
      if (wrong.length > 0) throw new Error(`The neighbour got ${JSON.stringify(wrong[0])}`)
    },
  }
}

export function percentile(times: readonly number[], share: number): number {
  return times.toSorted((a, b) => a - b)[Math.ceil(times.length * share) - 1] ?? NaN
}
