/** Downloads: hub-api.md §6. Answered here directly, never by a redirect (clients.md §0.3). */
import { readBoolean } from '@cairn/protocol/api/query'

import { RepoMovedError } from '../../ops/access.ts'
import { resolveFile, type ResolvedFile } from '../../ops/files.ts'
import { contentHeaders } from '../content-headers.ts'
import { countDownload } from '../count-download.ts'
import { rangedReply } from '../ranged.ts'
import type { Reply } from '../reply.ts'
import type { Call, Route } from '../route.ts'
import { casUrl, repoApiUrl, type Site } from '../urls.ts'

/** @huggingface/hub 2.17.5 asks with it whether a file lies in Xet; only such a file may answer in that type. */
const XET_FILE_INFO = 'application/vnd.xet-fileinfo+json'

export const resolveRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '{web}/resolve/*',
    hub: 'GET /{id}/resolve/{rev}/{path}',
    handle: (call) => downloadByAnyName(call, 'content'),
  },
  {
    method: 'GET',
    path: '{web}/raw/*',
    hub: 'GET /{id}/raw/{rev}/{path}',
    handle: (call) => downloadByAnyName(call, 'raw'),
  },
]

/**
 * Public files of a renamed repository redirect. Private ones are answered at the old name: huggingface_hub 0.19 and
 * 0.20 follow a redirect without their token (hub-api.md §6.3).
 */
async function downloadByAnyName(call: Call, form: 'content' | 'raw'): Promise<Reply> {
  try {
    return await download(call, form)
  } catch (error) {
    if (!(error instanceof RepoMovedError) || !error.to.private) throw error
    const { namespace, name } = error.to
    return download({ ...call, repo: { ...call.repo, namespace, name } }, form)
  }
}

async function download(call: Call, form: 'content' | 'raw'): Promise<Reply> {
  const file = await resolveFile(call.ops, call.principal, call.repo, call.rest, form)
  const attachment = readBoolean(call.query, 'download')
  const headers = { ...contentHeaders(file.path, attachment), ...identityOf(file, form, call.site) }
  if (file.xetHash !== null && call.headers.accept?.includes(XET_FILE_INFO))
    return {
      headers: { ...headers, 'Content-Type': XET_FILE_INFO },
      json: { hash: file.xetHash, size: file.content.sizeBytes },
    }
  const reply = rangedReply(file.content, headers, call.headers)
  if (form === 'content' && reply.content !== undefined) countDownload(call, file.repo.id)
  return reply
}

/** What the client needs to know the file by; the same on HEAD, GET and 206. */
function identityOf(file: ResolvedFile, form: 'content' | 'raw', site: Site): Record<string, string> {
  const lfs = form === 'content' ? file.facts.lfs : null
  const etag = `"${lfs?.oid ?? file.blobOid}"`
  const headers: Record<string, string> = {
    'X-Repo-Commit': file.commit.oid,
    ETag: etag,
    'Accept-Ranges': 'bytes',
  }
  if (lfs === null) return headers
  headers['X-Linked-ETag'] = etag
  headers['X-Linked-Size'] = String(lfs.sizeBytes)
  if (file.xetHash === null) return headers
  const auth = `${repoApiUrl(site, file.repo)}/xet-read-token/${file.commit.oid}`
  headers['X-Xet-Hash'] = file.xetHash
  headers['X-Xet-Refresh-Route'] = auth
  headers['Link'] =
    `<${auth}>; rel="xet-auth", <${casUrl(site, file.repo.domainId)}/v1/reconstructions/${file.xetHash}>; rel="xet-reconstruction-info"`
  headers['Vary'] = 'Accept'
  return headers
}
