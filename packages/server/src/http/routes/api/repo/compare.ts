import { readBoolean } from '@cairn/protocol/api/query'

import { compareFiles, compareText } from '../../../../ops/compare.ts'
import type { Route } from '../../../route.ts'
import { revisionOf } from './refs.ts'

export const compareRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '{api}/compare/*',
    hub: 'GET /api/{T}/{id}/compare/{a..b}',
    quirk: 'without `raw=true` a list of changed files',
    async handle({ ops, principal, repo, rest, query }) {
      const comparison = revisionOf(rest)
      if (readBoolean(query, 'raw'))
        return {
          headers: { 'Content-Type': 'text/plain; charset=utf-8' },
          bytes: await compareText(ops, principal, repo, comparison),
        }
      const files = await compareFiles(ops, principal, repo, comparison)
      return {
        json: files.map(({ path, oldPath, status, oldOid, newOid }) => ({
          path,
          status,
          ...(oldPath === null ? {} : { oldPath }),
          ...(oldOid === null ? {} : { oldOid }),
          ...(newOid === null ? {} : { oid: newOid }),
        })),
      }
    },
  },
]
