/**
 * A user's own tokens. No token can make one that may more or lasts longer than itself: only a write token makes
 * tokens and touches others, and what it makes ends with it. Every token may give itself up or change its own string.
 */
import { HubError } from '@cairn/protocol/errors'
import { printable } from '@cairn/protocol/repo-id'

import type { AccountRow, RepoRow, TokenRole, TokenRow } from '../store/catalog/catalog.ts'
import { assertTokenMay, assertUser, mayTouchToken, repoFor, type Principal } from './access.ts'
import { changeAs, type AccountDeps, type Change } from './change.ts'
import { settleGrants, type GrantInput } from './grant-input.ts'
import { readGrants, type Grants } from './grants.ts'
import type { Registry } from './locate.ts'
import { hashToken } from './token-string.ts'
import { assertNameFree, dropToken, insertToken, tokenView, type TokenView } from './tokens.ts'

type User = Extract<Principal, { kind: 'user' }>

export interface OwnToken extends TokenView {
  fineGrained?: Grants
}

export interface OwnTokenRequest extends GrantInput {
  name: string
  role: TokenRole
  expiresAt: number | null
}

/** All of them for a write token, itself for any other. */
export async function listOwnTokens(
  { catalog }: Pick<AccountDeps, 'catalog'>,
  principal: Principal,
): Promise<OwnToken[]> {
  const user = assertUser(principal)
  const tokens = await catalog.rows.tokens.list(user.accountId)
  return tokens.filter((token) => mayTouchToken(user, token.id)).map((token) => viewOf(user, token))
}

export async function createOwnToken(
  deps: AccountDeps,
  principal: Principal,
  registry: Registry,
  { name, role, expiresAt, ...grantInput }: OwnTokenRequest,
): Promise<OwnToken & { token: string }> {
  const user = assertUser(principal)
  assertTokenMay(user, 'tokens', { id: user.accountId, name: user.name })
  const findRepo = (repo: Pick<RepoRow, 'type' | 'namespace' | 'name'>): Promise<RepoRow> =>
    repoFor(deps, principal, { registry, ...repo }, 'read')
  const grants = await settleGrants(role, grantInput, deps.catalog.rows.accounts, findRepo)
  return changeAs(deps, principal, async (c) => {
    const { account, token: own } = await ownToken(c, user)
    const end = own.expiresAt
    if (end !== null && expiresAt !== null && expiresAt > end) throw outlives()
    const tokens = await c.rows.tokens.list(account.id)
    assertNameFree(account, tokens, name)
    const wanted = { name, role, grants, expiresAt: expiresAt ?? end }
    const { row, text } = await insertToken(c, account, wanted, tokens.length)
    return { ...viewOf(user, row), token: text }
  })
}

/** A new string for the same token; the old one ends at once. */
export async function rotateOwnToken(
  deps: AccountDeps,
  principal: Principal,
  nameOrId: string,
): Promise<OwnToken & { token: string }> {
  const user = assertUser(principal)
  return changeAs(deps, principal, async (c) => {
    const { token: own } = await ownToken(c, user)
    const token = await touchable(c, user, nameOrId)
    if (own.expiresAt !== null && (token.expiresAt === null || token.expiresAt > own.expiresAt))
      throw outlives()
    const text = c.newTokenString()
    await c.rows.tokens.setHash(token.id, hashToken(text))
    await c.audit('token.rotate', `${user.name}/${token.name}`, { id: token.id })
    return { ...viewOf(user, token), token: text }
  })
}

export async function revokeOwnToken(
  deps: AccountDeps,
  principal: Principal,
  nameOrId: string,
): Promise<OwnToken> {
  const user = assertUser(principal)
  return changeAs(deps, principal, async (c) => {
    const { account } = await ownToken(c, user)
    const token = await touchable(c, user, nameOrId)
    await dropToken(c, account, token)
    return viewOf(user, token)
  })
}

/** The token that asks, as it stands inside the transaction. */
async function ownToken(c: Change, user: User): Promise<{ token: TokenRow; account: AccountRow }> {
  const found = await c.rows.tokens.get(user.tokenId)
  if (found === null) throw new HubError('InvalidCredentials')
  return found
}

async function touchable(c: Change, user: User, nameOrId: string): Promise<TokenRow> {
  const tokens = (await c.rows.tokens.list(user.accountId)).filter((token) => mayTouchToken(user, token.id))
  const token = tokens.find((t) => t.id === nameOrId) ?? tokens.find((t) => t.name === nameOrId)
  if (token === undefined)
    throw new HubError(
      'NotFound',
      `No token '${printable(nameOrId)}'${user.tokenRole === 'write' ? '' : ': this token may touch itself only'}`,
    )
  return token
}

function outlives(): HubError {
  return new HubError('Forbidden', 'A token cannot make one that outlives it')
}

function viewOf(user: User, token: TokenRow): OwnToken {
  return {
    ...tokenView(user, token),
    ...(token.role === 'fineGrained' ? { fineGrained: readGrants(token.grants) } : {}),
  }
}
