/** Info of a repository: hub-api.md §4.1. */
import { readBoolean, readExpand } from '@cairn/protocol/api/query'
import { HubError } from '@cairn/protocol/errors'

import { repoInfo } from '../../../../ops/info.ts'
import type { Reply } from '../../../reply.ts'
import { INFO_FIELDS, relationsFor, repoShape } from '../../../repo-fields.ts'
import type { Call, Route } from '../../../route.ts'
import { revisionOf } from './refs.ts'

export const infoRoutes: readonly Route[] = [
  { method: 'GET', path: '{api}', hub: 'GET /api/{T}/{id}', handle: (call) => info(call, null) },
  {
    method: 'GET',
    path: '{api}/revision/*',
    hub: 'GET /api/{T}/{id}/revision/{rev}',
    handle: (call) => info(call, revisionOf(call.rest)),
  },
]

async function info({ ops, principal, repo, query }: Call, revision: string | null): Promise<Reply> {
  const expand = readExpand(query, repo.type)
  const blobs = readBoolean(query, 'blobs')
  const securityStatus = readBoolean(query, 'securityStatus')
  if (expand.size > 0 && (blobs || securityStatus))
    throw new HubError('BadRequest', `'expand' cannot be combined with 'blobs' or 'securityStatus'`)
  if (securityStatus)
    throw new HubError('NotImplemented', 'This hub does not scan files: securityStatus is not known')
  const fields = expand.size > 0 ? expand : INFO_FIELDS[repo.type]
  const found = await repoInfo(ops, principal, repo, revision, { blobs, relations: relationsFor(fields) })
  return { json: repoShape(found, fields) }
}
