/** Parameters of `/api/models`, `/api/datasets` and `/api/spaces` as all client generations send them. hub-api.md §4.2. */
import { HubError } from '../errors.ts'
import { LIST_FILTERS_MAX, SEARCH_LENGTH_MAX } from '../limits.ts'
import { printable, type RepoType } from '../repo-id.ts'
import { readBoolean, readExpand, readList, type Parameters } from './query.ts'

export const LIST_SORTS = ['createdAt', 'downloads', 'lastModified', 'likes', 'trendingScore'] as const
export type ListSort = (typeof LIST_SORTS)[number]

export interface ListQuery {
  author: string | null
  search: string[]
  tags: string[]
  pipelineTag: string | null
  gated: boolean | null
  /** Something that only a hub with inference can say yes to. */
  needsInference: boolean
  apps: string[]
  parameters: { min: number | null; max: number | null } | null
  models: string[]
  datasets: string[]
  linked: boolean
  sort: ListSort
  descending: boolean
  expand: Set<string>
  full: boolean
  cardData: boolean
  config: boolean
}

const SORT_SPELLINGS: Readonly<Record<string, ListSort>> = {
  ...Object.fromEntries(LIST_SORTS.map((sort) => [sort, sort])),
  created_at: 'createdAt',
  last_modified: 'lastModified',
  trending_score: 'trendingScore',
}

/** Throws `BadRequest` for what is unknown or malformed. Parameters of another type of repository say nothing. */
export function readListQuery(parameters: Parameters, type: RepoType): ListQuery {
  const isModel = type === 'model'
  const isSpace = type === 'space'
  const list = (name: string, applies: boolean) =>
    applies ? readList(parameters, name, LIST_FILTERS_MAX) : []
  const search = readList(parameters, 'search', LIST_FILTERS_MAX)
  if (search.join(' ').length > SEARCH_LENGTH_MAX)
    throw new HubError('BadRequest', `'search' has more than ${SEARCH_LENGTH_MAX} characters`)
  const words = (name: string, applies: boolean) =>
    list(name, applies).flatMap((value) => value.split(',').filter((word) => word !== ''))
  const tags = words('filter', true)
  if (tags.length > LIST_FILTERS_MAX)
    throw new HubError('BadRequest', `'filter' names more than ${LIST_FILTERS_MAX} tags`)
  return {
    author: one(parameters, 'author'),
    search,
    tags,
    pipelineTag: isModel ? one(parameters, 'pipeline_tag') : null,
    gated: readGated(parameters),
    needsInference: words('inference', isModel).length + words('inference_provider', isModel).length > 0,
    apps: words('apps', isModel),
    parameters: isModel ? readParameterRange(one(parameters, 'num_parameters')) : null,
    models: words('models', isSpace),
    datasets: words('datasets', isSpace),
    linked: isSpace && readBoolean(parameters, 'linked'),
    ...readOrder(parameters),
    expand: readExpand(parameters, type),
    full: readBoolean(parameters, 'full'),
    cardData: readBoolean(parameters, 'cardData'),
    config: isModel && readBoolean(parameters, 'config'),
  }
}

function readOrder(parameters: Parameters): Pick<ListQuery, 'sort' | 'descending'> {
  const spelling = one(parameters, 'sort') ?? 'trendingScore'
  const sort = Object.hasOwn(SORT_SPELLINGS, spelling) ? SORT_SPELLINGS[spelling] : undefined
  if (sort === undefined)
    throw new HubError(
      'BadRequest',
      `Unknown 'sort' '${printable(spelling, 64)}'; allowed are ${LIST_SORTS.join(', ')}`,
    )
  const direction = one(parameters, 'direction') ?? '-1'
  if (direction !== '-1' && direction !== '1') throw new HubError('BadRequest', `'direction' must be -1 or 1`)
  return { sort, descending: direction === '-1' }
}

function readGated(parameters: Parameters): boolean | null {
  const value = one(parameters, 'gated')
  if (value === null) return null
  if (value === 'auto' || value === 'manual') return true
  return readBoolean(parameters, 'gated')
}

const UNITS: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, B: 1e9, T: 1e12 }

/** `min:6B,max:128B`, `min:500M` or `max:1.5T`. */
export function readParameterRange(text: string | null): ListQuery['parameters'] {
  if (text === null) return null
  const range = { min: null as number | null, max: null as number | null }
  for (const part of text.split(',')) {
    const match = /^(min|max):(\d{1,6}(?:\.\d{1,6})?)([KMBT]?)$/i.exec(part.trim())
    const bound = match?.[1]?.toLowerCase()
    if (match === null || (bound !== 'min' && bound !== 'max') || range[bound] !== null)
      throw new HubError('BadRequest', `'num_parameters' must look like min:6B,max:128B`)
    range[bound] = Math.round(Number(match[2]) * (UNITS[match[3]?.toUpperCase() ?? ''] ?? 1))
  }
  return range
}

function one(parameters: Parameters, name: string): string | null {
  const values = readList(parameters, name)
  if (values.length > 1) throw new HubError('BadRequest', `'${name}' is given more than once`)
  const [value = ''] = values
  return value === '' ? null : value
}
