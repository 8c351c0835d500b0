/** From a token string to a principal. */
import { HubError } from '@cairn/protocol/errors'

import { TOKEN_TOUCH_INTERVAL_MS } from '../limits.ts'
import type { Principal } from './access.ts'
import type { OpsContext } from './context.ts'
import { readGrants } from './grants.ts'
import { hashToken } from './token-string.ts'

/**
 * Null means that the request carried no credential. A wrong or expired one is refused even where none was needed, as
 * the Hub does: silently serving an anonymous view would hide the mistake.
 */
export async function authenticate(ctx: OpsContext, credential: string | null): Promise<Principal> {
  if (credential === null) return { kind: 'anonymous' }
  const found = await ctx.catalog.rows.tokens.getByHash(hashToken(credential))
  const now = ctx.clock()
  if (found === null || (found.token.expiresAt !== null && found.token.expiresAt <= now))
    throw new HubError('InvalidCredentials')
  const { token, account } = found
  if (token.lastUsedAt === null || now - token.lastUsedAt > TOKEN_TOUCH_INTERVAL_MS)
    void ctx.catalog
      .tx((rows) => rows.tokens.touch(token.id, now))
      .catch((error: unknown) => ctx.log.warn({ err: error }, 'could not note the use of a token'))
  return principalOf(token, account)
}

/** The principal behind a token row, as it stands now. */
export function principalOf(
  token: { id: string; hash: string; role: 'read' | 'write' | 'fineGrained'; grants: string | null },
  account: { id: string; name: string; isAdmin: boolean },
): Extract<Principal, { kind: 'user' }> {
  return {
    kind: 'user',
    accountId: account.id,
    name: account.name,
    isAdmin: account.isAdmin,
    tokenId: token.id,
    tokenHash: token.hash,
    tokenRole: token.role,
    grants: token.role === 'fineGrained' ? readGrants(token.grants) : null,
  }
}
