import { HubError } from '@cairn/protocol/errors'

import { whoami } from '../../../ops/whoami.ts'
import type { Route } from '../../route.ts'

export const whoamiRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/whoami-v2',
    hub: 'GET /api/whoami-v2',
    async handle({ ops, principal }) {
      if (principal.kind !== 'user') throw new HubError('Unauthenticated', 'Invalid username or password.')
      return { json: await whoami(ops, principal) }
    },
  },
]
