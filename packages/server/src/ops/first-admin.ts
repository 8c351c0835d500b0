/** Somebody administers every hub: without any administrator, the user `admin` becomes one, with a write token. */

import { described, insertAccount } from './accounts.ts'
import { BootstrapError } from './bootstrap.ts'
import { change, type AccountDeps } from './change.ts'
import { hashToken, newTokenString } from './token-string.ts'
import { settleToken } from './tokens.ts'

const ADMIN_NAME = 'admin'
const ADMIN_TOKEN_NAME = 'admin'

export interface FirstAdmin {
  /** The operator's choice; replaces an earlier one. */
  adminToken: string | null
  /** What an earlier start stored. */
  storedToken: string | null
  /** Keeps the string where the operator finds it. Called before the token becomes valid, so that none is lost. */
  store: (token: string) => Promise<void>
}

/** Returns the string of the administrator's token, or null when it is not known or not valid any more. */
export async function ensureAdmin(deps: AccountDeps, first: FirstAdmin): Promise<string | null> {
  const { accounts, tokens } = deps.catalog.rows
  const { adminToken, storedToken } = first
  const holderOf = async (text: string): Promise<'admin' | 'other' | null> => {
    const found = await tokens.getByHash(hashToken(text))
    if (found === null) return null
    return found.account.isAdmin && found.token.role === 'write' ? 'admin' : 'other'
  }
  const hasAdmin = (await accounts.list('user')).some((user) => user.isAdmin)

  // A stored token that is gone from the catalog was revoked; it is not brought back.
  if (hasAdmin && adminToken === null)
    return storedToken !== null && (await holderOf(storedToken)) === 'admin' ? storedToken : null

  const text = adminToken ?? storedToken ?? newTokenString(deps.random)
  const holder = await holderOf(text)
  if (holder === 'other') throw new BootstrapError(["The administrator's token is somebody else's already"])
  const namesake = await accounts.getByName(ADMIN_NAME)
  if (namesake !== null && (namesake.kind === 'org' || (hasAdmin && !namesake.isAdmin && holder === null)))
    throw new BootstrapError([`${described(namesake)} is in the way of the administrator '${ADMIN_NAME}'`])

  if (text !== storedToken) await first.store(text)
  if (holder === null)
    await change(deps, { kind: 'operator' }, async (c) => {
      const admin =
        (await c.rows.accounts.getByName(ADMIN_NAME)) ??
        (await insertAccount(c, { kind: 'user', name: ADMIN_NAME, isAdmin: true }))
      if (!admin.isAdmin) {
        await c.rows.accounts.update(admin.id, { isAdmin: true })
        await c.audit('user.update', admin.name, { isAdmin: true })
      }
      await settleToken(c, admin, { name: ADMIN_TOKEN_NAME, role: 'write', grants: null, token: text })
    })
  return text
}
