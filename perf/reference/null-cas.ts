/**
 * The CAS half of a server that believes everything: xorbs and shards are written and synced as they come, under their
 * own names, and nothing is parsed, hashed or refused.
 */
import { randomUUID } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'

export interface Answer {
  status?: number
  type?: string
  body: string
}

const WRITE_BYTES = 1 << 20

/** Null for what is no address of a CAS. */
export async function answerCas(
  request: IncomingMessage,
  path: string,
  folder: string,
): Promise<Answer | null> {
  const xorb = /\/xorbs?\/[^/]+\/([0-9a-f]{64})$/.exec(path)?.[1]
  if (request.method === 'POST' && xorb !== undefined) {
    await keep(request, join(folder, xorb))
    return { body: '{"was_inserted":true}' }
  }
  if (request.method === 'POST' && path.endsWith('/shards')) {
    await keep(request, join(folder, `shard-${randomUUID()}`))
    if (path.endsWith('/v2/shards'))
      return { type: 'application/x-ndjson', body: '{"type":"result","result":1}\n' }
    return { body: '{"result":1}' }
  }
  // Nobody else has any chunk.
  if (/\/chunks\//.test(path)) return { status: 404, body: '{}' }
  return null
}

async function keep(request: IncomingMessage, path: string): Promise<void> {
  await using file = await open(path, 'w')
  let gathered: Buffer[] = []
  let gatheredBytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    gathered.push(chunk)
    gatheredBytes += chunk.length
    if (gatheredBytes < WRITE_BYTES) continue
    await file.writev(gathered)
    gathered = []
    gatheredBytes = 0
  }
  if (gatheredBytes > 0) await file.writev(gathered)
  await file.sync()
}
