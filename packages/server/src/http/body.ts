/** Request bodies: bounded, and given up when they trickle. Nothing is collected before its limit is known. */
import type { IncomingMessage } from 'node:http'
import { setImmediate as pause } from 'node:timers/promises'

import { depthOfJson } from '@cairn/protocol/api/json-depth'
import { HubError } from '@cairn/protocol/errors'
import type { ZodType } from 'zod'

import { free } from '../free.ts'
import {
  BLANK_LINES_MAX,
  BODY_GATHERED_FREE_BYTES,
  BODY_STALL_MS,
  BODY_THROUGHPUT_MIN_BYTES_PER_S,
  JSON_BODY_MAX_BYTES,
  JSON_DEPTH_MAX,
  LINE_AT_ONCE_MAX_BYTES,
} from '../limits.ts'
import { busy, gatheredBytes } from '../ops/byte-budget.ts'
import { notePassed } from './chunk-memory.ts'
import { countReceived } from './family.ts'

/** Chunks of a body, at most `sizeBytesMax` in all. They are the caller's. */
export function readChunks(body: IncomingMessage, sizeBytesMax: number): AsyncGenerator<Uint8Array> {
  return chunksOf(body, sizeBytesMax, notePassed)
}

/** The same for who has done with a chunk, the kernel included, when it asks for the next one: it is freed then. */
export function passChunks(body: IncomingMessage, sizeBytesMax: number): AsyncGenerator<Uint8Array> {
  return chunksOf(body, sizeBytesMax, free)
}

async function* chunksOf(
  body: IncomingMessage,
  sizeBytesMax: number,
  done: (chunk: Buffer) => void,
): AsyncGenerator<Uint8Array> {
  const declared = body.headers['content-length']
  if (declared !== undefined && Number(declared) > sizeBytesMax) throw tooLarge(sizeBytesMax)
  let total = 0
  let windowBytes = 0
  const minimum = (BODY_THROUGHPUT_MIN_BYTES_PER_S * BODY_STALL_MS) / 1000
  let giveUp: (reason: HubError) => void = () => undefined
  const guard = setInterval(() => {
    // The connection stays for the refusal, which would be lost if the body were destroyed.
    if (windowBytes < minimum) giveUp(tooSlow())
    windowBytes = 0
  }, BODY_STALL_MS)
  guard.unref()
  // Leaving early must not destroy the connection either.
  const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer, void>
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<Buffer, void>>((resolve, reject) => {
        giveUp = reject
        chunks.next().then(resolve, reject)
      })
      if (next.done) break
      total += next.value.length
      windowBytes += next.value.length
      countReceived(body, next.value.length)
      if (total > sizeBytesMax) throw tooLarge(sizeBytesMax)
      const since = performance.now()
      yield next.value
      done(next.value)
      // While the consumer is busy the client waits for us, which is not its fault.
      windowBytes += ((performance.now() - since) * BODY_THROUGHPUT_MIN_BYTES_PER_S) / 1000
    }
    if (declared !== undefined && total !== Number(declared))
      throw new HubError('BadRequest', 'The body ended early')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET')
      throw new HubError('BadRequest', 'The body ended early', { cause: error })
    throw error
  } finally {
    clearInterval(guard)
    // Not awaited: it would wait for the chunk that does not come.
    void chunks.return?.()
  }
}

function tooSlow(): HubError {
  return new HubError('RequestTimeout', 'The body arrives too slowly', { headers: { Connection: 'close' } })
}

/**
 * Bytes gathered by copying. A list of chunks would be cheaper, but a client that sends chunks of one byte makes it
 * hold an object of some hundred bytes for each.
 */
class Gathered implements Disposable {
  sizeBytes = 0
  #buffer = Buffer.alloc(0)
  readonly #share = gatheredBytes.open()

  add(bytes: Uint8Array): void {
    const end = this.sizeBytes + bytes.length
    if (end > this.#buffer.length) {
      const capacity = Math.max(end, 2 * this.#buffer.length)
      if (capacity > BODY_GATHERED_FREE_BYTES && !this.#share.grow(capacity - this.#buffer.length))
        throw busy()
      const grown = Buffer.allocUnsafeSlow(capacity)
      grown.set(this.#buffer.subarray(0, this.sizeBytes))
      this.#buffer = grown
    }
    this.#buffer.set(bytes, this.sizeBytes)
    this.sizeBytes = end
  }

  /** Valid until more is added. */
  bytes(): Buffer {
    return this.#buffer.subarray(0, this.sizeBytes)
  }

  /** Begins anew. A small buffer serves again: memory of its own for each of many lines is slow to come back. */
  clear(): void {
    this.sizeBytes = 0
    if (this.#buffer.length <= BODY_GATHERED_FREE_BYTES) return
    this.#buffer = Buffer.alloc(0)
    this.#share.giveBack()
  }

  [Symbol.dispose](): void {
    this.#share.giveBack()
  }
}

export async function readBytes(body: IncomingMessage, sizeBytesMax: number): Promise<Buffer> {
  return gather(passChunks(body, sizeBytesMax))
}

/** The whole; the chunks know their limit. */
export async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  using gathered = new Gathered()
  for await (const chunk of chunks) gathered.add(chunk)
  return gathered.bytes()
}

/** A JSON body of that shape. An empty body counts as `{}`. */
export async function readJson<T>(
  body: IncomingMessage,
  schema: ZodType<T>,
  sizeBytesMax = JSON_BODY_MAX_BYTES,
): Promise<T> {
  const text = decodeUtf8(await readBytes(body, sizeBytesMax))
  let value: unknown = {}
  try {
    if (text.trim() !== '') value = JSON.parse(text)
  } catch (cause) {
    throw new HubError('BadRequest', 'The body is not valid JSON', { cause })
  }
  if (depthOfJson(text) > JSON_DEPTH_MAX)
    throw new HubError('BadRequest', `The body is nested deeper than ${JSON_DEPTH_MAX} levels`)
  return checkShape(schema, value)
}

/** Form or JSON: Python sends `paths-info` as a form, JS as JSON (clients.md §0.10). */
export async function readFormOrJson<T>(
  body: IncomingMessage,
  schema: ZodType<T>,
  lists: readonly string[],
): Promise<T> {
  if (!/^application\/x-www-form-urlencoded/i.test(body.headers['content-type'] ?? ''))
    return readJson(body, schema)
  const form = new URLSearchParams(decodeUtf8(await readBytes(body, JSON_BODY_MAX_BYTES)))
  const value: Record<string, unknown> = {}
  for (const key of new Set(form.keys())) value[key] = lists.includes(key) ? form.getAll(key) : form.get(key)
  return checkShape(schema, value)
}

export function checkShape<T>(schema: ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const where = issue === undefined || issue.path.length === 0 ? '' : `${issue.path.map(String).join('.')}: `
  throw new HubError('BadRequest', `${where}${issue?.message ?? 'invalid body'}`.slice(0, 500))
}

/** A long line takes tens of milliseconds to read, so of all requests only one such is read between two looks at the others. */
let turns: Promise<void> = Promise.resolve()

function turn(): Promise<void> {
  return (turns = turns.then(() => pause()))
}

/** Lines of at most `lineMaxBytes`; the last one needs no newline. Blank lines are skipped, up to a limit. */
export async function* readLines(
  body: IncomingMessage,
  limits: { bodyMaxBytes: number; lineMaxBytes: number },
): AsyncGenerator<{ text: string; number: number }> {
  using gathered = new Gathered()
  let number = 0
  let blank = 0
  const take = (): { text: string; number: number } | null => {
    const text = decodeUtf8(gathered.bytes())
    gathered.clear()
    number += 1
    if (text.trim() !== '') return { text, number }
    blank += 1
    if (blank > BLANK_LINES_MAX)
      throw new HubError('TooLarge', `More than ${BLANK_LINES_MAX} lines are blank`)
    return null
  }
  for await (const chunk of passChunks(body, limits.bodyMaxBytes)) {
    let start = 0
    while (start < chunk.length) {
      const newline = chunk.indexOf(10, start)
      const end = newline === -1 ? chunk.length : newline
      if (gathered.sizeBytes + end - start > limits.lineMaxBytes)
        throw new HubError(
          'TooLarge',
          `Line ${number + 1} has more than ${limits.lineMaxBytes} bytes: upload large files with LFS or Xet`,
        )
      gathered.add(chunk.subarray(start, end))
      start = end + 1
      if (newline === -1) break
      if (gathered.sizeBytes > LINE_AT_ONCE_MAX_BYTES) await turn()
      const line = take()
      if (line !== null) yield line
    }
  }
  const line = take()
  if (line !== null) yield line
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (cause) {
    throw new HubError('BadRequest', 'The body is not valid UTF-8', { cause })
  }
}

function tooLarge(sizeBytesMax: number): HubError {
  return new HubError('TooLarge', `The body has more than ${sizeBytesMax} bytes`)
}
