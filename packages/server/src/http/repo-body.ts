/** What bodies that make or change a repository have in common: hub-api.md §3. */
import { HubError } from '@cairn/protocol/errors'
import { z } from 'zod'

/** Clients up to 1.x send `private`, newer ones `visibility`. */
export const VISIBILITY_FIELDS = {
  private: z.boolean().nullish(),
  visibility: z.enum(['public', 'private', 'protected']).nullish(),
}

/** True for private; null when the body says nothing. */
export function readVisibility(body: {
  private?: boolean | null | undefined
  visibility?: string | null | undefined
}): boolean | null {
  if (body.visibility === 'protected')
    throw new HubError('NotImplemented', `Visibility 'protected' is not supported: use 'public' or 'private'`)
  return body.visibility ? body.visibility === 'private' : (body.private ?? null)
}

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

export function refuseSpaceSettings(body: Record<string, unknown>): void {
  const unsupported = UNSUPPORTED.find((key) => body[key] !== undefined && body[key] !== null)
  if (unsupported !== undefined)
    throw new HubError('NotImplemented', `'${unsupported}' is not supported: this hub runs no Spaces`)
}

/** `namespace/name` of a repository that shall be. */
export function splitRepoId(id: string): { namespace: string; name: string } {
  const [namespace = '', name = '', ...rest] = id.split('/')
  if (namespace === '' || name === '' || rest.length > 0)
    throw new HubError('BadRequest', `A repository is given as 'namespace/name'`)
  return { namespace, name }
}
