/** Request bodies: bounded, and given up when they trickle. Nothing is collected before its limit is known. */
import type { IncomingMessage } from 'node:http'

import { HubError } from '@cairn/protocol/errors'
import type { ZodType } from 'zod'

import {
  BLANK_LINES_MAX,
  BODY_STALL_MS,
  BODY_THROUGHPUT_MIN_BYTES_PER_S,
  JSON_BODY_MAX_BYTES,
} from '../limits.ts'

/** Chunks of a body, at most `sizeBytesMax` in all. */
export async function* readChunks(body: IncomingMessage, sizeBytesMax: number): AsyncGenerator<Uint8Array> {
  const declared = body.headers['content-length']
  if (declared !== undefined && Number(declared) > sizeBytesMax) throw tooLarge(sizeBytesMax)
  let total = 0
  let windowBytes = 0
  const minimum = (BODY_THROUGHPUT_MIN_BYTES_PER_S * BODY_STALL_MS) / 1000
  let stalled = false
  const guard = setInterval(() => {
    if (windowBytes < minimum && !body.isPaused()) {
      stalled = true
      body.destroy(new HubError('RequestTimeout', 'The body arrives too slowly'))
    }
    windowBytes = 0
  }, BODY_STALL_MS)
  guard.unref()
  try {
    // Leaving early must not destroy the connection: the refusal has yet to be sent on it.
    for await (const chunk of body.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      total += chunk.length
      windowBytes += chunk.length
      if (total > sizeBytesMax) throw tooLarge(sizeBytesMax)
      yield chunk
      // While the consumer is busy the client waits for us, which is not its fault.
      windowBytes += minimum
    }
    if (declared !== undefined && total !== Number(declared))
      throw new HubError('BadRequest', 'The body ended early')
  } catch (error) {
    if (stalled) throw new HubError('RequestTimeout', 'The body arrives too slowly', { cause: error })
    if (error instanceof Error && 'code' in error && error.code === 'ECONNRESET')
      throw new HubError('BadRequest', 'The body ended early', { cause: error })
    throw error
  } finally {
    clearInterval(guard)
  }
}

/**
 * Bytes gathered by copying. A list of chunks would be cheaper, but a client that sends chunks of one byte makes it
 * hold an object of some hundred bytes for each.
 */
class Gathered {
  sizeBytes = 0
  #buffer = Buffer.alloc(0)

  add(bytes: Uint8Array): void {
    const end = this.sizeBytes + bytes.length
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(end, 2 * this.#buffer.length))
      grown.set(this.#buffer.subarray(0, this.sizeBytes))
      this.#buffer = grown
    }
    this.#buffer.set(bytes, this.sizeBytes)
    this.sizeBytes = end
  }

  /** Gives the bytes away and begins anew. */
  take(): Buffer {
    const bytes = this.#buffer.subarray(0, this.sizeBytes)
    this.#buffer = Buffer.alloc(0)
    this.sizeBytes = 0
    return bytes
  }
}

export async function readBytes(body: IncomingMessage, sizeBytesMax: number): Promise<Buffer> {
  return gather(readChunks(body, sizeBytesMax))
}

/** The whole; the chunks know their limit. */
export async function gather(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const gathered = new Gathered()
  for await (const chunk of chunks) gathered.add(chunk)
  return gathered.take()
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

/** Lines of at most `lineMaxBytes`; the last one needs no newline. Blank lines are skipped, up to a limit. */
export async function* readLines(
  body: IncomingMessage,
  limits: { bodyMaxBytes: number; lineMaxBytes: number },
): AsyncGenerator<{ text: string; number: number }> {
  const gathered = new Gathered()
  let number = 0
  let blank = 0
  const take = (): { text: string; number: number } | null => {
    const text = decodeUtf8(gathered.take())
    number += 1
    if (text.trim() !== '') return { text, number }
    blank += 1
    if (blank > BLANK_LINES_MAX)
      throw new HubError('TooLarge', `More than ${BLANK_LINES_MAX} lines are blank`)
    return null
  }
  for await (const chunk of readChunks(body, limits.bodyMaxBytes)) {
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
