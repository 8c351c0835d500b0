/** Access tokens of users. The string is shown once, when it is made; the catalog holds its hash. */
import { HubError } from '@cairn/protocol/errors'
import { printable } from '@cairn/protocol/repo-id'

import { TOKENS_PER_ACCOUNT_MAX } from '../limits.ts'
import type { AccountRow, TokenRole, TokenRow } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, type Principal } from './access.ts'
import { accountNamed } from './accounts.ts'
import { change, type AccountDeps, type Change } from './change.ts'
import { hashToken } from './token-string.ts'

export interface NewToken {
  name: string
  role: Exclude<TokenRole, 'fineGrained'>
  /** Chosen by the operator; made at random when absent. */
  token?: string | undefined
  expiresAt?: number | null | undefined
}

export interface TokenView {
  id: string
  user: string
  name: string
  role: TokenRole
  createdAt: string
  expiresAt: string | null
  lastUsedAt: string | null
}

/** `token` is the string itself, which nobody can ask for again. */
export async function createToken(
  deps: AccountDeps,
  principal: Principal,
  userName: string,
  token: NewToken,
): Promise<TokenView & { token: string }> {
  return change(deps, principal, async (c) => {
    const user = await accountNamed(c.rows.accounts, 'user', userName)
    const tokens = await c.rows.tokens.list(user.id)
    if (tokens.some((t) => t.name === token.name))
      throw new HubError(
        'Conflict',
        `'${user.name}' has a token named '${printable(token.name)}': delete it first, or choose another name`,
      )
    const { row, text } = await insertToken(c, user, token, tokens.length)
    return { ...viewOf(user, row), token: text }
  })
}

export async function listTokens(
  deps: AccountDeps,
  principal: Principal,
  userName: string,
): Promise<TokenView[]> {
  assertInstanceAdmin(principal)
  const user = await accountNamed(deps.catalog.rows.accounts, 'user', userName)
  return (await deps.catalog.rows.tokens.list(user.id)).map((token) => viewOf(user, token))
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
    return viewOf(user, token)
  })
}

/** Conflict when the string is in use already, whoever's it is. */
async function insertToken(
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
    grants: null,
    createdAt: c.at,
    expiresAt: token.expiresAt ?? null,
    lastUsedAt: null,
  }
  await c.rows.tokens.insert(row)
  await c.audit('token.create', `${user.name}/${row.name}`, {
    id: row.id,
    role: row.role,
    expiresAt: row.expiresAt,
  })
  return { row, text }
}

async function dropToken(c: Change, user: AccountRow, token: TokenRow): Promise<void> {
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
    if (sameText && found.role === wanted.role) return null
    await dropToken(c, user, found)
  }
  const { text } = await insertToken(c, user, wanted, tokens.length - (found === undefined ? 0 : 1))
  return text
}

function viewOf(user: AccountRow, token: TokenRow): TokenView {
  const iso = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())
  return {
    id: token.id,
    user: user.name,
    name: token.name,
    role: token.role,
    createdAt: new Date(token.createdAt).toISOString(),
    expiresAt: iso(token.expiresAt),
    lastUsedAt: iso(token.lastUsedAt),
  }
}
