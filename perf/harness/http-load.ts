/**
 * Load on one address over kept connections. It counts bytes instead of parsing, since every answer has as many as the
 * first: so it costs less than the servers that it measures, and HEAD works, for which wrk waits in vain.
 */
import { connect, type Socket } from 'node:net'

export interface LoadOptions {
  method: 'GET' | 'HEAD'
  headers: Readonly<Record<string, string>>
  connections: number
  durationMs: number
}

const STATUS = 'HTTP/1.1 200 '
const HEAD_END = '\r\n\r\n'

/** Answers a second. Throws at the first one that is not a 200 of the expected length. */
export async function requestsPerSecond(url: string, options: LoadOptions): Promise<number> {
  const { host, hostname, port, pathname, search } = new URL(url)
  const lines = Object.entries(options.headers).map(([name, value]) => `${name}: ${value}\r\n`)
  const request = Buffer.from(
    `${options.method} ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\n${lines.join('')}\r\n`,
  )
  let answered = 0
  let done = false
  let answerBytes = 0
  const run = (socket: Socket) =>
    new Promise<void>((resolve, reject) => {
      let received = 0
      let head = ''
      socket.on('error', reject)
      socket.on('close', () => (done ? resolve() : reject(new Error(`${url}: the connection was closed`))))
      socket.on('data', (chunk: Buffer) => {
        if (received === 0 && chunk.toString('latin1', 0, STATUS.length) !== STATUS)
          return reject(new Error(`${url}: ${chunk.toString('latin1', 0, 200)}`))
        received += chunk.length
        if (answerBytes === 0) {
          head += chunk.toString('latin1')
          answerBytes = lengthOf(head, options.method)
        }
        if (answerBytes === 0 || received < answerBytes) return
        if (received > answerBytes) return reject(new Error(`${url}: an answer of another length`))
        received = 0
        answered += 1
        if (done) socket.end()
        else socket.write(request)
      })
      socket.write(request)
    })
  const sockets = Array.from({ length: options.connections }, () =>
    connect({ host: hostname, port: Number(port), noDelay: true }),
  )
  const started = performance.now()
  const timer = setTimeout(() => (done = true), options.durationMs)
  try {
    await Promise.all(sockets.map(run))
  } finally {
    clearTimeout(timer)
    for (const socket of sockets) socket.destroy()
  }
  return answered / ((performance.now() - started) / 1000)
}

/** Bytes of the whole answer, or 0 while its head is not complete. */
function lengthOf(head: string, method: LoadOptions['method']): number {
  const end = head.indexOf(HEAD_END)
  if (end === -1) return 0
  const length = /^content-length: (\d+)/im.exec(head.slice(0, end))?.[1]
  if (length === undefined) throw new Error('An answer without Content-Length')
  return end + HEAD_END.length + (method === 'HEAD' ? 0 : Number(length))
}
