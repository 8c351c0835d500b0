/** LFS files of a repository: listed, deleted for good, taken over from another one. hub-api.md §5. */
import { formatDate } from '@cairn/protocol/api/dates'
import { readBoolean } from '@cairn/protocol/api/query'
import { HubError } from '@cairn/protocol/errors'
import { REPO_TYPES, type RepoType } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { LFS_DUPLICATE_MAX, LFS_PURGE_MAX } from '../../../../limits.ts'
import type { RepoLocator } from '../../../../ops/access.ts'
import { duplicateContents } from '../../../../ops/lfs-duplicate.ts'
import { listLfsFiles, purgeLfsFiles } from '../../../../ops/lfs-files.ts'
import { checkShape, readJson } from '../../../body.ts'
import { firstOf, readLimit } from '../../../query.ts'
import type { Route } from '../../../route.ts'
import { nextPageHeaders } from '../../../urls.ts'

const Sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'not a sha256 in lower case')
const Purge = z.object({
  deletions: z.object({
    sha: z.array(Sha256).max(LFS_PURGE_MAX),
    rewriteHistory: z.boolean().default(false),
  }),
})
const Duplicate = z.object({
  target: z.object({ type: z.enum(REPO_TYPES).default('model'), name: z.string().max(256) }),
  files: z.array(z.object({ sha256: Sha256 })).max(LFS_DUPLICATE_MAX),
})

export const lfsFilesRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '{api}/lfs-files',
    hub: 'GET /api/{T}/{id}/lfs-files',
    quirk: '`fileOid` is the sha256, as `oid` is; a file that no commit names has its sha256 for a name',
    async handle({ ops, principal, repo, query, site, url }) {
      const page = { cursor: firstOf(query, 'cursor'), limit: readLimit(query) }
      const { files, nextCursor } = await listLfsFiles(ops, principal, repo, page)
      return {
        headers: nextPageHeaders(site, url, nextCursor),
        json: files.map(({ oid, sizeBytes, pushedAt, filename, ref }) => ({
          fileOid: oid,
          filename,
          oid,
          pushedAt: formatDate(pushedAt),
          ...(ref === null ? {} : { ref }),
          size: sizeBytes,
        })),
      }
    },
  },
  {
    method: 'POST',
    path: '{api}/lfs-files/batch',
    hub: 'POST /api/{T}/{id}/lfs-files/batch',
    async handle({ ops, principal, repo, body }) {
      const { sha, rewriteHistory } = (await readJson(body, Purge)).deletions
      await purgeLfsFiles(ops, principal, repo, { oids: sha, rewriteHistory })
      return { json: { success: true } }
    },
  },
  {
    method: 'DELETE',
    path: '{api}/lfs-files/:sha',
    hub: 'DELETE /api/{T}/{id}/lfs-files/{sha}',
    async handle({ ops, principal, repo, params, query }) {
      const oid = checkShape(Sha256, params['sha'])
      await purgeLfsFiles(ops, principal, repo, {
        oids: [oid],
        rewriteHistory: readBoolean(query, 'rewriteHistory'),
      })
      return { json: { success: true } }
    },
  },
  {
    method: 'POST',
    path: '{api}/lfs-files/duplicate',
    hub: 'POST /api/{T}/{id}/lfs-files/duplicate',
    async handle({ ops, principal, repo, body }) {
      const { target, files } = await readJson(body, Duplicate)
      const to = targetOf(repo, target)
      const oids = files.map(({ sha256 }) => sha256)
      return { json: { failed: await duplicateContents(ops, principal, repo, to, oids) } }
    },
  },
]

/** A repository of the same registry. */
function targetOf(source: RepoLocator, target: { type: RepoType; name: string }): RepoLocator {
  const [namespace, name, ...rest] = target.name.split('/')
  if (!namespace || !name || rest.length > 0)
    throw new HubError('BadRequest', 'target.name has the form {namespace}/{name}')
  return { registry: source.registry, type: target.type, namespace, name }
}
