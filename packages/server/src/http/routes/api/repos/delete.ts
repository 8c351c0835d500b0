import { REPO_TYPES } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { assertUser } from '../../../../ops/access.ts'
import { deleteRepo } from '../../../../ops/deleted-repos.ts'
import { readJson } from '../../../body.ts'
import type { Route } from '../../../route.ts'

const Body = z.object({
  name: z.string(),
  organization: z.string().nullish(),
  type: z.enum(REPO_TYPES).nullish(),
})

export const deleteRoutes: readonly Route[] = [
  {
    method: 'DELETE',
    path: '/api/repos/delete',
    hub: 'DELETE /api/repos/delete',
    async handle({ ops, principal, registry, body }) {
      const { name, organization, type } = await readJson(body, Body)
      // 0.19 sends the whole id as the name when it was given none of the two apart.
      const [first = '', second] = name.split('/', 2)
      const namespace = second === undefined ? (organization ?? assertUser(principal).name) : first
      await deleteRepo(ops, principal, { registry, type: type ?? 'model', namespace, name: second ?? first })
      return { text: 'OK' }
    },
  },
]
