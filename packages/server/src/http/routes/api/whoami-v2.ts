import { HubError } from '@cairn/protocol/errors'

import { whoami } from '../../../ops/whoami.ts'
import type { Route } from '../../route.ts'
import { avatarUrl } from '../../urls.ts'

export const whoamiRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/whoami-v2',
    hub: 'GET /api/whoami-v2',
    async handle({ ops, principal, site }) {
      if (principal.kind !== 'user') throw new HubError('Unauthenticated', 'Invalid username or password.')
      const me = await whoami(ops, principal)
      return {
        json: {
          ...me,
          avatarUrl: avatarUrl(site, me.name),
          orgs: me.orgs.map((org) => ({ ...org, avatarUrl: avatarUrl(site, org.name) })),
        },
      }
    },
  },
]
