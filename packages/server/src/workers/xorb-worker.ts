/**
 * The thread that hashes and decodes chunks: one job in, one reply out. Buffers move, they are not copied. Anything
 * but a FormatError is a fault of ours and ends the thread; the pool then fails the job and starts another.
 */
import { parentPort } from 'node:worker_threads'

import { FormatError } from '@cairn/protocol/errors'

import { decodeChunks, hashChunks } from './xorb-batch.ts'

/** `serialized` owns its whole buffer, which moves to the worker. */
export type XorbJob =
  | { kind: 'hash'; serialized: Uint8Array<ArrayBuffer>; position: number }
  | { kind: 'decode'; serialized: Uint8Array<ArrayBuffer>; position: number; expectedHashes: Uint8Array }

export type XorbReply =
  /** `bytes`: hashes or decoded bytes. `serialized` comes back to be stored. */
  | { ok: true; bytes: Uint8Array; serialized: Uint8Array<ArrayBuffer> }
  | { ok: false; message: string; offset: number }

const port = parentPort
if (port === null) throw new Error('xorb-worker runs in a worker thread')

port.on('message', (job: XorbJob) => {
  const reply = work(job)
  const moved = reply.ok ? [reply.bytes.buffer as ArrayBuffer, reply.serialized.buffer] : []
  port.postMessage(reply, moved)
})

function work(job: XorbJob): XorbReply {
  try {
    const bytes =
      job.kind === 'hash'
        ? hashChunks(job.serialized, job.position)
        : decodeChunks(job.serialized, job.expectedHashes, job.position)
    return { ok: true, bytes, serialized: job.serialized }
  } catch (error) {
    if (error instanceof FormatError) return { ok: false, message: error.message, offset: error.offset }
    throw error
  }
}
