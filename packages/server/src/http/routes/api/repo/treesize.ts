import { treeSize } from '../../../../ops/compare.ts'
import type { Route } from '../../../route.ts'

export const treeSizeRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '{api}/treesize/*',
    hub: 'GET /api/{T}/{id}/treesize/{rev}/{path}',
    async handle({ ops, principal, repo, rest }) {
      const { path, sizeBytes } = await treeSize(ops, principal, repo, rest)
      return { json: { path: `/${path}`, size: sizeBytes } }
    },
  },
]
