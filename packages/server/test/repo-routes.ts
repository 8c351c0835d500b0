/**
 * Every route that names a repository, taken from the hub's own table, with a request that would be right if the
 * repository were there. A new route with a body fails here until it is given one.
 */
import type { RepoType } from '@cairn/protocol/repo-id'

import { routes } from '../src/http/routes/index.ts'
import { batchBody, commitBody, file, sha256 } from './client.ts'
import { post } from './refusal.ts'

const OBJECT = { oid: sha256('anything'), size: 8 }

const BODIES: Readonly<Record<string, () => RequestInit>> = {
  '{api}/paths-info/*': () => post({ paths: ['README.md'] }),
  '{api}/branch/*': () => post({}),
  '{api}/tag/*': () => post({ tag: 'v1' }),
  '{api}/preupload/*': () => post({ files: [{ path: 'a', size: 1, sample: 'YQ==' }] }),
  '{api}/duplicate': () => post({ repository: 'alice/copy' }),
  '{api}/like': () => ({ method: 'POST' }),
  '{api}/settings': () => ({ ...post({ private: true }), method: 'PUT' }),
  '{api}/commit/*': () => commitBody([file('a', 'a')]),
  '{api}/super-squash/*': () => post({ message: 'All in one' }),
  '{api}/lfs-files/batch': () => post({ deletions: { sha: [OBJECT.oid], rewriteHistory: true } }),
  '{api}/lfs-files/duplicate': () =>
    post({ target: { type: 'model', name: 'alice/tiny' }, files: [{ sha256: OBJECT.oid }] }),
  '{web}/info/lfs/objects/batch': () => batchBody('upload', [OBJECT]),
  '{web}/info/lfs/verify': () => post(OBJECT),
  '{web}/git-upload-pack': () => gitBody('git-upload-pack'),
  '{web}/git-receive-pack': () => gitBody('git-receive-pack'),
}

/** What git sends to find out whether it may. */
function gitBody(service: string): RequestInit {
  return { method: 'POST', body: '0000', headers: { 'Content-Type': `application/x-${service}-request` } }
}

const RESTS: Readonly<Record<string, string>> = {
  '{api}/compare/*': 'main..main',
  '{web}/resolve/*': 'main/README.md',
  '{web}/raw/*': 'main/README.md',
}

export interface RepoRequest {
  name: string
  path: (id: string) => string
  init: () => RequestInit
}

export function repoRequests(type: RepoType): RepoRequest[] {
  const found = routes.filter((route) => route.path.startsWith('{') && !route.absent && !route.ownCredential)
  return found.map(({ method, path }) => {
    const isApi = path.startsWith('{api}')
    const rest = path
      .slice('{api}'.length)
      .replace('*', RESTS[path] ?? 'main')
      .replace(':sha', OBJECT.oid)
    const base = isApi ? `/api/${type}s/` : type === 'model' ? '/' : `/${type}s/`
    const body = BODIES[path]
    const hasBody = method === 'POST' || method === 'PUT'
    if (hasBody && body === undefined) throw new Error(`No request is known for ${path}`)
    return {
      name: `${method} ${type}: ${path}`,
      path: (id) => `${base}${id}${rest}`,
      init: () => (hasBody && body !== undefined ? body() : { method }),
    }
  })
}
