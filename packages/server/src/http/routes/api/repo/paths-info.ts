import { readBoolean } from '@cairn/protocol/api/query'
import { HubError } from '@cairn/protocol/errors'
import { z } from 'zod'

import { PATHS_INFO_MAX } from '../../../../limits.ts'
import { pathsInfo } from '../../../../ops/files.ts'
import { readFormOrJson } from '../../../body.ts'
import type { Route } from '../../../route.ts'
import { entryShape } from '../../../shapes.ts'

/** Python sends a form with `expand=True|true`, JS sends JSON (clients.md §0.10). */
const Body = z.object({
  paths: z.union([z.array(z.string()), z.string().transform((path) => [path])]),
  expand: z.union([z.boolean(), z.string()]).nullish(),
})

export const pathsInfoRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '{api}/paths-info/*',
    hub: 'POST /api/{T}/{id}/paths-info/{rev}',
    async handle({ ops, principal, repo, rest, body }) {
      const request = await readFormOrJson(body, Body, ['paths'])
      const { paths } = request
      const expand = readBoolean(request, 'expand')
      if (paths.length > PATHS_INFO_MAX)
        throw new HubError('TooLarge', `too many parameters: at most ${PATHS_INFO_MAX} paths`)
      return { json: (await pathsInfo(ops, principal, repo, rest, paths, expand)).map(entryShape) }
    },
  },
]
