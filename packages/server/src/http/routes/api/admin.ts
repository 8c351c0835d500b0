import { z } from 'zod'

import { admin } from '../../../ops/admin.ts'
import { readJson } from '../../body.ts'
import type { Route } from '../../route.ts'

export const adminRoutes: readonly Route[] = [
  {
    method: 'POST',
    path: '/api/admin',
    hub: null,
    async handle({ admin: deps, principal, body }) {
      return { json: await admin(deps, principal, await readJson(body, z.unknown())) }
    },
  },
]
