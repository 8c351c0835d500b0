/**
 * What one connection may cost by being held open: a head that never ends, a body that nobody reads, an answer that
 * nobody takes, and bytes that are no HTTP. Bodies that a route reads are body.ts's.
 */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { HubError } from '@cairn/protocol/errors'

import {
  HEADERS_MS,
  RESPONSE_STALL_MS,
  UNREAD_BODY_DRAIN_MAX_BYTES,
  UNREAD_BODY_DRAIN_MS,
} from '../limits.ts'
import type { Log } from '../ops/context.ts'
import { errorReply } from './errors.ts'

/** The answers under way on a connection, in the order of their requests. */
const answering = new WeakMap<Socket, ServerResponse[]>()

function answersOf(socket: Socket): ServerResponse[] {
  const known = answering.get(socket)
  if (known !== undefined) return known
  const answers: ServerResponse[] = []
  answering.set(socket, answers)
  socket.once('close', () => {
    // Node tells the one whose turn it was; whoever makes another would wait for ever.
    for (const response of answers.filter((one) => one.socket === null)) {
      response.destroy()
      response.emit('close')
    }
  })
  return answers
}

export function guardServer(server: Server, log: Log): void {
  server.headersTimeout = HEADERS_MS
  // One timer for each connection, not for each request.
  server.setTimeout(RESPONSE_STALL_MS, (socket) => {
    // Nobody asks, or nobody takes. While nothing is written the client waits for us, and that is ours to take long.
    if (answersOf(socket).length === 0 || socket.writableLength > 0) socket.destroy()
    else socket.setTimeout(RESPONSE_STALL_MS)
  })
  // Without a listener Node answers these without a word, or not at all.
  server.on('connect', ({ socket }: IncomingMessage) =>
    refuse(socket, new HubError('MethodNotAllowed', 'This is no proxy'), log),
  )
  server.on('checkExpectation', ({ socket }: IncomingMessage) =>
    refuse(socket, new HubError('BadRequest', 'Only 100-continue can be expected', { status: 417 }), log),
  )
}

/**
 * Call before a request's answer is made. Not null for a request that came before the last one of its connection was
 * answered: it has to wait, since a thousand of them fit into one packet and each may open a file.
 */
export function guardAnswer(request: IncomingMessage, response: ServerResponse): Promise<unknown> | null {
  const { socket } = request
  const answers = answersOf(socket)
  const before = answers.at(-1)
  answers.push(response)
  response.once('close', () => {
    answers.splice(answers.indexOf(response), 1)
    if (!request.complete && !request.destroyed) drainRest(request)
  })
  return before === undefined ? null : once(before, 'close')
}

/** Node reads an unread body to its end to keep the connection; that is worth it only for a small rest. */
export function isBodyLeft({ complete, headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = headers
  if (complete || (length === undefined && encoding === undefined)) return false
  return Number(length ?? Infinity) > UNREAD_BODY_DRAIN_MAX_BYTES
}

/** Of two Hosts a proxy in front might have believed the other one. */
export function hostOf({ headers, rawHeaders }: IncomingMessage): string | undefined {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2)
    if (rawHeaders[at]?.length === 4 && rawHeaders[at]?.toLowerCase() === 'host') count += 1
  if (count > 1) throw new HubError('BadRequest', 'There is more than one Host header')
  return headers.host
}

/** The answer is out. What still comes of the body is thrown away, for a while. */
function drainRest(request: IncomingMessage): void {
  const timer = setTimeout(() => request.socket.destroy(), UNREAD_BODY_DRAIN_MS).unref()
  request.once('end', () => clearTimeout(timer)).once('close', () => clearTimeout(timer))
  request.resume()
}

/** For what is no request: the parser gave up, or the head took too long. */
export function refuseConnection(error: { code?: string }, socket: Socket, log: Log): void {
  if (error.code === 'ECONNRESET') socket.destroy()
  else refuse(socket, refusalOf(error), log)
}

function refusalOf({ code }: { code?: string }): HubError {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
    return new HubError('RequestTimeout', 'The head of the request arrives too slowly')
  if (code === 'HPE_HEADER_OVERFLOW')
    return new HubError('TooLarge', 'The head of the request is too large', { status: 431 })
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW')
    return new HubError('TooLarge', 'The body has too many chunk extensions')
  return new HubError('BadRequest', 'This is not a request of HTTP/1.1')
}

/** Answers past Node, which has no response for it, and ends the connection. */
function refuse(socket: Socket, error: HubError, log: Log): void {
  // Into the middle of an answer nothing can be written.
  if (!socket.writable || answersOf(socket).some(({ headersSent }) => headersSent)) {
    socket.destroy()
    return
  }
  const requestId = randomUUID()
  const { status = 500, headers = {}, json } = errorReply(error, 'hub', requestId, log)
  const body = JSON.stringify(json)
  const head = {
    ...headers,
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'X-Request-Id': requestId,
    Connection: 'close',
  }
  const lines = Object.entries(head).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('')}\r\n${body}`)
  socket.destroySoon()
}
