/** The answer at a name that a repository had before. */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId } from '@cairn/protocol/repo-id'

import type { RepoMovedError } from '../ops/access.ts'
import type { Reply } from './reply.ts'
import type { Call } from './route.ts'
import type { Site } from './urls.ts'

/**
 * 307 to the same address under the new name. Where the name was in the body no redirect can help, and a deletion or
 * a rename by an old name is more likely a mistake: it is not found.
 */
export function movedReply(
  { site, url }: Pick<Call, 'site' | 'url'>,
  pattern: string,
  { to }: RepoMovedError,
): Reply {
  if (!pattern.includes('/:namespace/:name'))
    throw new HubError('RepoNotFound', `The repository is called ${formatRepoId(to)} now`)
  const location = movedLocation(site, url, pattern, to)
  return {
    status: 307,
    headers: { Location: location },
    text: `Temporary Redirect. Redirecting to ${location}`,
  }
}

/**
 * Relative, because Python follows no other on HEAD, with the prefix of the public address and of the registry
 * (clients.md §0.3). `url` is what was routed, still encoded.
 */
export function movedLocation(
  site: Pick<Site, 'base'>,
  url: string,
  pattern: string,
  to: { namespace: string; name: string },
): string {
  const [path = '', ...query] = url.split('?')
  const segments = path.split('/')
  const at = pattern.split('/').indexOf(':namespace')
  const suffix = /\.git$/i.exec(segments[at + 1] ?? '')?.[0] ?? ''
  segments.splice(at, 2, to.namespace, to.name + suffix)
  const prefix = new URL(site.base).pathname.replace(/\/+$/, '')
  return prefix + [segments.join('/'), ...query].join('?')
}
