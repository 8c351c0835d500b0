import { readBoolean } from '@cairn/protocol/api/query'

import { listTree } from '../../../../ops/files.ts'
import { firstOf, readLimit } from '../../../query.ts'
import type { Route } from '../../../route.ts'
import { entryShape } from '../../../shapes.ts'
import { nextPageHeaders } from '../../../urls.ts'

export const treeRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '{api}/tree/*',
    hub: 'GET /api/{T}/{id}/tree/{rev}[/{path}]',
    async handle({ ops, principal, repo, rest, query, site, url }) {
      const { entries, nextCursor } = await listTree(ops, principal, repo, rest, {
        recursive: readBoolean(query, 'recursive'),
        expand: readBoolean(query, 'expand'),
        cursor: firstOf(query, 'cursor'),
        limit: readLimit(query),
      })
      return {
        headers: nextPageHeaders(site, url, nextCursor),
        json: entries.map(entryShape),
      }
    },
  },
]
