/** Organizations and their members: hub-api.md §15. */
import { z } from 'zod'

import { orgRoleField } from '../../../ops/account-fields.ts'
import { pageMembers, profile, setMemberRole } from '../../../ops/profiles.ts'
import { orgOverview, userShape } from '../../account-shapes.ts'
import { readJson } from '../../body.ts'
import { firstOf, readLimit } from '../../query.ts'
import type { Call, Route } from '../../route.ts'
import { avatarUrl, nextPageHeaders } from '../../urls.ts'

const find = ({ ops, principal, registry, params }: Call) =>
  profile(ops, principal, registry, 'org', params['org'] ?? '')

const RoleBody = z.looseObject({ role: orgRoleField })

export const organizationRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/organizations/:org/overview',
    hub: 'GET /api/organizations/{o}/overview',
    handle: async (call) => ({ json: orgOverview(call.site, await find(call)) }),
  },
  {
    method: 'GET',
    path: '/api/organizations/:org/members',
    hub: 'GET /api/organizations/{o}/members',
    async handle({ ops, principal, params, query, site, url }) {
      const { members, nextCursor } = await pageMembers(ops, principal, params['org'] ?? '', {
        email: firstOf(query, 'email'),
        cursor: firstOf(query, 'cursor'),
        limit: readLimit(query),
      })
      return {
        headers: nextPageHeaders(site, url, nextCursor),
        json: members.map(({ user, role }) => ({ ...userShape(site, user), role })),
      }
    },
  },
  {
    method: 'PUT',
    path: '/api/organizations/:org/members/:user/role',
    hub: 'PUT /api/organizations/{o}/members/{u}/role',
    async handle({ ops, principal, params, body, site }) {
      const { role } = await readJson(body, RoleBody)
      const member = await setMemberRole(ops, principal, params['org'] ?? '', params['user'] ?? '', role)
      return { json: { ...userShape(site, member.user), role: member.role } }
    },
  },
  {
    method: 'GET',
    path: '/api/organizations/:org/followers',
    hub: 'GET /api/organizations/{o}/followers',
    quirk: 'always empty: nobody follows anybody here',
    async handle(call) {
      await find(call)
      return { json: [] }
    },
  },
  {
    method: 'GET',
    path: '/api/organizations/:org/avatar',
    hub: 'GET /api/organizations/{o}/avatar',
    async handle(call) {
      return { json: { avatarUrl: avatarUrl(call.site, (await find(call)).account.name) } }
    },
  },
  {
    method: 'GET',
    path: '/api/organizations/:org/socials',
    hub: 'GET /api/organizations/{o}/socials',
    quirk: 'always empty: no such links are kept',
    async handle(call) {
      await find(call)
      return { json: {} }
    },
  },
]
