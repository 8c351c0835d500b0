import { parsePreupload } from '@cairn/protocol/api/preupload'
import { z } from 'zod'

import { PREUPLOAD_BODY_MAX_BYTES } from '../../../../limits.ts'
import { preupload } from '../../../../ops/commits.ts'
import { readJson } from '../../../body.ts'
import { mistakesPrefix } from '../../../old-clients.ts'
import type { Route } from '../../../route.ts'
import { refusePullRequest } from './pull-request.ts'
import { revisionOf } from './refs.ts'

export const preuploadRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '{api}/preupload/*',
    hub: 'POST /api/{T}/{id}/preupload/{rev}',
    async handle({ ops, principal, repo, rest, query, site, client, body }) {
      refusePullRequest(query)
      const request = parsePreupload(await readJson(body, z.unknown(), PREUPLOAD_BODY_MAX_BYTES))
      const { commit, files } = await preupload(ops, principal, repo, revisionOf(rest), request)
      const hidesOids = repo.type === 'model' && mistakesPrefix(site, client.userAgent)
      return {
        json: {
          ...(commit.oid === '' ? {} : { commitOid: commit.oid }),
          files: files.map(({ path, uploadMode, shouldIgnore, oid }) => ({
            path,
            uploadMode,
            shouldIgnore,
            ...(oid === null || hidesOids ? {} : { oid }),
          })),
        },
      }
    },
  },
]
