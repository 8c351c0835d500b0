/**
 * Every route that names a repository, taken from the hub's own table, with a request that would be right if the
 * repository were there. A new route with a body fails here until it is given one.
 */
import type { RepoType } from '@cairn/protocol/repo-id'

import type { Route } from '../src/http/route.ts'
import { routes } from '../src/http/routes/index.ts'
import { batchBody, commitBody, file, sha256 } from './client.ts'
import { post } from './refusal.ts'

/** Whom and what a request is made for: a repository, and the account that a copy of it would go to. */
export interface Target {
  id: string
  account: string
}

export const OBJECT = { oid: sha256('anything'), size: 8 }
const ABSENT_OID = sha256('nothing')

const BODIES: Readonly<Record<string, (target: Target) => RequestInit>> = {
  '{api}/paths-info/*': () => post({ paths: ['README.md'] }),
  '{api}/branch/*': () => post({}),
  '{api}/tag/*': () => post({ tag: 'v1' }),
  '{api}/preupload/*': () => post({ files: [{ path: 'a', size: 1, sample: 'YQ==' }] }),
  '{api}/duplicate': ({ account }) => post({ repository: `${account}/copy` }),
  '{api}/like': () => ({ method: 'POST' }),
  '{api}/settings': () => ({ ...post({ gated: false }), method: 'PUT' }),
  '{api}/commit/*': () => commitBody([file('a', 'a')]),
  '{api}/super-squash/*': () => post({ message: 'All in one' }),
  '{api}/lfs-files/batch': () => post({ deletions: { sha: [ABSENT_OID], rewriteHistory: true } }),
  '{api}/lfs-files/duplicate': ({ id }) =>
    post({ target: { type: 'model', name: id }, files: [{ sha256: OBJECT.oid }] }),
  '{web}/info/lfs/objects/batch': () => batchBody('upload', [OBJECT]),
  '{web}/info/lfs/verify': () => post(OBJECT),
  '{web}/info/lfs/locks': () => post({ path: 'weights.bin' }),
  '{web}/info/lfs/locks/verify': () => post({}),
  '{web}/info/lfs/locks/:id/unlock': () => post({}),
  '{web}/info/lfs/objects/:oid': () => ({ method: 'PUT', body: 'anything' }),
  '{web}/info/lfs/objects/:oid/parts/:uploadId/:part': () => ({ method: 'PUT', body: 'anything' }),
  '{web}/info/lfs/objects/:oid/parts/:uploadId': () => post({ oid: OBJECT.oid, parts: [] }),
  '{web}/git-upload-pack': () => gitBody('git-upload-pack'),
  '{web}/git-receive-pack': () => gitBody('git-receive-pack'),
}

/** What git sends to find out whether it may. */
function gitBody(service: string): RequestInit {
  return { method: 'POST', body: '0000', headers: { 'Content-Type': `application/x-${service}-request` } }
}

/** What stands for `*`: `main` where nothing is said. */
const RESTS: Readonly<Record<string, string>> = {
  'DELETE {api}/branch/*': 'gone',
  'DELETE {api}/tag/*': 'gone',
  'GET {api}/compare/*': 'main..main',
  'GET {web}/resolve/*': 'main/README.md',
  'GET {web}/raw/*': 'main/README.md',
}

const QUERIES: Readonly<Record<string, string>> = {
  'GET {web}/info/refs': '?service=git-upload-pack',
}

const PARAMETERS: Readonly<Record<string, string>> = {
  sha: ABSENT_OID,
  oid: OBJECT.oid,
  uploadId: 'an-upload',
  part: '1',
  id: '0'.repeat(24),
  tag: 'latest',
  digest: `sha256:${OBJECT.oid}`,
}

/** An address that nobody signed. */
const FORGED = `?size=8&expires=99999999999&signature=${'A'.repeat(32)}`

export interface RepoRequest {
  /** Method and pattern, as the hub's table has them. */
  route: string
  name: string
  path: (id: string) => string
  init: (target?: Target) => RequestInit
}

export function namesRepo({ path }: Route): boolean {
  return path.startsWith('{') || path.includes('/:namespace/:name')
}

/** Those that ask for a credential of the caller's; with `all` also those that look at a signature only. */
export function repoRequests(type: RepoType, all = false): RepoRequest[] {
  const found = routes.filter((route) => namesRepo(route) && !route.absent && (all || !route.ownCredential))
  return found.map((route) => requestFor(route, type))
}

function requestFor({ method, path, ownCredential }: Route, type: RepoType): RepoRequest {
  const route = `${method} ${path}`
  const pattern = path
    .replace('{api}', `/api/${type}s/:namespace/:name`)
    .replace('{web}', type === 'model' ? '/:namespace/:name' : `/${type}s/:namespace/:name`)
    .replace('*', RESTS[route] ?? 'main')
  const filled = pattern.replace(/:(?!namespace\b|name\b)(\w+)/g, (_, name: string) => {
    const value = PARAMETERS[name]
    if (value === undefined) throw new Error(`No value is known for :${name} of ${route}`)
    return value
  })
  const body = BODIES[path]
  const hasBody = method === 'POST' || method === 'PUT'
  if (hasBody && body === undefined) throw new Error(`No request is known for ${route}`)
  return {
    route,
    name: `${method} ${type}: ${path}`,
    path: (id) => filled.replace(':namespace/:name', id) + (ownCredential ? FORGED : (QUERIES[route] ?? '')),
    init: (target = { id: 'alice/tiny', account: 'alice' }) =>
      hasBody && body !== undefined ? body(target) : { method },
  }
}
