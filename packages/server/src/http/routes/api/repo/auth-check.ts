import { repoFor } from '../../../../ops/access.ts'
import type { Route } from '../../../route.ts'

/** hub-api.md §2.4. */
const CHECKS = [
  ['', 'read'],
  ['/write', 'write'],
] as const

export const authCheckRoutes: readonly Route[] = CHECKS.map(([suffix, action]) => ({
  method: 'GET',
  path: `{api}/auth-check${suffix}`,
  hub: `GET /api/{T}/{id}/auth-check${suffix}`,
  async handle({ ops, principal, repo }) {
    await repoFor(ops, principal, repo, action)
    return { text: 'OK' }
  },
}))
