/** `/api/models`, `/api/datasets` and `/api/spaces`: hub-api.md §4.2. */
import { readListQuery, type ListQuery } from '@cairn/protocol/api/list-query'
import { REPO_TYPES, type RepoType } from '@cairn/protocol/repo-id'

import { LIST_FULL_PAGE_MAX, LIST_PAGE_MAX } from '../../../limits.ts'
import { listRepos } from '../../../ops/listing.ts'
import { firstOf, readLimit } from '../../query.ts'
import type { Reply } from '../../reply.ts'
import { FULL_FIELDS, LIST_FIELDS, relationsFor, repoShape } from '../../repo-fields.ts'
import type { Call, Route } from '../../route.ts'
import { nextPageHeaders } from '../../urls.ts'

export const listRoutes: readonly Route[] = REPO_TYPES.map((type) => ({
  method: 'GET',
  path: `/api/${type}s`,
  hub: `GET /api/${type}s`,
  handle: (call) => list(call, type),
}))

async function list(call: Call, type: RepoType): Promise<Reply> {
  const { ops, principal, registry, query, site, url } = call
  const asked = readListQuery(query, type)
  const fields = fieldsOf(asked, type)
  const { views, nextCursor } = await listRepos(ops, principal, registry, type, asked, {
    cursor: firstOf(query, 'cursor'),
    limit: readLimit(query),
    relations: relationsFor(fields),
    pageMax: fields.has('siblings') ? LIST_FULL_PAGE_MAX : LIST_PAGE_MAX,
  })
  return {
    headers: nextPageHeaders(site, url, nextCursor),
    json: views.map((view) => repoShape(view, fields)),
  }
}

function fieldsOf({ expand, full, cardData, config }: ListQuery, type: RepoType): ReadonlySet<string> {
  if (expand.size > 0) return expand
  return new Set([
    ...LIST_FIELDS[type],
    ...(full ? FULL_FIELDS[type] : []),
    ...(cardData ? ['cardData'] : []),
    ...(config ? ['config'] : []),
  ])
}
