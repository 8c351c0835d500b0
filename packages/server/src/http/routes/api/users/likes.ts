import { formatDate } from '@cairn/protocol/api/dates'

import { listLikes } from '../../../../ops/likes.ts'
import { firstOf, readLimit } from '../../../query.ts'
import type { Route } from '../../../route.ts'
import { nextPageHeaders } from '../../../urls.ts'

export const userLikesRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/users/:user/likes',
    hub: 'GET /api/users/{user}/likes',
    async handle({ ops, principal, registry, params, query, site, url }) {
      const page = { cursor: firstOf(query, 'cursor'), limit: readLimit(query) }
      const { likes, nextCursor } = await listLikes(ops, principal, registry.id, params['user'] ?? '', page)
      return {
        headers: nextPageHeaders(site, url, nextCursor),
        json: likes.map(({ repo, at }) => ({
          createdAt: formatDate(at),
          repo: { name: `${repo.namespace}/${repo.name}`, type: repo.type },
        })),
      }
    },
  },
]
