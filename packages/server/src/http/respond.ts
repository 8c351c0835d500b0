/** Writes replies. Streams go out with one write in flight, which is what keeps the store's buffers reusable. */
import type { ServerResponse } from 'node:http'
import { setImmediate as pause } from 'node:timers/promises'

import { JSON_WHOLE_MAX_LENGTH, STREAM_IDLE_MS } from '../limits.ts'
import { notePassed } from './chunk-memory.ts'
import { countSent } from './family.ts'
import type { Headers, Reply } from './reply.ts'

/** `common`: headers that do not depend on the reply. */
export async function respond(
  response: ServerResponse,
  reply: Reply,
  common: Readonly<Headers>,
  head: boolean,
): Promise<void> {
  if (reply.jsonSlices !== undefined) {
    await respondInSlices(response, reply, reply.jsonSlices, common, head)
    return
  }
  const status = reply.status ?? 200
  const headers: Headers = { ...common, ...reply.headers }
  const begin = () => response.writeHead(status, headers)
  if (reply.stream !== undefined) {
    // Ends what makes the stream, too: it listens to the end of the response.
    if (head) begin().end()
    else
      await send(
        response.setTimeout(STREAM_IDLE_MS, () => response.destroy()),
        begin,
        passing(reply.stream),
      )
    return
  }
  if (reply.content === undefined) {
    const body = bodyOf(reply)
    if (body !== null && body.type !== null) headers['Content-Type'] ??= body.type
    headers['Content-Length'] = body?.bytes.length ?? 0
    if (!head && body !== null) countSent(response.req, body.bytes.length)
    begin().end(head ? undefined : body?.bytes)
    return
  }
  const { source, range } = reply.content
  const sizeBytes = range === undefined ? source.sizeBytes : range.end - range.start + 1
  headers['Content-Length'] = sizeBytes
  if (head || sizeBytes === 0) {
    begin().end()
    return
  }
  await send(response, begin, await source.open(range))
}

/** A short text is sent whole, with its length; a longer one slice by slice, and others have their turn in between. */
async function respondInSlices(
  response: ServerResponse,
  reply: Reply,
  slices: Iterable<string>,
  common: Readonly<Headers>,
  head: boolean,
): Promise<void> {
  const iterator = slices[Symbol.iterator]()
  let text = ''
  let next = iterator.next()
  for (; !next.done && text.length <= JSON_WHOLE_MAX_LENGTH; next = iterator.next()) text += next.value
  const headers = { 'Content-Type': JSON_TYPE, ...reply.headers }
  const whole = { status: reply.status ?? 200, headers }
  if (next.done) return respond(response, { ...whole, text }, common, head)
  return respond(response, { ...whole, stream: encoded(text + next.value, iterator) }, common, head)
}

async function* encoded(begun: string, rest: Iterator<string>): AsyncGenerator<Uint8Array> {
  yield Buffer.from(begun)
  for (let next = rest.next(); !next.done; next = rest.next()) {
    await pause()
    yield Buffer.from(next.value)
  }
}

/** Chunks that nobody keeps once they are sent. */
async function* passing(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk
    notePassed(chunk)
  }
}

const JSON_TYPE = 'application/json; charset=utf-8'

function bodyOf(reply: Reply): { bytes: Uint8Array; type: string | null } | null {
  if (reply.json !== undefined) return { bytes: Buffer.from(JSON.stringify(reply.json)), type: JSON_TYPE }
  if (reply.text !== undefined) return { bytes: Buffer.from(reply.text), type: 'text/plain; charset=utf-8' }
  if (reply.bytes !== undefined) return { bytes: reply.bytes, type: null }
  return null
}

/**
 * Sends chunks, asking for the next one while the kernel still takes the last (see `BlobStore.read`). Returns when
 * all is handed over or the client is gone; throws what the source throws. `begin` writes the head, once there is a
 * first chunk: a source that has none fails with an answer of its own.
 */
async function send(
  response: ServerResponse,
  begin: () => unknown,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  let isWriting = false
  let wake = (): void => undefined
  // One listener for the whole; racing each write against a promise of the end would leave something behind each time.
  response.once('close', () => wake())
  const written = (error?: Error | null): void => {
    // A broken connection is the client's going away and no failure of ours.
    if (error) response.destroy()
    isWriting = false
    wake()
  }
  const idle = async (): Promise<void> => {
    if (isWriting && !response.destroyed) await new Promise<void>((resolve) => (wake = resolve))
  }
  for await (const chunk of chunks) {
    await idle()
    if (response.destroyed) return
    if (!response.headersSent) begin()
    isWriting = true
    countSent(response.req, chunk.length)
    response.write(chunk, written)
  }
  await idle()
  if (response.destroyed) return
  if (!response.headersSent) begin()
  response.end()
}
