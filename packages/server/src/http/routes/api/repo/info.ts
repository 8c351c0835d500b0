/** Info of a repository: hub-api.md §4.1. */
import { formatDate } from '@cairn/protocol/api/dates'
import { readBoolean, readExpand } from '@cairn/protocol/api/query'
import { HubError } from '@cairn/protocol/errors'

import { downloadSummary, type DownloadSummary } from '../../../../ops/downloads.ts'
import { repoInfo, type RepoInfo } from '../../../../ops/info.ts'
import type { Reply } from '../../../reply.ts'
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
  const expand = [...readExpand(query, repo.type)]
  const blobs = readBoolean(query, 'blobs')
  const securityStatus = readBoolean(query, 'securityStatus')
  if (expand.length > 0 && (blobs || securityStatus))
    throw new HubError('BadRequest', `'expand' cannot be combined with 'blobs' or 'securityStatus'`)
  if (securityStatus)
    throw new HubError('NotImplemented', 'This hub does not scan files: securityStatus is not known')
  const found = await repoInfo(ops, principal, repo, revision, { blobs })
  const fields = fieldsOf(found, await downloadSummary(ops, found.repo.id))
  const wanted = expand.length > 0 ? expand : Object.keys(fields).filter((field) => !ON_DEMAND.has(field))
  const id = `${found.repo.namespace}/${found.repo.name}`
  const json: Record<string, unknown> = {
    _id: found.repo.id,
    id,
    ...(repo.type === 'model' ? { modelId: id } : {}),
  }
  for (const field of wanted) {
    const value = fields[field]
    if (value !== undefined) json[field] = value
  }
  return { json }
}

/** Sent only when asked for by `expand`. */
const ON_DEMAND: ReadonlySet<string> = new Set(['xetEnabled', 'downloadsAllTime'])

function fieldsOf(
  { repo, commit, card, facts, siblings }: RepoInfo,
  downloads: DownloadSummary,
): Record<string, unknown> {
  const common = {
    author: repo.namespace,
    sha: commit.oid === '' ? null : commit.oid,
    lastModified: formatDate(repo.lastModified),
    createdAt: formatDate(repo.createdAt),
    private: repo.private,
    gated: false,
    disabled: repo.disabled,
    downloads: downloads.recent,
    downloadsAllTime: downloads.allTime,
    // Required by huggingface_hub up to 0.23. Nobody can like yet.
    likes: 0,
    tags: facts.tags,
    cardData: card ?? undefined,
    siblings: siblings.map(siblingShape),
    xetEnabled: true,
  }
  switch (repo.type) {
    case 'model':
      return {
        ...common,
        library_name: facts.libraryName ?? undefined,
        pipeline_tag: facts.pipelineTag ?? undefined,
      }
    case 'dataset':
      return common
    case 'space':
      return { ...common, sdk: facts.sdk ?? repo.sdk ?? undefined }
  }
}

/** `lfs.sha256` here, `lfs.oid` in tree entries: so it is on the Hub. */
function siblingShape({ path, oid, blob }: RepoInfo['siblings'][number]): Record<string, unknown> {
  if (blob === null) return { rfilename: path }
  const { sizeBytes, lfs } = blob
  return {
    rfilename: path,
    blobId: oid,
    size: lfs?.sizeBytes ?? sizeBytes,
    ...(lfs === null ? {} : { lfs: { sha256: lfs.oid, size: lfs.sizeBytes, pointerSize: sizeBytes } }),
  }
}
