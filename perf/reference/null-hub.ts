/**
 * As much of a hub as `hf upload` of one large file needs: every repository exists, every file is new and large, every
 * commit succeeds. Argument: the folder to write into.
 */
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

import { answerCas, type Answer } from './null-cas.ts'

const folder = process.argv[2] ?? ''
const OID = '1'.repeat(40)
const HOUR_S = 3600
/** What clients ask for and do without. */
const OPTIONAL = /^\/api\/agent-harnesses$|\/xorb-grants\//

const server = createServer((request, response) => {
  void (async () => {
    const path = (request.url ?? '/').split('?')[0] ?? '/'
    const answer = path.startsWith('/cas/')
      ? await answerCas(request, path, folder)
      : await answerHub(path, await textOf(request))
    // Whoever changes the client's version learns here what it asks for now.
    if (answer === null && !OPTIONAL.test(path)) console.error(`no answer to ${request.method} ${path}`)
    const { status = 200, type = 'application/json', body } = answer ?? { status: 404, body: '{}' }
    response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) })
    response.end(body)
  })()
})
server.requestTimeout = 0
server.listen(0, '127.0.0.1', () => console.log(`${base()} `))

function base(): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function answerHub(path: string, body: string): Promise<Answer | null> {
  if (path === '/api/repos/create')
    return json({ url: `${base()}/alice/large`, name: 'alice/large', id: 'alice/large' })
  if (/\/preupload\//.test(path)) {
    const { files } = JSON.parse(body) as { files: { path: string }[] }
    return json({ files: files.map((file) => ({ path: file.path, uploadMode: 'lfs', shouldIgnore: false })) })
  }
  if (/\/xet-write-token\//.test(path))
    return json({
      accessToken: 'anything',
      exp: Math.floor(Date.now() / 1000) + HOUR_S,
      casUrl: `${base()}/cas`,
    })
  if (/\/commit\//.test(path))
    return json({
      success: true,
      commitOid: OID,
      commitUrl: `${base()}/alice/large/commit/${OID}`,
      hookOutput: '',
    })
  return null
}

function json(value: object): Answer {
  return { body: JSON.stringify(value) }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}
