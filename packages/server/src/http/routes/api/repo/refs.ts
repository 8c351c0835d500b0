/** refs, commits, branch, tag: hub-api.md §5. */
import { formatDate } from '@cairn/protocol/api/dates'
import { readBoolean, readList } from '@cairn/protocol/api/query'
import { HubError } from '@cairn/protocol/errors'
import { z } from 'zod'

import {
  createBranch,
  createTag,
  deleteBranch,
  deleteTag,
  listCommits,
  listRefs,
} from '../../../../ops/refs.ts'
import { readJson } from '../../../body.ts'
import { firstOf, readLimit } from '../../../query.ts'
import type { Route } from '../../../route.ts'
import { authorsOf, bodyOf, escapeHtml, titleOf } from '../../../shapes.ts'
import { nextPageHeaders } from '../../../urls.ts'

const NewBranch = z.object({
  startingPoint: z.string().nullish(),
  emptyBranch: z.boolean().nullish(),
  overwrite: z.boolean().nullish(),
})
const NewTag = z.object({ tag: z.string(), message: z.string().nullish() })

export const refRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '{api}/refs',
    hub: 'GET /api/{T}/{id}/refs',
    async handle({ ops, principal, repo, query }) {
      const { branches, tags, converts, pullRequests } = await listRefs(ops, principal, repo)
      const withPullRequests = readBoolean(query, 'include_prs')
      return { json: { branches, converts, tags, ...(withPullRequests ? { pullRequests } : {}) } }
    },
  },
  {
    method: 'GET',
    path: '{api}/commits/*',
    hub: 'GET /api/{T}/{id}/commits/{rev}',
    async handle({ ops, principal, repo, rest, query, site, url }) {
      const formatted = readList(query, 'expand').includes('formatted')
      const { commits, total, nextCursor } = await listCommits(ops, principal, repo, revisionOf(rest), {
        cursor: firstOf(query, 'cursor'),
        limit: readLimit(query),
      })
      return {
        headers: {
          'X-Total-Count': total,
          ...nextPageHeaders(site, url, nextCursor),
        },
        json: commits.map((commit) => {
          const { oid, message, date } = commit
          const title = titleOf(message)
          const body = bodyOf(message)
          return {
            id: oid,
            title,
            message: body,
            authors: authorsOf(commit),
            date: formatDate(date),
            ...(formatted ? { formatted: { title: escapeHtml(title), message: escapeHtml(body) } } : {}),
          }
        }),
      }
    },
  },
  {
    method: 'POST',
    path: '{api}/branch/*',
    hub: 'POST /api/{T}/{id}/branch/{b}',
    async handle({ ops, principal, repo, rest, body }) {
      const request = await readJson(body, NewBranch)
      await createBranch(ops, principal, repo, {
        branch: revisionOf(rest),
        startingPoint: request.startingPoint ?? null,
        empty: request.emptyBranch ?? false,
        overwrite: request.overwrite ?? false,
      })
      return { json: {} }
    },
  },
  {
    method: 'DELETE',
    path: '{api}/branch/*',
    hub: 'DELETE /api/{T}/{id}/branch/{b}',
    async handle({ ops, principal, repo, rest }) {
      await deleteBranch(ops, principal, repo, revisionOf(rest))
      return { json: {} }
    },
  },
  {
    method: 'POST',
    path: '{api}/tag/*',
    hub: 'POST /api/{T}/{id}/tag/{rev}',
    async handle({ ops, principal, repo, rest, body }) {
      const { tag, message } = await readJson(body, NewTag)
      await createTag(ops, principal, repo, { revision: revisionOf(rest), tag, message: message ?? null })
      return { json: {} }
    },
  },
  {
    method: 'DELETE',
    path: '{api}/tag/*',
    hub: 'DELETE /api/{T}/{id}/tag/{tag}',
    async handle({ ops, principal, repo, rest }) {
      await deleteTag(ops, principal, repo, revisionOf(rest))
      return { json: {} }
    },
  },
]

/** The whole rest of the address as one name; clients send it encoded or with plain slashes. */
export function revisionOf(rest: readonly string[]): string {
  try {
    return rest.map(decodeURIComponent).join('/')
  } catch (cause) {
    throw new HubError('BadRequest', 'The address contains a malformed percent escape', { cause })
  }
}
