/**
 * For whom a signed value was made: CAS tokens, addresses of LFS objects and of xorbs. Such a value holds no right of
 * its own. Each use asks again what its bearer may do to the repository now, so that a revoked or rotated token, a lost
 * membership, a repository made private, disabled or deleted ends what was handed out before.
 */
import { HubError } from '@cairn/protocol/errors'

import type { RepoRow } from '../store/catalog/catalog.ts'
import { repoActions, type Principal, type RepoAction } from './access.ts'
import { principalOf } from './authenticate.ts'
import type { OpsContext } from './context.ts'

type BearerDeps = Pick<OpsContext, 'catalog' | 'clock'>

const ANONYMOUS = ''
const OPERATOR = 'operator'
/** Of the hash of the token's string: enough to tell a rotated token from itself. */
const STAMP_CHARS = 12

/** Short, and of characters that need no escape in an address. Tokens are named by id, never by their string. */
export function bearerOf(principal: Principal): string {
  if (principal.kind === 'anonymous') return ANONYMOUS
  if (principal.kind === 'operator') return OPERATOR
  return `${principal.tokenId}.${principal.tokenHash.slice(0, STAMP_CHARS)}`
}

/** Null when its token is gone, expired, or has another string now. */
export async function principalBehind(ctx: BearerDeps, bearer: string): Promise<Principal | null> {
  if (bearer === ANONYMOUS) return { kind: 'anonymous' }
  if (bearer === OPERATOR) return { kind: 'operator' }
  const dot = bearer.lastIndexOf('.')
  const found = await ctx.catalog.rows.tokens.get(bearer.slice(0, dot))
  if (found === null || !found.token.hash.startsWith(bearer.slice(dot + 1))) return null
  const { expiresAt } = found.token
  return expiresAt !== null && expiresAt <= ctx.clock() ? null : principalOf(found.token, found.account)
}

/** Who a principal is now: a body may take hours to arrive, and its token may be gone by then. */
export async function principalNow(ctx: BearerDeps, principal: Principal): Promise<Principal> {
  const now = await principalBehind(ctx, bearerOf(principal))
  if (now === null) throw new HubError('InvalidCredentials', 'The token was revoked meanwhile')
  return now
}

/** Whether the bearer may still do that. The repository is one that was read just now. */
export async function bearerMay(
  ctx: BearerDeps,
  bearer: string,
  repo: RepoRow,
  action: RepoAction,
): Promise<boolean> {
  if (repo.deletedAt !== null || repo.disabled) return false
  const principal = await principalBehind(ctx, bearer)
  return principal !== null && (await repoActions(ctx, principal, repo)).has(action)
}
