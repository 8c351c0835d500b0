import { decodeBase64 } from '@cairn/protocol/api/base64'
import { HubError } from '@cairn/protocol/errors'
import { REGULAR_FILE_MAX_BYTES } from '@cairn/protocol/limits'
import { printable, REPO_TYPES } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { createRepo } from '../../../../ops/repos.ts'
import { readJson } from '../../../body.ts'
import type { Route } from '../../../route.ts'
import { repoUrl } from '../../../urls.ts'

/** hub-api.md §3.1. */
const Body = z.looseObject({
  name: z.string(),
  organization: z.string().nullish(),
  type: z.enum(REPO_TYPES).nullish(),
  private: z.boolean().nullish(),
  visibility: z.enum(['public', 'private', 'protected']).nullish(),
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
})

/** What would change how a Space runs, or where it lies. Ignoring it would report a success that did not happen. */
const UNSUPPORTED = [
  'template',
  'hardware',
  'storageTier',
  'sleepTimeSeconds',
  'secrets',
  'variables',
  'volumes',
  'region',
  'resourceGroupId',
]

const CREATE_BODY_MAX_BYTES = 2 * REGULAR_FILE_MAX_BYTES

export const createRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/api/repos/create',
    hub: 'POST /api/repos/create',
    async handle({ ops, principal, registry, site, body }) {
      const request = await readJson(body, Body, CREATE_BODY_MAX_BYTES)
      const type = request.type ?? 'model'
      const unsupported = UNSUPPORTED.find((key) => request[key] !== undefined && request[key] !== null)
      if (unsupported !== undefined)
        throw new HubError(
          'NotImplemented',
          `Creating a repository with '${unsupported}' is not supported: this hub runs no Spaces`,
        )
      if (request.visibility === 'protected')
        throw new HubError(
          'NotImplemented',
          `Visibility 'protected' is not supported: use 'public' or 'private'`,
        )
      if (type === 'space' && !request.sdk)
        throw new HubError('BadRequest', `A Space needs an 'sdk': gradio, streamlit, docker or static`)
      try {
        const repo = await createRepo(ops, principal, {
          registry,
          type,
          namespace: request.organization ?? null,
          name: request.name,
          private: request.visibility ? request.visibility === 'private' : (request.private ?? false),
          sdk: type === 'space' ? (request.sdk ?? null) : null,
          license: request.license ?? null,
          files: (request.files ?? []).map((file) => ({ path: file.path, content: contentOf(file) })),
        })
        return { json: { url: repoUrl(site, repo), name: `${repo.namespace}/${repo.name}`, id: repo.id } }
      } catch (error) {
        throw withUrl(error, (existing) => repoUrl(site, existing))
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

/** A 409 must name the repository's address: clients with `exist_ok` go on with it. */
function withUrl(error: unknown, url: (existing: Parameters<typeof repoUrl>[1]) => string): unknown {
  const existing = error instanceof HubError ? error.body?.['existing'] : undefined
  if (!(error instanceof HubError) || existing === undefined) return error
  const address = url(existing as Parameters<typeof repoUrl>[1])
  return new HubError(error.code, error.message, { cause: error, body: { url: address } })
}
