/**
 * Requests in, responses out. The order is: the path is normalised (registry prefix, `/models/` alias) before routing
 * → request id and CORS headers → route → registry and principal → the route's function → respond. Every error, also
 * of an unknown route, passes errors.ts.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'

import { HubError } from '@cairn/protocol/errors'
import { REPO_TYPES, type RepoType } from '@cairn/protocol/repo-id'
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'

import { KEEP_ALIVE_MS, REQUEST_ID_MAX_CHARS, UNREAD_BODY_DRAIN_MAX_BYTES, URL_MAX_BYTES } from '../limits.ts'
import { RepoMovedError, repoNotFound } from '../ops/access.ts'
import type { AdminDeps } from '../ops/admin.ts'
import { authenticate } from '../ops/authenticate.ts'
import type { OpsContext } from '../ops/context.ts'
import { registryFor } from '../ops/locate.ts'
import { credentialOf } from './auth.ts'
import { errorReply, type ErrorDialect } from './errors.ts'
import { movedReply } from './moved.ts'
import { parseQuery } from './query.ts'
import { respond } from './respond.ts'
import type { Call, Route } from './route.ts'
import { routes } from './routes/index.ts'
import { bareRepoName, clientAddress, routePath, siteOf, type RoutedPath } from './urls.ts'

export interface AppOptions {
  publicUrl: string | null
  isTrustedPeer: (peer: string | undefined) => boolean
}

/** What the path said before routing; Fastify hands the raw request through. */
const routed = new WeakMap<IncomingMessage, RoutedPath>()

export function createApp(ops: OpsContext, admin: AdminDeps, options: AppOptions): FastifyInstance {
  const app = Fastify({
    keepAliveTimeout: KEEP_ALIVE_MS,
    requestTimeout: 0,
    bodyLimit: Number.MAX_SAFE_INTEGER,
    routerOptions: { maxParamLength: URL_MAX_BYTES, ignoreTrailingSlash: true },
    rewriteUrl(request) {
      const path = routePath(request.url ?? '/')
      routed.set(request as unknown as IncomingMessage, path)
      return path.url
    },
    frameworkErrors: (error, request, reply) => {
      // The router could not make sense of the path: a malformed escape.
      void answer(ops, request, reply, 'hub', () => Promise.reject(new HubError('BadRequest', error.message)))
    },
  })
  app.server.headersTimeout = KEEP_ALIVE_MS + 5_000
  // Bodies are read by the routes, each with its own limit; clients send them without any Content-Type.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  for (const route of routes)
    for (const { path, type } of expand(route.path))
      app.route({
        method: route.method,
        url: path,
        handler: (request, reply) =>
          answer(ops, request, reply, dialectOf(path), async (requestId, signal) => {
            const call = await openCall({ ops, admin }, options, request, requestId, signal, {
              route,
              path,
              type,
            })
            try {
              return await route.handle(call)
            } catch (error) {
              if (error instanceof RepoMovedError) return movedReply(call, path, error)
              throw error
            }
          }),
      })
  app.options('*', async (request, reply) => {
    reply.raw.setHeader('X-Request-Id', requestIdOf(request.raw))
    cors(reply.raw)
    reply.hijack()
    reply.raw.writeHead(204).end()
  })
  app.setNotFoundHandler((request, reply) =>
    answer(ops, request, reply, dialectOf(request.url), async () => {
      const name = bareRepoName(request.url)
      // Repositories without a namespace are the Hub's oldest ones; here there are none.
      if (name !== null)
        throw repoNotFound(await authenticate(ops, credentialOf(request.headers.authorization)), name)
      throw new HubError(
        'NotFound',
        `There is no ${request.method} ${request.url.split('?')[0]?.slice(0, 200)}`,
      )
    }),
  )
  app.setErrorHandler((error, request, reply) =>
    answer(ops, request, reply, 'hub', () => Promise.reject(error)),
  )
  return app
}

/** Runs a handler and sends its reply or its error. Takes the response out of Fastify's hands. */
async function answer(
  ops: OpsContext,
  request: FastifyRequest,
  reply: FastifyReply,
  dialect: ErrorDialect,
  handle: (requestId: string, signal: AbortSignal) => Promise<Parameters<typeof respond>[1]>,
): Promise<void> {
  reply.hijack()
  const response = reply.raw
  const requestId = requestIdOf(request.raw)
  const abort = new AbortController()
  response.once('close', () => abort.abort())
  response.setHeader('X-Request-Id', requestId)
  cors(response)
  const head = request.raw.method === 'HEAD'
  try {
    await respond(response, await handle(requestId, abort.signal), head)
  } catch (error) {
    if (abort.signal.aborted || response.destroyed) return
    const failure = errorReply(error, dialect, requestId, ops.log)
    if (response.headersSent) {
      // Part of a body is out. Cutting the connection is the only way to say that the rest will not follow.
      response.destroy()
      return
    }
    closeIfBodyIsLeft(request.raw, response)
    for (const name of response.getHeaderNames())
      if (/^(content-|etag)/i.test(name)) response.removeHeader(name)
    await respond(response, failure, head)
  }
}

/** Node reads an unread body to its end to keep the connection; that is worth it only for a small rest. */
function closeIfBodyIsLeft(request: IncomingMessage, response: ServerResponse): void {
  const declared = Number(request.headers['content-length'] ?? Infinity)
  const hasBody =
    request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined
  if (hasBody && !request.complete && declared > UNREAD_BODY_DRAIN_MAX_BYTES)
    response.setHeader('Connection', 'close')
}

async function openCall(
  { ops, admin }: { ops: OpsContext; admin: AdminDeps },
  options: AppOptions,
  request: FastifyRequest,
  requestId: string,
  signal: AbortSignal,
  pattern: { route: Route; path: string; type: RepoType | null },
): Promise<Call> {
  const raw = request.raw
  const path = routed.get(raw) ?? { url: raw.url ?? '/', registry: null }
  const registry = await registryFor(ops, path.registry)
  const trusted = options.isTrustedPeer(raw.socket.remoteAddress)
  const prefix = registry.orgName === null ? '' : `/${registry.orgName}/${registry.slug}/huggingface`
  const header = (name: string) => {
    const value = raw.headers[name]
    return Array.isArray(value) ? value[0] : value
  }
  const site = siteOf(
    options.publicUrl,
    {
      host: raw.headers.host,
      encrypted: 'encrypted' in raw.socket,
      forwardedProto: header('x-forwarded-proto'),
      forwardedHost: header('x-forwarded-host'),
      forwardedPrefix: header('x-forwarded-prefix'),
      trusted,
    },
    prefix,
  )
  const params = request.params as Record<string, string>
  const question = path.url.indexOf('?')
  return {
    ops,
    admin,
    principal: await authenticate(
      ops,
      pattern.route.ownCredential ? null : credentialOf(raw.headers.authorization),
    ),
    site,
    registry,
    requestId,
    method: raw.method ?? 'GET',
    url: path.url,
    query: parseQuery(question === -1 ? '' : path.url.slice(question + 1)),
    params,
    headers: raw.headers,
    client: {
      address: clientAddress(raw.socket.remoteAddress, header('x-forwarded-for'), options.isTrustedPeer),
      userAgent: header('user-agent') ?? '',
    },
    body: raw,
    repo: {
      registry,
      type: pattern.type ?? 'model',
      namespace: params['namespace'] ?? '',
      name: (params['name'] ?? '').replace(/\.git$/i, ''),
    },
    rest: restOf(pattern.path, path.url),
    signal,
  }
}

/** The segments that `*` matched, still encoded: in Fastify's own value `%2F` is decoded and lost. */
function restOf(pattern: string, url: string): string[] {
  if (!pattern.endsWith('/*')) return []
  const fixed = pattern.split('/').length - 1
  return (url.split('?', 1)[0] ?? '').split('/').slice(fixed)
}

const REPO_PATTERNS: Record<'api' | 'web', (type: RepoType) => string> = {
  api: (type) => `/api/${type}s/:namespace/:name`,
  web: (type) => (type === 'model' ? '/:namespace/:name' : `/${type}s/:namespace/:name`),
}

function expand(path: string): { path: string; type: RepoType | null }[] {
  const kind = path.startsWith('{api}') ? 'api' : path.startsWith('{web}') ? 'web' : null
  if (kind === null) return [{ path, type: null }]
  return REPO_TYPES.map((type) => ({ path: REPO_PATTERNS[kind](type) + path.slice('{api}'.length), type }))
}

/** `path`: a route's pattern, or an address that no route has. */
function dialectOf(path: string): ErrorDialect {
  if (path.startsWith('/v2/')) return 'oci'
  if (path.includes('/info/lfs/')) return 'lfs'
  return /\/(info\/refs|git-upload-pack|git-receive-pack)$/.test(path) ? 'git' : 'hub'
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

/** Tokens travel in a header, never in a cookie, so any origin may ask; it gets what its token may see. */
function cors(response: ServerResponse): void {
  response.setHeader('Access-Control-Allow-Origin', '*')
  response.setHeader('Access-Control-Allow-Methods', 'GET, HEAD, POST, PUT, DELETE, PATCH, OPTIONS')
  response.setHeader(
    'Access-Control-Allow-Headers',
    'Authorization, Range, Content-Type, Accept, X-Request-Id, X-Xet-Session-Id, X-Range-Dirty',
  )
  response.setHeader(
    'Access-Control-Expose-Headers',
    'ETag, Link, Location, Content-Range, Content-Disposition, Accept-Ranges, X-Repo-Commit, X-Request-Id, X-Error-Code, ' +
      'X-Error-Message, X-Total-Count, X-Linked-Size, X-Linked-ETag, X-Xet-Hash, X-Xet-Refresh-Route, X-Xet-Cas-Url, ' +
      'X-Xet-Access-Token, X-Xet-Token-Expiration, RateLimit',
  )
  response.setHeader('Access-Control-Max-Age', '86400')
}
