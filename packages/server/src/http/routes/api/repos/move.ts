import { HubError } from '@cairn/protocol/errors'
import { REPO_TYPES, type RepoType } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { moveRepo } from '../../../../ops/move.ts'
import { readJson } from '../../../body.ts'
import { withUrl } from '../../../existing.ts'
import { splitRepoId } from '../../../repo-body.ts'
import type { Route } from '../../../route.ts'
import { repoUrl } from '../../../urls.ts'

const Body = z.object({
  fromRepo: z.string().max(400),
  toRepo: z.string().max(400),
  type: z.enum([...REPO_TYPES, 'bucket', 'kernel']).nullish(),
})

export const moveRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/api/repos/move',
    hub: 'POST /api/repos/move',
    async handle({ ops, principal, registry, site, body }) {
      const { fromRepo, toRepo, type } = await readJson(body, Body)
      if (type === 'bucket' || type === 'kernel')
        throw new HubError('NotImplemented', `Moving a ${type} is not supported by this hub`)
      const from = { registry, type: (type ?? 'model') as RepoType, ...splitRepoId(fromRepo) }
      try {
        return { json: { url: repoUrl(site, await moveRepo(ops, principal, from, splitRepoId(toRepo))) } }
      } catch (error) {
        throw withUrl(site, error)
      }
    },
  },
]
