/** Bodies of git's own requests: with or without a length, with or without gzip, never more than a limit. */
import type { IncomingMessage } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'

import { HubError } from '@cairn/protocol/errors'

import { INFLATED_BODY_MAX_BYTES } from '../limits.ts'
import { readChunks } from './body.ts'

/**
 * Chunks of the body, inflated, at most `sizeBytesMax` in all. git compresses lists of what it wants and has, never
 * packs; so what was compressed has a lower limit.
 */
export function gitBody(
  body: IncomingMessage,
  type: string,
  sizeBytesMax: number,
): AsyncIterable<Uint8Array> {
  if (body.headers['content-type'] !== type)
    throw new HubError('UnsupportedMediaType', `The Content-Type is not ${type}`)
  const encoding = body.headers['content-encoding'] ?? 'identity'
  if (encoding === 'identity') return readChunks(body, sizeBytesMax)
  if (encoding !== 'gzip' && encoding !== 'x-gzip')
    throw new HubError('UnsupportedMediaType', 'The Content-Encoding is neither gzip nor none')
  const inflatedMaxBytes = Math.min(sizeBytesMax, INFLATED_BODY_MAX_BYTES)
  return inflate(readChunks(body, inflatedMaxBytes), inflatedMaxBytes)
}

async function* inflate(chunks: AsyncIterable<Uint8Array>, sizeBytesMax: number): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip()
  const ended = pipeline(chunks, gunzip)
  // Told below, where the output ends early because of it.
  ended.catch(() => {})
  let total = 0
  try {
    for await (const chunk of gunzip as AsyncIterable<Buffer>) {
      total += chunk.length
      if (total > sizeBytesMax)
        throw new HubError('TooLarge', `The body has more than ${sizeBytesMax} bytes when it is inflated`)
      yield chunk
    }
    await ended
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_'))
      throw new HubError('BadRequest', 'The body is not valid gzip', { cause: error })
    throw error
  } finally {
    gunzip.destroy()
  }
}
