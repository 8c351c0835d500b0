/**
 * Requests in, responses out. The order is: the path is normalised (registry prefix, `/models/` alias) before routing
 * → request id and browser headers → route → gate.ts (principal, limits) → registry → the route's function → respond. Every error, also
 * of an unknown route, passes errors.ts.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

import { HubError } from '@cairn/protocol/errors'
import { REPO_TYPES, type RepoType } from '@cairn/protocol/repo-id'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'

import { KEEP_ALIVE_MS, LOGGED_PATH_MAX_CHARS, REQUEST_ID_MAX_CHARS, URL_MAX_BYTES } from '../limits.ts'
import { RepoMovedError, repoNotFound, type Principal } from '../ops/access.ts'
import type { AdminDeps } from '../ops/admin.ts'
import type { Log, OpsContext } from '../ops/context.ts'
import { registryFor } from '../ops/locate.ts'
import type { RateLimits } from '../ops/rate-limits.ts'
import { requestIds } from '../ops/request-id.ts'
import type { Tally } from '../ops/traffic.ts'
import { credentialOf } from './auth.ts'
import { BROWSER_HEADERS, PREFLIGHT_HEADERS } from './browser-headers.ts'
import { guardAnswer, guardServer, hostOf, isBodyLeft, refuseConnection } from './connections.ts'
import { errorReply, type ErrorDialect } from './errors.ts'
import { countTowards, familyOf } from './family.ts'
import { openGate, type Gate } from './gate.ts'
import { movedReply } from './moved.ts'
import { parseQuery } from './query.ts'
import type { Headers, Reply } from './reply.ts'
import { respond } from './respond.ts'
import type { Call } from './route.ts'
import { routes } from './routes/index.ts'
import {
  bareRepoName,
  clientAddress,
  routePath,
  siteOf,
  type IncomingAddress,
  type RoutedPath,
} from './urls.ts'

export interface AppOptions {
  publicUrl: string | null
  isTrustedPeer: (peer: string | undefined) => boolean
  rateLimits: RateLimits
  /** A line for each of them: who reads none need not pay for it. */
  logRequests: boolean
}

/** What the path said before routing, on the raw request, which Fastify hands through. A WeakMap cost 2 µs a request. */
const ROUTED = Symbol('routed')
type RoutedRequest = IncomingMessage & { [ROUTED]?: RoutedPath }

export function createApp(ops: OpsContext, admin: AdminDeps, options: AppOptions): FastifyInstance {
  const gate = openGate(ops, options.rateLimits, options.isTrustedPeer)
  const publicPath = options.publicUrl === null ? '' : new URL(options.publicUrl).pathname.replace(/\/$/, '')
  const { logRequests } = options
  const elsewhere: Answering = { log: ops.log, logRequests, tally: ops.traffic.of('none'), dialect: 'hub' }
  const app = Fastify({
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    // Node's own refusal has no code; a request without a Host is refused in urls.ts.
    http: { requireHostHeader: false },
    clientErrorHandler: (error, socket) => refuseConnection(error, socket as Socket, ops.log),
    bodyLimit: Number.MAX_SAFE_INTEGER,
    routerOptions: { maxParamLength: URL_MAX_BYTES, ignoreTrailingSlash: true },
    rewriteUrl(request) {
      const isStripped =
        request.headers['x-forwarded-prefix'] !== undefined &&
        options.isTrustedPeer(request.socket.remoteAddress)
      const path = routePath(request.url ?? '/', isStripped ? '' : publicPath)
      ;(request as unknown as RoutedRequest)[ROUTED] = path
      return path.url
    },
    frameworkErrors: (error, request, reply) => {
      // The router could not make sense of the path: a malformed escape.
      void answer(elsewhere, request, reply, () => Promise.reject(new HubError('BadRequest', error.message)))
    },
  })
  guardServer(app.server, ops.log)
  // Bodies are read by the routes, each with its own limit; clients send them without any Content-Type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  for (const route of routes) {
    const tally = ops.traffic.of(familyOf(route.path))
    for (const pattern of expand(route.path)) {
      const answering: Answering = { log: ops.log, logRequests, tally, dialect: pattern.dialect }
      app.route({
        method: route.method,
        url: pattern.path,
        handler: (request, reply) =>
          answer(answering, request, reply, async (requestId, headers) => {
            const visitor = await admit(gate, options, request, headers, route.ownCredential)
            const call = await openCall(
              { ops, admin },
              options,
              visitor,
              request,
              reply.raw,
              requestId,
              pattern,
            )
            try {
              return await route.handle(call)
            } catch (error) {
              if (error instanceof RepoMovedError) return movedReply(call, pattern.path, error)
              throw error
            }
          }),
      })
    }
  }
  app.options('*', async (request, reply) => {
    reply.hijack()
    const requestId = requestIdOf(request.raw)
    const headers = { 'X-Request-Id': requestId, ...BROWSER_HEADERS, ...PREFLIGHT_HEADERS }
    reply.raw.writeHead(204, headers).end()
    elsewhere.tally.count('OPTIONS', 204, 0)
  })
  app.setNotFoundHandler((request, reply) =>
    answer({ ...elsewhere, dialect: dialectOf(request.url) }, request, reply, async (_, headers) => {
      const name = bareRepoName(request.url)
      // Repositories without a namespace are the Hub's oldest ones; here there are none.
      if (name !== null) throw repoNotFound((await admit(gate, options, request, headers)).principal, name)
      // Nobody is asked for here: the credential may be a CAS token, and hf_xet tries routes that we don't have.
      throw new HubError(
        'NotFound',
        `There is no ${request.method} ${request.url.split('?')[0]?.slice(0, 200)}`,
      )
    }),
  )
  app.setErrorHandler((error, request, reply) =>
    answer(elsewhere, request, reply, () => Promise.reject(error)),
  )
  return app
}

/** What all answers of a route have in common. */
interface Answering {
  log: Log
  logRequests: boolean
  tally: Tally
  dialect: ErrorDialect
}

/** `headers` are those of the answer whatever it will be; the handler may add to them. */
type Handler = (requestId: string, headers: Headers) => Promise<Reply>

/** Runs a handler and sends its reply or its error. Takes the response out of Fastify's hands. */
async function answer(
  answering: Answering,
  request: FastifyRequest,
  reply: FastifyReply,
  handle: Handler,
): Promise<void> {
  reply.hijack()
  const requestId = requestIdOf(request.raw)
  const { tally } = answering
  const { method } = request.raw
  const since = performance.now()
  countTowards(request.raw, tally)
  tally.open += 1
  try {
    await requestIds.run(requestId, () => answerAs(requestId, answering, request, reply.raw, handle))
  } finally {
    tally.open -= 1
    const ms = performance.now() - since
    const status = reply.raw.writableEnded ? reply.raw.statusCode : 0
    tally.count(method, status, ms)
    // Without the query, which may hold a signature.
    if (answering.logRequests) {
      const path = (request.raw.url ?? '').split('?', 1)[0]?.slice(0, LOGGED_PATH_MAX_CHARS)
      const from = request.raw.socket.remoteAddress
      answering.log.info({ requestId, method, path, status, ms: Math.round(ms), from }, 'request')
    }
  }
}

async function answerAs(
  requestId: string,
  { log, dialect }: Answering,
  request: FastifyRequest,
  response: ServerResponse,
  handle: Handler,
): Promise<void> {
  const turn = guardAnswer(request.raw, response)
  const headers: Headers = { 'X-Request-Id': requestId, ...BROWSER_HEADERS }
  const head = request.raw.method === 'HEAD'
  try {
    if (turn !== null) await turn
    // Whoever went away while others had their turn wants nothing any more.
    if (response.destroyed) return
    const done = await handle(requestId, headers)
    if (isBodyLeft(request.raw)) headers['Connection'] = 'close'
    await respond(response, done, headers, head)
  } catch (error) {
    if (response.destroyed) return
    const failure = errorReply(error, dialect, requestId, log)
    if (response.headersSent) {
      // Part of a body is out. Cutting the connection is the only way to say that the rest will not follow.
      response.destroy()
      return
    }
    if (isBodyLeft(request.raw)) headers['Connection'] = 'close'
    await respond(response, failure, headers, head)
  }
}

interface Visitor {
  principal: Principal
  client: Call['client']
}

/** The one place where requests are let in, counted or refused. */
async function admit(
  gate: Gate,
  options: AppOptions,
  { raw }: FastifyRequest,
  headers: Headers,
  ownCredential = false,
): Promise<Visitor> {
  const { remoteAddress } = raw.socket
  const forwardedFor = raw.headers['x-forwarded-for']
  const address = clientAddress(
    remoteAddress,
    Array.isArray(forwardedFor) ? forwardedFor.join() : forwardedFor,
    options.isTrustedPeer,
  )
  const visit = {
    url: (raw as RoutedRequest)[ROUTED]?.url ?? raw.url ?? '/',
    address,
    credential: credentialOf(raw.headers.authorization),
    ownCredential,
  }
  const principal = await gate.admit(visit, headers)
  return { principal, client: { address, userAgent: raw.headers['user-agent'] ?? '' } }
}

async function openCall(
  { ops, admin }: { ops: OpsContext; admin: AdminDeps },
  options: AppOptions,
  { principal, client }: Visitor,
  request: FastifyRequest,
  response: ServerResponse,
  requestId: string,
  pattern: Pattern,
): Promise<Call> {
  const raw = request.raw
  const path = (raw as RoutedRequest)[ROUTED] ?? { url: raw.url ?? '/', registry: null }
  const registry = await registryFor(ops, path.registry)
  const prefix = registry.orgName === null ? '' : `/${registry.orgName}/${registry.slug}/huggingface`
  const site = siteOf(
    options.publicUrl,
    {
      host: hostOf(raw),
      encrypted: 'encrypted' in raw.socket,
      forwarded: options.isTrustedPeer(raw.socket.remoteAddress) ? forwardedOf(raw) : null,
    },
    prefix,
  )
  const params = request.params as Record<string, string>
  const question = path.url.indexOf('?')
  return {
    ops,
    admin,
    principal,
    site,
    registry,
    requestId,
    method: raw.method ?? 'GET',
    url: path.url,
    query: parseQuery(question === -1 ? '' : path.url.slice(question + 1)),
    params,
    headers: raw.headers,
    client,
    body: raw,
    repo: {
      registry,
      type: pattern.type ?? 'model',
      namespace: params['namespace'] ?? '',
      name: (params['name'] ?? '').replace(/\.git$/i, ''),
    },
    rest: restOf(pattern, path.url),
    signal: () => goneSignal(response),
  }
}

function forwardedOf({ headers }: IncomingMessage): NonNullable<IncomingAddress['forwarded']> {
  const first = (name: string) => [headers[name]].flat()[0]
  return {
    proto: first('x-forwarded-proto'),
    host: first('x-forwarded-host'),
    prefix: first('x-forwarded-prefix'),
  }
}

/** Made for who asks only: an abort costs 5 µs, and most answers are out before anybody could go away. */
function goneSignal(response: ServerResponse): AbortSignal {
  const abort = new AbortController()
  if (response.destroyed) abort.abort()
  else response.once('close', () => abort.abort())
  return abort.signal
}

/** The segments that `*` matched, still encoded: in Fastify's own value `%2F` is decoded and lost. */
function restOf({ fixed }: Pattern, url: string): string[] {
  if (fixed === null) return []
  return (url.split('?', 1)[0] ?? '').split('/').slice(fixed)
}

const REPO_PATTERNS: Record<'api' | 'web', (type: RepoType) => string> = {
  api: (type) => `/api/${type}s/:namespace/:name`,
  web: (type) => (type === 'model' ? '/:namespace/:name' : `/${type}s/:namespace/:name`),
}

/** An address as Fastify knows it, and what follows from it for every request. */
interface Pattern {
  path: string
  type: RepoType | null
  dialect: ErrorDialect
  /** Segments before the `*`, or null where there is none. */
  fixed: number | null
}

function expand(path: string): Pattern[] {
  const kind = path.startsWith('{api}') ? 'api' : path.startsWith('{web}') ? 'web' : null
  if (kind === null) return [patternOf(path, null)]
  return REPO_TYPES.map((type) => patternOf(REPO_PATTERNS[kind](type) + path.slice('{api}'.length), type))
}

function patternOf(path: string, type: RepoType | null): Pattern {
  const fixed = path.endsWith('/*') ? path.split('/').length - 1 : null
  return { path, type, dialect: dialectOf(path), fixed }
}

/** `path`: a route's pattern, or an address that no route has. */
function dialectOf(path: string): ErrorDialect {
  if (path.startsWith('/v2/')) return 'oci'
  if (path.includes('/info/lfs/')) return 'lfs'
  return /\/(info\/refs|git-upload-pack|git-receive-pack|HEAD|objects\/\*)$/.test(path) ? 'git' : 'hub'
}

/** hub-api.md §1.3: the caller's own id verbatim, else one that contains its trace id. */
function requestIdOf(request: IncomingMessage): string {
  const own = request.headers['x-request-id']
  const trace = request.headers['x-amzn-trace-id']
  const usable = (id: unknown): id is string =>
    typeof id === 'string' && id.length <= REQUEST_ID_MAX_CHARS && /^[\x21-\x7e]+$/.test(id)
  if (usable(own)) return own
  return usable(trace) ? `Root=${trace}` : randomUUID()
}
