/** What users show of themselves: hub-api.md §15. */
import { profile } from '../../../ops/profiles.ts'
import { userOverview } from '../../account-shapes.ts'
import type { Call, Route } from '../../route.ts'
import { avatarUrl } from '../../urls.ts'

const find = ({ ops, principal, registry, params }: Call) =>
  profile(ops, principal, registry, 'user', params['user'] ?? '')

export const userRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/users/:user/overview',
    hub: 'GET /api/users/{u}/overview',
    handle: async (call) => ({ json: userOverview(call.site, await find(call)) }),
  },
  ...['followers', 'following'].map((name): Route => ({
    method: 'GET',
    path: `/api/users/:user/${name}`,
    hub: `GET /api/users/{u}/${name}`,
    quirk: 'always empty: nobody follows anybody here',
    async handle(call) {
      await find(call)
      return { json: [] }
    },
  })),
  {
    method: 'GET',
    path: '/api/users/:user/avatar',
    hub: 'GET /api/users/{u}/avatar',
    async handle(call) {
      return { json: { avatarUrl: avatarUrl(call.site, (await find(call)).account.name) } }
    },
  },
  {
    method: 'GET',
    path: '/api/users/:user/socials',
    hub: 'GET /api/users/{u}/socials',
    quirk: 'always empty: no such links are kept',
    async handle(call) {
      await find(call)
      return { json: {} }
    },
  },
]
