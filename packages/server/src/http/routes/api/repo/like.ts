/** Likes of a repository: hub-api.md §3.2. */
import { listLikers, setLike } from '../../../../ops/likes.ts'
import { userShape } from '../../../account-shapes.ts'
import { firstOf, readLimit } from '../../../query.ts'
import type { Route } from '../../../route.ts'
import { nextPageHeaders } from '../../../urls.ts'

export const likeRoutes: readonly Route[] = [
  ...(['POST', 'DELETE'] as const).map((method): Route => ({
    method,
    path: '{api}/like',
    hub: `${method} /api/{T}/{id}/like`,
    async handle({ ops, principal, repo }) {
      await setLike(ops, principal, repo, method === 'POST')
      return { text: 'OK' }
    },
  })),
  {
    method: 'GET',
    path: '{api}/likers',
    hub: 'GET /api/{T}/{id}/likers',
    async handle({ ops, principal, repo, query, site, url }) {
      const page = { cursor: firstOf(query, 'cursor'), limit: readLimit(query) }
      const { users, nextCursor } = await listLikers(ops, principal, repo, page)
      return {
        headers: nextPageHeaders(site, url, nextCursor),
        json: users.map((user) => userShape(site, user)),
      }
    },
  },
]
