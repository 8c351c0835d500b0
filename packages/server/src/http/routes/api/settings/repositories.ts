/** What the caller's repositories, or an organization's, take of the storage: hub-api.md §15. */
import { formatDate } from '@cairn/protocol/api/dates'
import { formatRepoId } from '@cairn/protocol/repo-id'

import { pageStorage } from '../../../../ops/profiles.ts'
import { firstOf, readLimit } from '../../../query.ts'
import type { Reply } from '../../../reply.ts'
import type { Call, Route } from '../../../route.ts'
import { nextPageHeaders } from '../../../urls.ts'

async function page(
  { ops, principal, registry, query, site, url }: Call,
  org: string | null,
): Promise<Reply> {
  const { repos, nextCursor } = await pageStorage(ops, principal, registry, org, {
    cursor: firstOf(query, 'cursor'),
    limit: readLimit(query),
  })
  return {
    headers: nextPageHeaders(site, url, nextCursor),
    json: repos.map(({ repo, storageBytes, storagePercent }) => ({
      id: formatRepoId(repo),
      type: repo.type,
      updatedAt: formatDate(repo.lastModified),
      visibility: repo.private ? 'private' : 'public',
      storage: storageBytes,
      storagePercent,
    })),
  }
}

export const repositorySettingsRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/settings/repositories',
    hub: 'GET /api/settings/repositories',
    handle: (call) => page(call, null),
  },
  {
    method: 'GET',
    path: '/api/organizations/:org/settings/repositories',
    hub: 'GET /api/organizations/{o}/settings/repositories',
    handle: (call) => page(call, call.params['org'] ?? ''),
  },
]
