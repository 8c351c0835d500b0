import { decodeBase64 } from '@cairn/protocol/api/base64'
import { HubError } from '@cairn/protocol/errors'
import { REGULAR_FILE_MAX_BYTES } from '@cairn/protocol/limits'
import { printable, REPO_TYPES } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { LFS_MULTIPART_ABOVE_MIN_BYTES } from '../../../../limits.ts'
import { createRepo } from '../../../../ops/repos.ts'
import { readJson } from '../../../body.ts'
import { withUrl } from '../../../existing.ts'
import { conflictInstead } from '../../../old-clients.ts'
import { readVisibility, refuseSpaceSettings, VISIBILITY_FIELDS } from '../../../repo-body.ts'
import type { Route } from '../../../route.ts'
import { repoUrl } from '../../../urls.ts'

/** hub-api.md §3.1. */
const Body = z.looseObject({
  name: z.string(),
  organization: z.string().nullish(),
  type: z.enum(REPO_TYPES).nullish(),
  ...VISIBILITY_FIELDS,
  sdk: z.enum(['gradio', 'streamlit', 'docker', 'static']).nullish(),
  license: z.string().max(100).nullish(),
  files: z
    .array(
      z.object({
        path: z.string(),
        content: z.string(),
        encoding: z.enum(['base64', 'utf-8']).default('utf-8'),
      }),
    )
    .max(100)
    .nullish(),
  /** Ours: false makes a repository without commits and refs, to push a mirror into. */
  initialCommit: z.boolean().nullish(),
  /** How huggingface_hub's own tests force uploads in parts (`HfApi._lfsmultipartthresh`). */
  lfsmultipartthresh: z
    .number()
    .int()
    .min(LFS_MULTIPART_ABOVE_MIN_BYTES)
    .max(Number.MAX_SAFE_INTEGER)
    .nullish(),
})

const CREATE_BODY_MAX_BYTES = 2 * REGULAR_FILE_MAX_BYTES

export const createRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/api/repos/create',
    hub: 'POST /api/repos/create',
    async handle(call) {
      const { ops, principal, registry, site, body } = call
      const request = await readJson(body, Body, CREATE_BODY_MAX_BYTES)
      const type = request.type ?? 'model'
      const isPrivate = readVisibility(request)
      refuseSpaceSettings(request)
      if (type === 'space' && !request.sdk)
        throw new HubError('BadRequest', `A Space needs an 'sdk': gradio, streamlit, docker or static`)
      try {
        const repo = await createRepo(ops, principal, {
          registry,
          type,
          namespace: request.organization ?? null,
          name: request.name,
          private: isPrivate ?? false,
          sdk: type === 'space' ? (request.sdk ?? null) : null,
          license: request.license ?? null,
          files: (request.files ?? []).map((file) => ({ path: file.path, content: contentOf(file) })),
          initialCommit: request.initialCommit ?? true,
          lfsMultipartAboveBytes: request.lfsmultipartthresh ?? null,
        })
        return { json: { url: repoUrl(site, repo), name: `${repo.namespace}/${repo.name}`, id: repo.id } }
      } catch (error) {
        const locator = { registry, type, namespace: request.organization ?? '', name: request.name }
        throw withUrl(site, await conflictInstead(call, error, locator))
      }
    },
  },
]

function contentOf(file: { path: string; content: string; encoding: 'base64' | 'utf-8' }): Uint8Array {
  const bytes = file.encoding === 'base64' ? decodeBase64(file.content) : Buffer.from(file.content)
  if (bytes === null)
    throw new HubError('BadRequest', `The content of '${printable(file.path)}' is not valid base64`)
  if (bytes.length > REGULAR_FILE_MAX_BYTES)
    throw new HubError('TooLarge', `'${printable(file.path)}' is too large to be inline`)
  return bytes
}
