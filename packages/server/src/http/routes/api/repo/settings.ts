import { HubError } from '@cairn/protocol/errors'
import { z } from 'zod'

import { changeSettings } from '../../../../ops/settings.ts'
import { readJson } from '../../../body.ts'
import { readVisibility, VISIBILITY_FIELDS } from '../../../repo-body.ts'
import type { Route } from '../../../route.ts'

/** Strict: a setting that is not known here would be taken for set. */
const Body = z.strictObject({
  ...VISIBILITY_FIELDS,
  gated: z.union([z.literal(false), z.enum(['auto', 'manual'])]).nullish(),
})

export const settingsRoutes: readonly Route[] = [
  {
    method: 'PUT',
    path: '{api}/settings',
    hub: 'PUT /api/{T}/{id}/settings',
    async handle({ ops, principal, repo, body }) {
      const settings = await readJson(body, Body)
      if (settings.gated)
        throw new HubError(
          'NotImplemented',
          `Gated access is not supported by this hub: 'gated' must be false`,
        )
      const isPrivate = readVisibility(settings)
      if (isPrivate === null && settings.gated !== false)
        throw new HubError('BadRequest', `Give at least one setting: 'visibility', 'private' or 'gated'`)
      const changed = await changeSettings(
        ops,
        principal,
        repo,
        isPrivate === null ? {} : { private: isPrivate },
      )
      return { json: { private: changed.private } }
    },
  },
]
