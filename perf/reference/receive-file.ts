/**
 * The best loop that was found for taking a file: gather 1 MiB, hash it while the `writev` before it runs, sync at the
 * end.
 */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'

const GATHER_BYTES = 1 << 20

/** Resolves with the sha256 of the body, which is on disk then. */
export async function receiveFile(request: IncomingMessage, path: string): Promise<string> {
  const hash = createHash('sha256')
  {
    await using file = await open(path, 'w')
    let gathered: Buffer[] = []
    let gatheredBytes = 0
    let writing: Promise<unknown> = Promise.resolve()
    const flush = async () => {
      await writing
      const chunks = gathered
      gathered = []
      gatheredBytes = 0
      writing = file.writev(chunks)
      for (const chunk of chunks) hash.update(chunk)
    }
    for await (const chunk of request as AsyncIterable<Buffer>) {
      gathered.push(chunk)
      gatheredBytes += chunk.length
      if (gatheredBytes >= GATHER_BYTES) await flush()
    }
    if (gatheredBytes > 0) await flush()
    await writing
    await file.sync()
  }
  return hash.digest('hex')
}
