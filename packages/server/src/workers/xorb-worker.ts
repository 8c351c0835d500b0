/**
 * The thread that hashes and decodes chunks: one job in, one reply out. Buffers move, they are not copied. Anything
 * but a FormatError is a fault of ours and ends the thread; the pool then fails the job and starts another.
 */
import { parentPort } from 'node:worker_threads'

import { FormatError } from '@cairn/protocol/errors'

import { checkChunks, decodeChunks, hashChunks } from './xorb-batch.ts'

/** The memory of `serialized` and `into` moves to the worker and comes back with its answer. */
export type XorbJob =
  | { kind: 'hash'; serialized: Uint8Array<ArrayBuffer>; position: number }
  /** `serialized` holds contents alone. */
  | {
      kind: 'check'
      serialized: Uint8Array<ArrayBuffer>
      lengths: readonly number[]
      expectedHashes: Uint8Array
    }
  | {
      kind: 'decode'
      serialized: Uint8Array<ArrayBuffer>
      position: number
      expectedHashes: Uint8Array
      into: Uint8Array<ArrayBuffer>
    }

export type XorbReply =
  /** `bytes`: hashes, `into`, or `serialized` itself. */
  | { ok: true; bytes: Uint8Array<ArrayBuffer>; serialized: Uint8Array<ArrayBuffer> }
  | { ok: false; message: string; offset: number }

const port = parentPort
if (port === null) throw new Error('xorb-worker runs in a worker thread')

port.on('message', (job: XorbJob) => {
  const reply = work(job)
  port.postMessage(reply, reply.ok ? [...new Set([reply.bytes.buffer, reply.serialized.buffer])] : [])
})

function work(job: XorbJob): XorbReply {
  try {
    const { serialized } = job
    if (job.kind === 'check') {
      checkChunks(serialized, job.lengths, job.expectedHashes)
      return { ok: true, bytes: serialized, serialized }
    }
    const { position } = job
    if (job.kind === 'hash') return { ok: true, bytes: hashChunks(serialized, position), serialized }
    decodeChunks(serialized, job.expectedHashes, job.into, position)
    return { ok: true, bytes: job.into, serialized }
  } catch (error) {
    if (error instanceof FormatError) return { ok: false, message: error.message, offset: error.offset }
    throw error
  }
}
