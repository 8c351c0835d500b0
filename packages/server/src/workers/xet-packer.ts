/** Packs files into xorbs on a thread of its own, one file at a time; the caller finds known xorbs and stores new ones. */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

import type { PackedXorb } from '@cairn/protocol/xet/file-packer'
import type { XetHash } from '@cairn/protocol/xet/hash'

import { PACK_PIECE_BYTES } from '../limits.ts'
import type { HashedFile, PackReply, PackRequest } from './xet-pack-worker.ts'

const WORKER_URL = new URL(
  `./xet-pack-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`,
  import.meta.url,
)

export interface PackTarget {
  /** Xorbs that may hold chunks of the file. */
  known: readonly PackedXorb[]
  /** Further ones, for chunks by which the same content can be found. */
  find(this: void, chunks: readonly XetHash[]): Promise<readonly PackedXorb[]>
  /** Takes the next bytes of the open xorb, valid until the promise settles. */
  append(this: void, bytes: Uint8Array): Promise<void>
  /** The bytes since the last call are this xorb. */
  seal(this: void, xorb: PackedXorb): Promise<void>
  /** Awaited after each piece of the source, so that the caller can let others go first, or give up by throwing. */
  pause(this: void): Promise<void>
}

export class XetPacker implements AsyncDisposable {
  readonly #worker = new Worker(WORKER_URL, { name: 'xet-pack' })
  #failure: Error | null = null

  constructor() {
    this.#worker.on('error', (error: Error) => (this.#failure = error))
    this.#worker.on('exit', () => (this.#failure ??= new Error('It was ended')))
  }

  /** Throws what the source or the target throws; then, or when the thread died, another packer is needed. */
  async pack(source: AsyncIterable<Uint8Array>, target: PackTarget): Promise<HashedFile> {
    await this.#ask({ kind: 'begin', known: target.known }, 'begun')
    for await (const piece of pieces(source)) {
      await this.#step(piece, target)
      await target.pause()
    }
    const file = await this.#step(null, target)
    if (file === null) throw new Error('The packing thread lost its place')
    return file
  }

  async #step(bytes: Uint8Array<ArrayBuffer> | null, target: PackTarget): Promise<HashedFile | null> {
    const { chunks } = await this.#ask({ kind: 'take', bytes }, 'asks')
    const known = chunks.length === 0 ? [] : await target.find(chunks)
    const { parts, file } = await this.#ask({ kind: 'pack', known }, 'packed')
    for (const part of parts) {
      if (part.bytes.length > 0) await target.append(part.bytes)
      if (part.sealed !== null) await target.seal(part.sealed)
    }
    return file
  }

  async #ask<K extends PackReply['kind']>(
    request: PackRequest,
    kind: K,
  ): Promise<Extract<PackReply, { kind: K }>> {
    if (this.#failure !== null) throw new Error('The packing thread has died', { cause: this.#failure })
    const moved = request.kind === 'take' && request.bytes !== null ? [request.bytes.buffer] : []
    const answered = new AbortController()
    const replied = once(this.#worker, 'message', { signal: answered.signal })
    const ended = once(this.#worker, 'exit', { signal: answered.signal }).then(() => {
      throw new Error('The packing thread has ended', { cause: this.#failure })
    })
    ended.catch(() => undefined)
    replied.catch(() => undefined)
    this.#worker.postMessage(request, moved)
    try {
      const [reply] = (await Promise.race([replied, ended])) as [PackReply]
      if (reply.kind !== kind) throw new Error(`The packing thread answered ${reply.kind} instead of ${kind}`)
      return reply as Extract<PackReply, { kind: K }>
    } finally {
      answered.abort()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Of one length but the last, each in memory of its own, which moves to the thread. */
async function* pieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  let open = new Uint8Array(PACK_PIECE_BYTES)
  let filled = 0
  for await (const bytes of source) {
    for (let at = 0; at < bytes.length;) {
      const taken = bytes.subarray(at, at + open.length - filled)
      open.set(taken, filled)
      filled += taken.length
      at += taken.length
      if (filled < open.length) continue
      yield open
      open = new Uint8Array(PACK_PIECE_BYTES)
      filled = 0
    }
  }
  if (filled > 0) yield open.slice(0, filled)
}
