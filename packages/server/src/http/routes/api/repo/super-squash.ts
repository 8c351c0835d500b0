import { z } from 'zod'

import { superSquash } from '../../../../ops/squash.ts'
import { readJson } from '../../../body.ts'
import type { Route } from '../../../route.ts'
import { revisionOf } from './refs.ts'

const Body = z.object({ message: z.string().nullish() })

/** huggingface_hub 0.19.4 does not encode the branch, so the rest of the address is its name. */
export const superSquashRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '{api}/super-squash/*',
    hub: 'POST /api/{T}/{id}/super-squash/{branch}',
    async handle({ ops, principal, repo, rest, body }) {
      const { message } = await readJson(body, Body)
      const branch = revisionOf(rest)
      const { commitOid } = await superSquash(ops, principal, repo, { branch, message: message ?? null })
      return { json: { commitOid } }
    },
  },
]
