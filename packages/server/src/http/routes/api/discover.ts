/** What pages ask for besides lists: tags, quick search, trends, tasks. hub-api.md §4.2, §29. */
import { PIPELINE_TAGS } from '@cairn/protocol/api/card-vocabulary'
import { HubError } from '@cairn/protocol/errors'
import { printable, REPO_TYPES, type RepoType } from '@cairn/protocol/repo-id'

import { listTags, quickSearch, trendingRepos } from '../../../ops/listing.ts'
import { firstOf, readLimit, type Query } from '../../query.ts'
import { LIST_FIELDS, repoShape } from '../../repo-fields.ts'
import type { Route } from '../../route.ts'

const tagRoutes = (['model', 'dataset'] as const).map((type): Route => ({
  method: 'GET',
  path: `/api/${type}s-tags-by-type`,
  hub: `GET /api/${type}s-tags-by-type`,
  handle: async ({ ops, principal, registry }) => ({ json: await listTags(ops, principal, registry, type) }),
}))

export const discoverRoutes: readonly Route[] = [
  ...tagRoutes,
  {
    method: 'GET',
    path: '/api/quicksearch',
    hub: 'GET /api/quicksearch',
    quirk: 'Finds repositories only, not users, organizations or papers.',
    async handle({ ops, principal, registry, query }) {
      const options = { types: readTypes(query), limit: readLimit(query) }
      const found = await quickSearch(ops, principal, registry, firstOf(query, 'q') ?? '', options)
      const json: Record<string, unknown> = {}
      for (const [type, { repos, count }] of found) {
        json[`${type}s`] = repos.map(({ id, namespace, name }) => ({ _id: id, id: `${namespace}/${name}` }))
        json[`${type}sCount`] = count
      }
      return { json: { q: firstOf(query, 'q') ?? '', ...json } }
    },
  },
  {
    method: 'GET',
    path: '/api/trending',
    hub: 'GET /api/trending',
    async handle({ ops, principal, registry, query }) {
      const options = { types: readTypes(query), limit: readLimit(query) }
      const views = await trendingRepos(ops, principal, registry, options)
      return {
        json: {
          recentlyTrending: views.map((view) => ({
            repoType: view.repo.type,
            repoData: repoShape(view, ['author', ...LIST_FIELDS[view.repo.type], 'lastModified']),
          })),
        },
      }
    },
  },
  {
    method: 'GET',
    path: '/api/tasks',
    hub: 'GET /api/tasks',
    quirk: 'Tasks without recommended models: this hub has no inference.',
    handle: async () => ({
      json: Object.fromEntries([...PIPELINE_TAGS].map((task) => [task, taskShape(task)])),
    }),
  },
  {
    method: 'GET',
    path: '/api/metrics',
    hub: 'GET /api/metrics',
    quirk: 'Always empty: metrics are Spaces, which this hub does not run.',
    handle: async () => ({ json: [] }),
  },
]

function taskShape(id: string): Record<string, unknown> {
  const label = id
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join(' ')
  return { id, label, widgetModels: [], models: [], datasets: [], spaces: [], metrics: [], libraries: [] }
}

/** `type`: one type of repository, its plural, or `all`. */
function readTypes(query: Query): readonly RepoType[] {
  const text = firstOf(query, 'type') ?? 'all'
  if (text === 'all') return REPO_TYPES
  const type = REPO_TYPES.find((one) => text === one || text === `${one}s`)
  if (type === undefined) throw new HubError('BadRequest', `Unknown 'type' '${printable(text, 64)}'`)
  return [type]
}
