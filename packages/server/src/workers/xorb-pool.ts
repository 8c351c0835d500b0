/**
 * Threads for work on chunks. One job at a time per thread, the rest wait in the order in which they came, so that
 * many uploads share the cores fairly. A thread that dies fails its job only.
 */
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'

import { FormatError } from '@cairn/protocol/errors'

import { BufferPool } from '../buffer-pool.ts'
import { XORB_BUFFER_BYTES, XORB_BUFFERED_MIN_BYTES, XORB_BUFFERS_IDLE_MAX } from '../limits.ts'
import type { XorbJob, XorbReply } from './xorb-worker.ts'

// Type stripping runs the source in the checkout; a published package has the compiled file beside this one.
const WORKER_URL = new URL(`./xorb-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

export type XorbResult = Omit<Extract<XorbReply, { ok: true }>, 'ok'>

interface Waiting {
  job: XorbJob
  resolve: (result: XorbResult) => void
  reject: (error: Error) => void
}

export class XorbPool implements AsyncDisposable {
  readonly size: number
  /** What jobs are made of: memory that comes back from the thread is used again. */
  readonly buffers = new BufferPool(XORB_BUFFER_BYTES, XORB_BUFFERS_IDLE_MAX)
  readonly #idle: Worker[] = []
  readonly #busy = new Map<Worker, Waiting>()
  readonly #queue: Waiting[] = []
  #closed = false

  /** One core stays free for the thread that serves. Threads start when they are first needed. */
  constructor(size: number = Math.max(1, availableParallelism() - 1)) {
    this.size = size
  }

  get busy(): number {
    return this.#busy.size
  }

  /** Jobs that no thread has taken yet. */
  get waiting(): number {
    return this.#queue.length
  }

  /** Memory for a run or what it decodes to. `buffers.give` takes it back, or lets it go. */
  memory(sizeBytes: number): Uint8Array<ArrayBuffer> {
    return sizeBytes < XORB_BUFFERED_MIN_BYTES
      ? new Uint8Array(sizeBytes)
      : this.buffers.take().subarray(0, sizeBytes)
  }

  /** Runs a job. Its memory is not readable until the result gives it back. Rejects with FormatError. */
  async run(job: XorbJob): Promise<XorbResult> {
    if (this.#closed) throw new Error('The xorb workers are closed')
    return new Promise((resolve, reject) => {
      this.#queue.push({ job, resolve, reject })
      this.#startNext()
    })
  }

  #startNext(): void {
    while (this.#queue.length > 0 && this.#busy.size < this.size) {
      const worker = this.#idle.pop() ?? this.#startWorker()
      const waiting = this.#queue.shift()!
      this.#busy.set(worker, waiting)
      worker.ref()
      const { job } = waiting
      worker.postMessage(
        job,
        job.kind === 'decode' ? [job.serialized.buffer, job.into.buffer] : [job.serialized.buffer],
      )
    }
  }

  #startWorker(): Worker {
    const worker = new Worker(WORKER_URL, { name: 'xorb' })
    worker.on('message', (reply: XorbReply) => {
      const waiting = this.#busy.get(worker)
      this.#busy.delete(worker)
      // An idle thread does not keep the process alive.
      worker.unref()
      this.#idle.push(worker)
      if (reply.ok) waiting?.resolve(reply)
      else waiting?.reject(Object.assign(new FormatError('', reply.offset), { message: reply.message }))
      this.#startNext()
    })
    worker.on('error', (error) => this.#lose(worker, error))
    worker.on('exit', () => this.#lose(worker))
    return worker
  }

  #lose(worker: Worker, cause?: unknown): void {
    const waiting = this.#busy.get(worker)
    this.#busy.delete(worker)
    const index = this.#idle.indexOf(worker)
    if (index >= 0) this.#idle.splice(index, 1)
    waiting?.reject(new Error('A xorb worker ended in the middle of its job', { cause }))
    if (!this.#closed) this.#startNext()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    for (const waiting of this.#queue.splice(0)) waiting.reject(new Error('The xorb workers are closed'))
    await Promise.all([...this.#idle, ...this.#busy.keys()].map((worker) => worker.terminate()))
  }
}
