/** The fields of a repository on the wire, for info replies and lists: hub-api.md §4.1. A field without a value is left out. */
import { formatDate } from '@cairn/protocol/api/dates'
import type { RepoType } from '@cairn/protocol/repo-id'

import type { Relation, RepoView } from '../ops/repo-view.ts'

/** What has to be looked up only when somebody wants the field. */
const RELATIONS: Readonly<Record<string, Relation>> = {
  usedStorage: 'storedBytes',
  childrenModelCount: 'childCount',
  spaces: 'spaces',
}

export function relationsFor(fields: Iterable<string>): Set<Relation> {
  return new Set(
    [...fields].flatMap((field) => (Object.hasOwn(RELATIONS, field) ? (RELATIONS[field] ?? []) : [])),
  )
}

/** `_id`, `id` and the wanted fields, in this order. */
export function repoShape(view: RepoView, fields: Iterable<string>): Record<string, unknown> {
  const { repo } = view
  const id = `${repo.namespace}/${repo.name}`
  const json: Record<string, unknown> = {
    _id: repo.id,
    id,
    ...(repo.type === 'model' ? { modelId: id } : {}),
  }
  for (const field of fields) {
    const value = (OWN_FIELDS[repo.type][field] ?? FIELDS[field])?.(view)
    if (value !== undefined && value !== null) json[field] = value
  }
  return json
}

type Field = (view: RepoView) => unknown

const FIELDS: Readonly<Record<string, Field>> = {
  author: ({ repo }) => repo.namespace,
  // A repository without commits has none.
  sha: ({ commitOid }) => commitOid || undefined,
  lastModified: ({ repo }) => formatDate(repo.lastModified),
  createdAt: ({ repo }) => formatDate(repo.createdAt),
  private: ({ repo }) => repo.private,
  gated: () => false,
  disabled: ({ repo }) => repo.disabled,
  // Required by huggingface_hub up to 0.23, as are `private` and `tags`.
  downloads: ({ counts }) => counts.downloads,
  likes: ({ counts }) => counts.likes,
  downloadsAllTime: ({ counts }) => counts.downloadsAllTime,
  trendingScore: ({ counts }) => counts.trendingScore,
  usedStorage: ({ relations }) => relations.storedBytes,
  tags: ({ facts }) => facts?.tags ?? [],
  cardData: ({ facts }) => facts?.card,
  siblings: ({ siblings }) => siblings.map(siblingShape),
  xetEnabled: () => true,
}

const OWN_FIELDS: Readonly<Record<RepoType, Readonly<Record<string, Field>>>> = {
  model: {
    library_name: ({ facts }) => facts?.libraryName,
    pipeline_tag: ({ facts }) => facts?.pipelineTag,
    mask_token: ({ facts }) => facts?.maskToken,
    'model-index': ({ facts }) => facts?.card?.['model-index'],
    widgetData: ({ facts }) => facts?.card?.['widget'],
    config: ({ facts }) => facts?.config,
    transformersInfo: ({ facts }) => facts?.transformersInfo,
    safetensors: ({ facts }) => facts?.safetensors,
    gguf: ({ facts }) => facts?.gguf,
    baseModels: ({ facts }) => facts?.baseModels ?? [],
    childrenModelCount: ({ relations }) => relations.childCount,
    spaces: ({ relations }) => relations.spaces,
  },
  dataset: {
    description: ({ facts }) => facts?.excerpt,
    paperswithcode_id: ({ facts }) => textOf(facts?.card?.['paperswithcode_id']),
  },
  space: {
    sdk: ({ facts, repo }) => facts?.sdk ?? repo.sdk,
    models: ({ facts }) => textsOf(facts?.card?.['models']),
    datasets: ({ facts }) => textsOf(facts?.card?.['datasets']),
  },
}

/** Sent with info when nothing else is asked for. */
export const INFO_FIELDS: Readonly<Record<RepoType, readonly string[]>> = {
  model:
    words(`author sha lastModified createdAt private gated disabled downloads likes library_name pipeline_tag
    mask_token tags cardData model-index config transformersInfo widgetData siblings spaces safetensors gguf`),
  dataset:
    words(`author sha lastModified createdAt private gated disabled downloads likes paperswithcode_id tags
    cardData siblings description`),
  space:
    words(`author sha lastModified createdAt private gated disabled likes downloads sdk tags cardData siblings models
    datasets`),
}

/** Sent with lists when nothing else is asked for. */
export const LIST_FIELDS: Readonly<Record<RepoType, readonly string[]>> = {
  model: words('likes trendingScore private downloads tags pipeline_tag library_name createdAt'),
  dataset:
    words(`author disabled gated lastModified likes trendingScore private sha description downloads tags
    paperswithcode_id createdAt`),
  space: words('likes trendingScore private sdk tags createdAt'),
}

/** Sent with lists besides when `full` is asked for. */
export const FULL_FIELDS: Readonly<Record<RepoType, readonly string[]>> = {
  model: words('author gated disabled lastModified sha siblings'),
  dataset: words('author gated disabled lastModified sha siblings cardData'),
  space: words('author gated disabled lastModified sha siblings cardData models datasets'),
}

function words(text: string): string[] {
  return text.split(/\s+/)
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

function textsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((item) => typeof item === 'string')
}

/** `lfs.sha256` here, `lfs.oid` in tree entries: so it is on the Hub. */
function siblingShape({ path, oid, blob }: RepoView['siblings'][number]): Record<string, unknown> {
  if (blob === null) return { rfilename: path }
  const { sizeBytes, lfs } = blob
  return {
    rfilename: path,
    blobId: oid,
    size: lfs?.sizeBytes ?? sizeBytes,
    ...(lfs === null ? {} : { lfs: { sha256: lfs.oid, size: lfs.sizeBytes, pointerSize: sizeBytes } }),
  }
}
