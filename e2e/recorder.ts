/**
 * A reverse proxy between a client and the hub that notes what crossed the wire. Host passes unchanged, so that
 * every absolute URL the hub builds leads back through here. It knows nothing of the Hub's API.
 */
import { Agent, createServer, request as sendRequest } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'

export interface Exchange {
  method: string
  /** As sent: percent-encoded, with the query string. */
  path: string
  /** 0 until the hub answered. */
  status: number
  requestBodySizeBytes: number
  responseBodySizeBytes: number
  /** The start of the answer's body when it was an error, for a failing test's report. */
  complaint: string
  /** The answer was not let through, or not to its end. */
  isLost: boolean
}

export interface Recorder extends AsyncDisposable {
  url: string
  /** What was exchanged since the last call. */
  take(): Exchange[]
  /** Cuts the client off from the answer to its next request of this kind, once the hub has given it. */
  loseAnswer(method: string, path: RegExp): void
  /** Cuts the client off in the middle of the next answer of this kind, behind so many bytes of its body. */
  cutAnswer(method: string, path: RegExp, behindBytes: number): void
  /** The last exchanges, one a line. */
  report(): string
}

const complaintMaxBytes = 1_000
const reportedExchanges = 40

export async function startRecorder(hubUrl: string): Promise<Recorder> {
  const target = new URL(hubUrl)
  const agent = new Agent({ keepAlive: true })
  const exchanges: Exchange[] = []
  let taken = 0
  const losing: { method: string; path: RegExp }[] = []
  const cutting: { method: string; path: RegExp; behindBytes: number }[] = []

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/', headers } = incoming
    const exchange: Exchange = {
      method,
      path,
      status: 0,
      requestBodySizeBytes: 0,
      responseBodySizeBytes: 0,
      complaint: '',
      isLost: false,
    }
    exchanges.push(exchange)
    const upstream = sendRequest({ host: target.hostname, port: target.port, agent, method, path, headers })
    const answered = new Promise<IncomingMessage>((resolve, reject) => {
      upstream.once('response', resolve)
      upstream.once('error', reject)
    })
    outgoing.once('close', () => {
      // A client that hangs up must look like one to the hub too.
      if (!outgoing.writableFinished) upstream.destroy()
    })
    const sent = pipeline(
      incoming,
      count((bytes) => (exchange.requestBodySizeBytes += bytes.length)),
      upstream,
    )
    // The hub may answer and hang up before it read a body that it refuses; its answer decides, not the write.
    sent.catch(() => {})
    const response = await answered
    exchange.status = response.statusCode ?? 0
    const lost = losing.findIndex((one) => one.method === method && one.path.test(path))
    if (lost !== -1) {
      losing.splice(lost, 1)
      exchange.isLost = true
      response.resume()
      outgoing.destroy()
      return
    }
    outgoing.writeHead(exchange.status, response.rawHeaders)
    const cut = cutting.findIndex((one) => one.method === method && one.path.test(path))
    if (cut !== -1) {
      const [{ behindBytes } = { behindBytes: 0 }] = cutting.splice(cut, 1)
      for await (const bytes of response as AsyncIterable<Buffer>) {
        const passed = bytes.subarray(0, behindBytes - exchange.responseBodySizeBytes)
        exchange.responseBodySizeBytes += passed.length
        await new Promise((resolve) => outgoing.write(passed, resolve))
        if (exchange.responseBodySizeBytes === behindBytes) break
      }
      exchange.isLost = true
      outgoing.destroy()
      return
    }
    await pipeline(
      response,
      count((bytes) => {
        exchange.responseBodySizeBytes += bytes.length
        if (exchange.status >= 400 && exchange.complaint.length < complaintMaxBytes)
          exchange.complaint += bytes.subarray(0, complaintMaxBytes).toString()
      }),
      outgoing,
    )
  }

  const server = createServer({ requestTimeout: 0 }, (incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the recorder has no port')

  return {
    url: `http://127.0.0.1:${address.port}`,
    take: () => exchanges.slice(taken, (taken = exchanges.length)),
    loseAnswer: (method, path) => void losing.push({ method, path }),
    cutAnswer: (method, path, behindBytes) => void cutting.push({ method, path, behindBytes }),
    report: () => exchanges.slice(-reportedExchanges).map(formatExchange).join('\n'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      agent.destroy()
    },
  }
}

/**
 * True for an exchange that carried a file's content to the client: anything read that is not the JSON API, which is
 * below `/api/` of the hub or of the registry at `prefix`.
 */
export function servedContent(exchange: Exchange, prefix = ''): boolean {
  const path = exchange.path.slice(prefix.length)
  const isApi = path.startsWith('/api/') && !path.startsWith('/api/resolve-cache/')
  return exchange.method === 'GET' && !isApi && exchange.responseBodySizeBytes > 0 && exchange.status < 300
}

export function formatExchange(exchange: Exchange): string {
  const { method, path, status, requestBodySizeBytes, responseBodySizeBytes, complaint } = exchange
  return `${method} ${path} > ${requestBodySizeBytes} B; ${status} < ${responseBodySizeBytes} B ${complaint}`
}

function count(note: (bytes: Buffer) => void): Transform {
  return new Transform({
    transform(bytes: Buffer, _encoding, done) {
      note(bytes)
      done(null, bytes)
    },
  })
}
