/** A PUT of one file, hashed, written, synced, and then removed. Arguments: the folder to write into. */
import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { receiveFile } from './receive-file.ts'

const folder = process.argv[2] ?? ''
let count = 0

const server = createServer((request, response) => {
  void (async () => {
    const path = join(folder, `upload-${(count += 1)}`)
    response.end(await receiveFile(request, path))
    await rm(path)
  })()
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port} `)
})
