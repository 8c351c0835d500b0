/** The least that a Node server can do: `node:http` and one prepared answer, read from the file that is named. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PreparedAnswer {
  headers: Record<string, string>
  /** Base64. */
  body: string
}

const answer = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as PreparedAnswer
const body = Buffer.from(answer.body, 'base64')
const server = createServer((request, response) => {
  response.writeHead(200, answer.headers)
  response.end(request.method === 'HEAD' ? undefined : body)
})
server.listen(0, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port} `)
})
