/** Who a token belongs to: the body of `GET /api/whoami-v2` (hub-api.md §2.1), without addresses. */
import { HubError } from '@cairn/protocol/errors'

import type { OrgRole, TokenRole } from '../store/catalog/catalog.ts'
import type { Principal } from './access.ts'
import type { AccountDeps } from './change.ts'
import { readGrants, type Grants } from './grants.ts'

export interface Whoami {
  type: 'user'
  id: string
  name: string
  fullname: string
  email: string | null
  emailVerified: boolean
  canPay: false
  isPro: false
  periodEnd: null
  orgs: {
    type: 'org'
    id: string
    name: string
    fullname: string
    canPay: false
    isEnterprise: false
    roleInOrg: OrgRole
  }[]
  auth: {
    type: 'access_token'
    accessToken: {
      displayName: string
      role: TokenRole
      createdAt: string
      expiration?: string
      fineGrained?: Grants
    }
  }
}

export async function whoami(
  { catalog }: Pick<AccountDeps, 'catalog'>,
  principal: Principal,
): Promise<Whoami> {
  if (principal.kind !== 'user') throw new HubError('Unauthenticated')
  const { accounts, tokens } = catalog.rows
  const found = await tokens.get(principal.tokenId)
  // The token was deleted while this request was under way.
  if (found === null) throw new HubError('InvalidCredentials')
  const { token, account } = found
  const orgs = await accounts.orgsOf(account.id)
  return {
    type: 'user',
    id: account.id,
    name: account.name,
    fullname: account.fullname ?? account.name,
    email: account.email,
    emailVerified: account.email !== null,
    canPay: false,
    isPro: false,
    periodEnd: null,
    orgs: orgs.map(({ org, role }) => ({
      type: 'org',
      id: org.id,
      name: org.name,
      fullname: org.fullname ?? org.name,
      canPay: false,
      isEnterprise: false,
      roleInOrg: role,
    })),
    auth: {
      type: 'access_token',
      accessToken: {
        displayName: token.name,
        role: token.role,
        createdAt: new Date(token.createdAt).toISOString(),
        ...(token.expiresAt === null ? {} : { expiration: new Date(token.expiresAt).toISOString() }),
        ...(token.role === 'fineGrained' ? { fineGrained: readGrants(token.grants) } : {}),
      },
    },
  }
}
