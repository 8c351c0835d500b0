import { z } from 'zod'

import { duplicateRepo } from '../../../../ops/duplicate.ts'
import { readJson } from '../../../body.ts'
import { withUrl } from '../../../existing.ts'
import { readVisibility, refuseSpaceSettings, splitRepoId, VISIBILITY_FIELDS } from '../../../repo-body.ts'
import type { Route } from '../../../route.ts'
import { repoUrl } from '../../../urls.ts'

const Body = z.looseObject({ repository: z.string().max(400), ...VISIBILITY_FIELDS })

export const duplicateRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '{api}/duplicate',
    hub: 'POST /api/{T}/{id}/duplicate',
    quirk: 'large files are there at once: filesCopyPending is always false',
    async handle({ ops, principal, repo, site, body }) {
      const request = await readJson(body, Body)
      refuseSpaceSettings(request)
      const to = { ...splitRepoId(request.repository), private: readVisibility(request) }
      try {
        const copy = await duplicateRepo(ops, principal, repo, to)
        const name = `${copy.namespace}/${copy.name}`
        return { json: { url: repoUrl(site, copy), name, id: copy.id, filesCopyPending: false } }
      } catch (error) {
        throw withUrl(site, error)
      }
    },
  },
]
