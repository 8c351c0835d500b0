/**
 * As much of an LFS server as `git lfs push` needs: a batch that has nothing yet, and a PUT that hashes, writes and
 * syncs, and refuses a content with another sha256. Arguments: the folder to write into.
 */
import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

import { receiveFile } from './receive-file.ts'

const folder = process.argv[2] ?? ''
const LFS = 'application/vnd.git-lfs+json'

const server = createServer((request, response) => {
  void (async () => {
    const path = request.url ?? '/'
    const oid = /^\/put\/([0-9a-f]{64})$/.exec(path)?.[1]
    if (oid !== undefined) {
      const file = join(folder, oid)
      const found = await receiveFile(request, file)
      await rm(file)
      response.writeHead(found === oid ? 200 : 422).end()
    } else if (path.endsWith('/objects/batch')) {
      const { objects } = JSON.parse(await textOf(request)) as { objects: { oid: string; size: number }[] }
      const href = (one: string) => `http://${request.headers.host}/put/${one}`
      const answer = objects.map((one) => ({ ...one, actions: { upload: { href: href(one.oid) } } }))
      response.writeHead(200, { 'Content-Type': LFS })
      response.end(JSON.stringify({ transfer: 'basic', objects: answer }))
    } else {
      response.writeHead(404, { 'Content-Type': LFS }).end('{"message":"not found"}')
    }
  })()
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port} `)
})

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
