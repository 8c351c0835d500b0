/** Lists, searches and what else is said about many repositories. hub-api.md §4.2. */
import type { ListQuery } from '@cairn/protocol/api/list-query'
import { tagsByType, type TypedTag } from '@cairn/protocol/api/tag-types'
import { HubError } from '@cairn/protocol/errors'
import { SEARCH_LENGTH_MAX, SEARCH_WORDS_MAX } from '@cairn/protocol/limits'
import { REPO_TYPES, type RepoType } from '@cairn/protocol/repo-id'

import {
  LIST_PAGE_DEFAULT,
  LIST_PAGE_MAX,
  QUICK_SEARCH_COUNT_MAX,
  QUICK_SEARCH_MAX,
  TAGS_BY_TYPE_MAX,
  TRENDING_MAX,
} from '../limits.ts'
import type { RepoFilter, RepoRow, Visibility } from '../store/catalog/catalog.ts'
import { foldText } from '../store/catalog/search.ts'
import { visibilityOf, type Principal } from './access.ts'
import type { OpsContext } from './context.ts'
import { openCursor, sealCursor } from './cursors.ts'
import type { Registry } from './locate.ts'
import { relate, viewOf, type Relation, type RepoView } from './repo-view.ts'

/** Programs for one's own machine, and the tags of what they run. */
const APP_TAGS: Readonly<Record<string, readonly string[]>> = {
  ...Object.fromEntries(
    ['llama.cpp', 'ollama', 'lmstudio', 'jan', 'gpt4all', 'koboldcpp', 'localai', 'msty', 'unsloth'].map(
      (app) => [app, ['gguf']],
    ),
  ),
  ...Object.fromEntries(['vllm', 'sglang', 'tgi'].map((app) => [app, ['transformers']])),
  'mlx-lm': ['mlx'],
  drawthings: ['diffusers'],
  diffusionbee: ['diffusers'],
  invoke: ['diffusers'],
}

export async function listRepos(
  ctx: OpsContext,
  principal: Principal,
  registry: Registry,
  type: RepoType,
  query: ListQuery,
  page: { cursor: string | null; limit: number | null; relations: ReadonlySet<Relation>; pageMax?: number },
): Promise<{ views: RepoView[]; nextCursor: string | null }> {
  const visibility = await visibilityOf(ctx, principal)
  const filter = filterOf(registry, type, visibility, query)
  const { sort, descending } = query
  // A cursor fits only the question that it was given for.
  const { visibility: _, ...question } = filter
  const listing = `list/${JSON.stringify({ ...question, sort, descending })}`
  const after = openCursor(ctx.signer, listing, page.cursor)
  const limit = Math.min(page.limit ?? LIST_PAGE_DEFAULT, page.pageMax ?? LIST_PAGE_MAX)
  const order = { sort, descending, after: after === null ? null : String(after), limit }
  const { repos, next } = await ctx.catalog.rows.listing.page(filter, order, ctx.clock())
  const views: RepoView[] = []
  for (const listed of repos) views.push(await viewOf(ctx, listed))
  await relate(ctx, visibility, views, page.relations)
  return { views, nextCursor: next === null ? null : sealCursor(ctx.signer, listing, next) }
}

export async function listTags(
  ctx: OpsContext,
  principal: Principal,
  registry: Registry,
  type: RepoType,
): Promise<Record<string, TypedTag[]>> {
  const visibility = await visibilityOf(ctx, principal)
  return tagsByType(
    type,
    await ctx.catalog.rows.listing.tags(registry.id, type, visibility, TAGS_BY_TYPE_MAX),
  )
}

/** The most liked hits of each type, and how many there are. */
export async function quickSearch(
  ctx: OpsContext,
  principal: Principal,
  registry: Registry,
  text: string,
  options: { types: readonly RepoType[]; limit: number | null },
): Promise<Map<RepoType, { repos: RepoRow[]; count: number }>> {
  const visibility = await visibilityOf(ctx, principal)
  const limit = Math.min(options.limit ?? QUICK_SEARCH_MAX, QUICK_SEARCH_MAX)
  const found = new Map<RepoType, { repos: RepoRow[]; count: number }>()
  for (const type of options.types) {
    const filter = { ...everything(registry, type, visibility), words: wordsOf([text]) }
    const order = { sort: 'likes', descending: true, after: null, limit } as const
    const { repos } = await ctx.catalog.rows.listing.page(filter, order, ctx.clock())
    const count = await ctx.catalog.rows.listing.count(filter, QUICK_SEARCH_COUNT_MAX)
    found.set(type, { repos: repos.map(({ repo }) => repo), count })
  }
  return found
}

/** Of all types together, the highest score first. */
export async function trendingRepos(
  ctx: OpsContext,
  principal: Principal,
  registry: Registry,
  options: { types: readonly RepoType[]; limit: number | null },
): Promise<RepoView[]> {
  const visibility = await visibilityOf(ctx, principal)
  const limit = Math.min(options.limit ?? TRENDING_MAX, TRENDING_MAX)
  const views: RepoView[] = []
  for (const type of REPO_TYPES.filter((one) => options.types.includes(one))) {
    const order = { sort: 'trendingScore', descending: true, after: null, limit } as const
    const { repos } = await ctx.catalog.rows.listing.page(
      everything(registry, type, visibility),
      order,
      ctx.clock(),
    )
    for (const listed of repos) views.push(await viewOf(ctx, listed))
  }
  return views.toSorted((a, b) => b.counts.trendingScore - a.counts.trendingScore).slice(0, limit)
}

function everything(registry: Registry, type: RepoType, visibility: Visibility): RepoFilter {
  return {
    registryId: registry.id,
    type,
    visibility,
    words: [],
    namespace: null,
    tags: [],
    anyTags: [],
    pipelineTag: null,
    parameters: null,
    links: [],
    linked: false,
  }
}

function filterOf(registry: Registry, type: RepoType, visibility: Visibility, query: ListQuery): RepoFilter {
  // No repository is gated and none has inference here: whoever asks for those gets none.
  const nothing = query.gated === true || query.needsInference
  return {
    ...everything(registry, type, visibility),
    words: wordsOf(query.search),
    namespace: query.author,
    tags: query.tags,
    anyTags: [
      ...query.apps.map((app) => (Object.hasOwn(APP_TAGS, app) ? (APP_TAGS[app] ?? []) : [])),
      ...(nothing ? [[]] : []),
    ],
    pipelineTag: query.pipelineTag,
    parameters: query.parameters,
    links: [
      ...query.models.map((target) => ({ kind: 'model' as const, target })),
      ...query.datasets.map((target) => ({ kind: 'dataset' as const, target })),
    ],
    linked: query.linked,
  }
}

/** Words in the form in which text is searched, each once. */
function wordsOf(searches: readonly string[]): string[] {
  const text = searches.join(' ')
  if (text.length > SEARCH_LENGTH_MAX)
    throw new HubError('BadRequest', `A search has at most ${SEARCH_LENGTH_MAX} characters`)
  const words = [
    ...new Set(
      foldText(text)
        .split(/\s+/)
        .filter((word) => word !== ''),
    ),
  ]
  if (words.length > SEARCH_WORDS_MAX)
    throw new HubError('BadRequest', `A search has at most ${SEARCH_WORDS_MAX} words`)
  return words
}
