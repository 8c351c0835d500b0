/**
 * The best loop that was found for taking a file: gather 1 MiB, hash it while the `writev` before it runs, sync at the
 * end. It checks nothing and keeps nothing. Arguments: the folder to write into.
 */
import { createHash } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

const GATHER_BYTES = 1 << 20
const folder = process.argv[2] ?? ''
let count = 0

const server = createServer((request, response) => {
  void (async () => {
    const path = join(folder, `upload-${(count += 1)}`)
    await using file = await open(path, 'w')
    const hash = createHash('sha256')
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
    response.end(hash.digest('hex'))
    await rm(path)
  })()
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port} `)
})
