/**
 * A server that answers from memory what a hub has answered before, byte for byte. What it has not heard yet it asks the
 * hub once. Argument: the hub's address, which gives way to its own wherever an answer names it.
 */
import { createServer, request as send, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Answer {
  status: number
  headers: [string, string | string[]][]
  body: Buffer
}

const hub = new URL(process.argv[2] ?? '')
const answers = new Map<string, Answer>()
/** Of a connection, not of an answer. */
const PASSING = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length', 'date'])
const TEXT = /json|text/

const server = createServer((request, response) => {
  void (async () => {
    const { method = 'GET', url = '/' } = request
    const key = `${method} ${url} ${request.headers.range ?? ''}`
    let answer = answers.get(key)
    if (answer === undefined) answers.set(key, (answer = await askHub(request)))
    for (const [name, value] of answer.headers) response.setHeader(name, value)
    if (method !== 'HEAD') response.setHeader('Content-Length', answer.body.length)
    response.writeHead(answer.status).end(answer.body)
  })()
})
server.listen(0, '127.0.0.1', () => console.log(`${base()} `))

function base(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function askHub(request: IncomingMessage): Promise<Answer> {
  const headers = { ...request.headers, host: hub.host }
  const asked = send(new URL(request.url ?? '/', hub), { method: request.method ?? 'GET', headers })
  request.pipe(asked)
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    asked.once('response', resolve).once('error', reject)
  })
  const body = Buffer.concat(await answer.toArray())
  const moved = (text: string): string => text.replaceAll(hub.origin, base())
  return {
    status: answer.statusCode ?? 500,
    headers: Object.entries(answer.headers).flatMap(([name, value]): Answer['headers'] =>
      value === undefined || (PASSING.has(name) && !(name === 'content-length' && request.method === 'HEAD'))
        ? []
        : [[name, Array.isArray(value) ? value : moved(value)]],
    ),
    body: TEXT.test(answer.headers['content-type'] ?? '') ? Buffer.from(moved(body.toString())) : body,
  }
}
