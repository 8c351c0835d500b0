/**
 * One thread for documents that somebody else wrote, one at a time, each with a time that it may take. A document that
 * takes longer, or breaks the thread, costs a new thread and nothing else.
 */
import { Worker } from 'node:worker_threads'

import { FormatError } from '@cairn/protocol/errors'

import { DOCUMENT_QUEUE_MAX, DOCUMENT_READ_MS } from '../limits.ts'
import type { DocumentJobs, DocumentKind, DocumentReply } from './document-worker.ts'

const WORKER_URL = new URL(
  `./document-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
  import.meta.url,
)

/** `too-slow`: it took its whole time. `failed`: it broke the thread. `busy`, `closed`: it was not looked at. */
export class DocumentUnreadError extends Error {
  readonly reason: 'too-slow' | 'failed' | 'busy' | 'closed'

  constructor(reason: DocumentUnreadError['reason'], cause?: unknown) {
    super(`A document was not read: ${reason}`, { cause })
    this.name = 'DocumentUnreadError'
    this.reason = reason
  }
}

interface Waiting {
  job: { kind: DocumentKind; document: unknown }
  resolve: (result: unknown) => void
  reject: (error: Error) => void
}

export class DocumentReader implements AsyncDisposable {
  readonly #readMs: number
  readonly #queue: Waiting[] = []
  #worker: Worker | null = null
  #current: Waiting | null = null
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(readMs: number = DOCUMENT_READ_MS) {
    this.#readMs = readMs
  }

  /** Rejects with FormatError as the reading itself would, or with DocumentUnreadError. */
  async read<K extends DocumentKind>(
    kind: K,
    document: DocumentJobs[K]['document'],
  ): Promise<DocumentJobs[K]['result']> {
    if (this.#closed) throw new DocumentUnreadError('closed')
    if (this.#queue.length >= DOCUMENT_QUEUE_MAX) throw new DocumentUnreadError('busy')
    const result = await new Promise((resolve, reject) => {
      this.#queue.push({ job: { kind, document }, resolve, reject })
      this.#next()
    })
    return result as DocumentJobs[K]['result']
  }

  #next(): void {
    if (this.#current !== null) return
    const waiting = this.#queue.shift()
    if (waiting === undefined) return
    this.#current = waiting
    this.#worker ??= this.#start()
    this.#worker.ref()
    this.#timer = setTimeout(() => this.#lose(new DocumentUnreadError('too-slow')), this.#readMs)
    this.#worker.postMessage(waiting.job)
  }

  #start(): Worker {
    const worker = new Worker(WORKER_URL, {
      name: 'document',
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    })
    const ended = (cause?: unknown) => {
      if (this.#worker === worker) this.#lose(new DocumentUnreadError('failed', cause))
    }
    worker.on('message', (reply: DocumentReply) => {
      if (this.#worker !== worker) return
      const done = this.#finish()
      // An idle thread does not keep the process alive.
      worker.unref()
      if (reply.ok) done?.resolve(reply.result)
      else done?.reject(Object.assign(new FormatError('', reply.offset), { message: reply.message }))
      this.#next()
    })
    worker.on('error', ended)
    worker.on('exit', () => ended())
    return worker
  }

  #finish(): Waiting | null {
    clearTimeout(this.#timer)
    const done = this.#current
    this.#current = null
    return done
  }

  #lose(error: DocumentUnreadError): void {
    const worker = this.#worker
    this.#worker = null
    void worker?.terminate()
    this.#finish()?.reject(error)
    if (!this.#closed) this.#next()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    const worker = this.#worker
    this.#worker = null
    for (const waiting of [this.#finish(), ...this.#queue.splice(0)])
      waiting?.reject(new DocumentUnreadError('closed'))
    await worker?.terminate()
  }
}
