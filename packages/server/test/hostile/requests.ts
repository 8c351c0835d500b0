/**
 * A request for every route of the hub's own table that takes a name, a path, a revision or a body, right in all but
 * what a test puts in. A route with a body that is not known here makes the tests fail until it is given one.
 */
import { request } from 'node:http'

import { TOKENS, type TestHub } from '@cairn/testkit/start-hub'

import type { Route } from '../../src/http/route.ts'
import { routes } from '../../src/http/routes/index.ts'
import { sha256 } from '../client.ts'
import { repoRequests } from '../repo-routes.ts'

/** JSON that each of these routes takes. `null`: it looks at no body. */
const BODIES: Readonly<Record<string, Record<string, unknown> | null>> = {
  'POST /api/admin': { op: 'stats' },
  'POST /api/repos/create': { name: 'fresh', organization: 'alice', type: 'model', private: false },
  'DELETE /api/repos/delete': { name: 'victim', organization: 'alice', type: 'model' },
  'POST /api/repos/move': { fromRepo: 'alice/victim', toRepo: 'alice/moved', type: 'model' },
  'POST /api/validate-yaml': { content: '---\nlicense: mit\n---\n', repoType: 'model' },
  'POST /api/settings/tokens': { name: 'ci', role: 'read' },
  'POST /api/settings/tokens/:token/rotate': null,
  'PUT /api/organizations/:org/members/:user/role': { role: 'read' },
  'POST /oauth/device': null,
  'POST {api}/like': null,
  'DELETE {api}/like': null,
}

/** What a request needs to be right up to the point that a test attacks. */
export interface Ground {
  hub: TestHub
  repo: string
  domainId: string
}

const ANY_OID = sha256('anything')
const PARAMS: Readonly<Record<string, string>> = {
  org: 'acme',
  user: 'alice',
  name: 'alice',
  token: 'a'.repeat(24),
  sha: ANY_OID,
  oid: ANY_OID,
  file: ANY_OID,
  hash: ANY_OID,
  prefix: 'default',
  uploadId: 'b'.repeat(24),
  part: '1',
}

/** What stands for `*`, by route; a revision for the others. */
const RESTS: Readonly<Record<string, readonly string[]>> = {
  '{api}/tree/*': ['main'],
  '{api}/treesize/*': ['main'],
  '{api}/compare/*': ['main..main'],
  '{web}/resolve/*': ['main', 'README.md'],
  '{web}/raw/*': ['main', 'README.md'],
}

export interface Target {
  name: string
  route: Route
  /** Encoded segments of the path. */
  segments: string[]
  /** Which of them an attacker chooses; also one behind the last, where the route takes paths. */
  open: number[]
}

/** Every route that is there, once, with repositories as models. */
export function targets(ground: Ground): Target[] {
  return routes
    .filter((route) => !route.absent)
    .map((route) => {
      const pattern = route.path
        .replace('{api}', '/api/models/:namespace/:repo')
        .replace('{web}', '/:namespace/:repo')
        .split('/')
        .slice(1)
      const open: number[] = []
      const [namespace = '', repo = ''] = ground.repo.split('/')
      const segments = pattern.flatMap((segment, index) => {
        if (segment === '*') {
          const rest = RESTS[route.path] ?? ['main']
          open.push(...rest.map((_, offset) => index + offset), index + rest.length)
          return rest
        }
        if (!segment.startsWith(':')) return [segment]
        open.push(index)
        const own = { namespace, repo, domain: ground.domainId }
        return [{ ...PARAMS, ...own }[segment.slice(1)] ?? 'x']
      })
      return { name: `${route.method} ${route.path}`, route, segments, open }
    })
}

/** The body that a route takes: JSON, text for NDJSON, or null. */
export function bodyOf(target: Target): { text: string; json: Record<string, unknown> | null } | null {
  const { name, route } = target
  if (route.method === 'GET' || (route.method === 'DELETE' && BODIES[name] === undefined)) return null
  const given = BODIES[name]
  if (given === null) return null
  if (given !== undefined) return { text: JSON.stringify(given), json: given }
  if (route.ownCredential) return { text: 'bytes', json: null }
  const known = repoRequests('model').find((one) => one.name === `${route.method} model: ${route.path}`)
  if (known === undefined) throw new Error(`No body is known for ${name}`)
  const { body } = known.init()
  if (typeof body !== 'string') return null
  // NDJSON and git's lines are their own tests' matter.
  const isJson = body.startsWith('{') && !body.includes('\n')
  return { text: body, json: isJson ? (JSON.parse(body) as Record<string, unknown>) : null }
}

export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  text: string
}

/** The path goes out as it is: `fetch` would tidy it up. */
export function send(
  { hub }: Ground,
  target: { method: string; path: string; body?: Uint8Array | string; headers?: Record<string, string> },
): Promise<Answer> {
  const { method, path, body, headers } = target
  return new Promise((resolve, reject) => {
    const asked = request(hub.url, {
      method,
      path,
      headers: { Authorization: `Bearer ${TOKENS.alice}`, ...headers },
    })
    asked.on('error', reject)
    asked.on('response', (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text: Buffer.concat(chunks).toString(),
        }),
      )
    })
    asked.end(body)
  })
}

/** Why the answer is not a clear one, or null. Absent functions answer 501, which is as clear. */
export function flaw({ status, headers, text }: Answer): string | null {
  if (status < 400) return null
  if (status >= 500 && status !== 501) return `status ${status}: ${text.slice(0, 200)}`
  const message = headers['x-error-message']
  if (typeof message !== 'string' || !/^[\x20-\x7e]+$/.test(message)) return `no message with ${status}`
  if (headers['x-request-id'] === undefined) return `no request id with ${status}`
  if (status !== 401 && !/^[A-Za-z]+$/.test(String(headers['x-error-code']))) return `no code with ${status}`
  if (String(headers['content-type']).startsWith('text/plain')) return null
  try {
    const body = JSON.parse(text) as Record<string, unknown>
    return typeof (body['error'] ?? body['message'] ?? body['errors']) === 'undefined'
      ? `no error in ${text}`
      : null
  } catch {
    return `${status} without JSON: ${text.slice(0, 200)}`
  }
}
