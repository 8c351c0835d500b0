/** Access tokens of users. The string is shown once, when it is made; the catalog holds its hash. */
import { HubError } from '@cairn/protocol/errors'
import { printable } from '@cairn/protocol/repo-id'

import { TOKENS_PER_ACCOUNT_MAX } from '../limits.ts'
import type { AccountRow, TokenRole, TokenRow } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, repoFor, type Principal } from './access.ts'
import { accountNamed } from './accounts.ts'
import { change, type AccountDeps, type Change } from './change.ts'
import { formatScopes, settleGrants, type GrantInput } from './grant-input.ts'
import { readGrants } from './grants.ts'
import { DEFAULT_REGISTRY } from './locate.ts'
import { hashToken } from './token-string.ts'

export interface NewToken {
  name: string
  role: TokenRole
  /** JSON, as `settleGrants` makes it; null for read and write tokens. */
  grants: string | null
  /** Chosen by the operator; made at random when absent. */
  token?: string | undefined
  expiresAt?: number | null | undefined
}

export interface TokenView {
  id: string
  user: string
  name: string
  role: TokenRole
  /** Of a fine-grained token, in the words that made it. */
  scopes: string | null
  createdAt: string
  expiresAt: string | null
  lastUsedAt: string | null
}

/** `token` is the string itself, which nobody can ask for again. */
export async function createToken(
  deps: AccountDeps,
  principal: Principal,
  userName: string,
  { name, role, token, expiresAt, ...grantInput }: Omit<NewToken, 'grants'> & GrantInput,
): Promise<TokenView & { token: string }> {
  assertInstanceAdmin(principal)
  const grants = await settleGrants(role, grantInput, deps.catalog.rows.accounts, (repo) =>
    repoFor(deps, principal, { registry: DEFAULT_REGISTRY, ...repo }, 'read'),
  )
  return change(deps, principal, async (c) => {
    const user = await accountNamed(c.rows.accounts, 'user', userName)
    const tokens = await c.rows.tokens.list(user.id)
    assertNameFree(user, tokens, name)
    const wanted = { name, role, grants, token, expiresAt }
    const { row, text } = await insertToken(c, user, wanted, tokens.length)
    return { ...tokenView(user, row), token: text }
  })
}

export async function listTokens(
  deps: AccountDeps,
  principal: Principal,
  userName: string,
): Promise<TokenView[]> {
  assertInstanceAdmin(principal)
  const user = await accountNamed(deps.catalog.rows.accounts, 'user', userName)
  return (await deps.catalog.rows.tokens.list(user.id)).map((token) => tokenView(user, token))
}

/** By id or by name. The token ends with the next request that shows it. */
export async function deleteToken(
  deps: AccountDeps,
  principal: Principal,
  userName: string,
  nameOrId: string,
): Promise<TokenView> {
  return change(deps, principal, async (c) => {
    const user = await accountNamed(c.rows.accounts, 'user', userName)
    const tokens = await c.rows.tokens.list(user.id)
    const token = tokens.find((t) => t.id === nameOrId) ?? tokens.find((t) => t.name === nameOrId)
    if (token === undefined)
      throw new HubError('NotFound', `'${user.name}' has no token '${printable(nameOrId)}'`)
    await dropToken(c, user, token)
    return tokenView(user, token)
  })
}

export function assertNameFree(user: AccountRow, tokens: readonly TokenRow[], name: string): void {
  if (tokens.some((token) => token.name === name))
    throw new HubError(
      'Conflict',
      `'${user.name}' has a token named '${printable(name)}': delete it first, or choose another name`,
    )
}

/** Conflict when the string is in use already, whoever's it is. */
export async function insertToken(
  c: Change,
  user: AccountRow,
  token: NewToken,
  tokenCount: number,
): Promise<{ row: TokenRow; text: string }> {
  if (tokenCount >= TOKENS_PER_ACCOUNT_MAX)
    throw new HubError('Conflict', `'${user.name}' has ${tokenCount} tokens, the most that a user may have`)
  const text = token.token ?? c.newTokenString()
  const hash = hashToken(text)
  const holder = await c.rows.tokens.getByHash(hash)
  if (holder !== null)
    throw new HubError(
      'Conflict',
      `The string given for the token '${printable(token.name)}' of '${user.name}' is in use already`,
    )
  const row: TokenRow = {
    id: c.newId(),
    kind: 'access_token',
    accountId: user.id,
    name: token.name,
    hash,
    role: token.role,
    grants: token.grants,
    createdAt: c.at,
    expiresAt: token.expiresAt ?? null,
    lastUsedAt: null,
  }
  await c.rows.tokens.insert(row)
  await c.audit('token.create', `${user.name}/${row.name}`, {
    id: row.id,
    role: row.role,
    ...(row.grants === null ? {} : { scopes: formatScopes(readGrants(row.grants)) }),
    expiresAt: row.expiresAt,
  })
  return { row, text }
}

export async function dropToken(c: Change, user: AccountRow, token: TokenRow): Promise<void> {
  await c.rows.tokens.delete(token.id)
  await c.audit('token.delete', `${user.name}/${token.name}`, { id: token.id })
}

/**
 * Inside a transaction: the user's token of that name becomes as wanted, replaced where it differs. Returns its
 * string if it was made now, null if it was there.
 */
export async function settleToken(c: Change, user: AccountRow, wanted: NewToken): Promise<string | null> {
  const tokens = await c.rows.tokens.list(user.id)
  const found = tokens.find((token) => token.name === wanted.name)
  if (found !== undefined) {
    const sameText = wanted.token === undefined || hashToken(wanted.token) === found.hash
    if (sameText && found.role === wanted.role && found.grants === wanted.grants) return null
    await dropToken(c, user, found)
  }
  const { text } = await insertToken(c, user, wanted, tokens.length - (found === undefined ? 0 : 1))
  return text
}

export function tokenView(user: { name: string }, token: TokenRow): TokenView {
  const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())
  return {
    id: token.id,
    user: user.name,
    name: token.name,
    role: token.role,
    scopes: token.role === 'fineGrained' ? formatScopes(readGrants(token.grants)) : null,
    createdAt: new Date(token.createdAt).toISOString(),
    expiresAt: iso(token.expiresAt),
    lastUsedAt: iso(token.lastUsedAt),
  }
}
