/**
 * What a user or an organization shows: its overview, its members, its repositories. Accounts are public; counts
 * include private repositories only for those who may see all of them. hub-api.md §15.
 */
import { HubError } from '@cairn/protocol/errors'
import { printable, type RepoType } from '@cairn/protocol/repo-id'

import { ACCOUNT_PAGE_MAX } from '../limits.ts'
import type { AccountKind, AccountRow, OrgRole, RepoRow } from '../store/catalog/catalog.ts'
import { accountFor, assertUser, seesPrivate, type Principal } from './access.ts'
import { accountNamed, putMember } from './accounts.ts'
import { changeAs } from './change.ts'
import type { OpsContext } from './context.ts'
import { openCursor, sealCursor } from './cursors.ts'
import type { Registry } from './locate.ts'

export interface Profile {
  account: AccountRow
  counts: Record<RepoType, number>
  /** Of a user. */
  orgs: AccountRow[]
  /** Public repositories that a user likes. */
  likeCount: number
  /** Of an organization. */
  memberCount: number
}

export interface PageRequest {
  cursor: string | null
  limit: number | null
}

export async function profile(
  ctx: OpsContext,
  principal: Principal,
  registry: Registry,
  kind: AccountKind,
  name: string,
): Promise<Profile> {
  const { accounts, owned, likes } = ctx.catalog.rows
  const account = await accountNamed(accounts, kind, name)
  const counts: Record<RepoType, number> = { model: 0, dataset: 0, space: 0 }
  const withPrivate = await seesPrivate(ctx, principal, account.id)
  for (const row of await owned.counts(registry.id, account.id))
    if (!row.private || withPrivate) counts[row.type] += row.count
  return {
    account,
    counts,
    orgs: kind === 'user' ? (await accounts.orgsOf(account.id)).map(({ org }) => org) : [],
    likeCount: kind === 'user' ? await likes.countPublic(account.id) : 0,
    memberCount: kind === 'org' ? (await accounts.membersOf(account.id)).length : 0,
  }
}

/** A user or an organization, whichever has the name. */
export async function anyAccount(ctx: OpsContext, name: string): Promise<AccountRow> {
  const account = await ctx.catalog.rows.accounts.getByName(name)
  if (account === null) throw new HubError('NotFound', `No account '${printable(name)}'`)
  return account
}

/** By name. The filter by e-mail is for the organization's administrators: it would tell strangers whose address it is. */
export async function pageMembers(
  ctx: OpsContext,
  principal: Principal,
  orgName: string,
  { email, cursor, limit }: PageRequest & { email: string | null },
): Promise<{ members: { user: AccountRow; role: OrgRole }[]; nextCursor: string | null }> {
  const { accounts } = ctx.catalog.rows
  const org = await accountNamed(accounts, 'org', orgName)
  if (email !== null) await accountFor(ctx, principal, 'findMembers', org)
  const listing = `members/${org.id}/${email ?? ''}`
  const after = openCursor(ctx.signer, listing, cursor)
  const found = (await accounts.membersOf(org.id)).filter(
    ({ user }) =>
      (email === null || user.email?.toLowerCase() === email.toLowerCase()) &&
      (after === null || user.name.toLowerCase() > String(after)),
  )
  const members = found.slice(0, Math.min(limit ?? ACCOUNT_PAGE_MAX, ACCOUNT_PAGE_MAX))
  const last = members.at(-1)
  const isEnd = members.length === found.length || last === undefined
  return {
    members,
    nextCursor: isEnd ? null : sealCursor(ctx.signer, listing, last.user.name.toLowerCase()),
  }
}

/** Conflict when the organization would be left without an administrator. */
export async function setMemberRole(
  ctx: OpsContext,
  principal: Principal,
  orgName: string,
  userName: string,
  role: OrgRole,
): Promise<{ user: AccountRow; role: OrgRole }> {
  const { accounts } = ctx.catalog.rows
  await accountFor(ctx, principal, 'setMembers', await accountNamed(accounts, 'org', orgName))
  return changeAs(ctx, principal, async (c) => {
    const org = await accountNamed(c.rows.accounts, 'org', orgName)
    const user = await accountNamed(c.rows.accounts, 'user', userName)
    const members = await c.rows.accounts.membersOf(org.id)
    const before = members.find((member) => member.user.id === user.id)
    if (before === undefined)
      throw new HubError('NotFound', `'${user.name}' is not a member of '${org.name}'`)
    const admins = members.filter((member) => member.role === 'admin')
    if (before.role === 'admin' && role !== 'admin' && admins.length === 1)
      throw new HubError('Conflict', `'${user.name}' is the last administrator of '${org.name}'`)
    await putMember(c, org, user, role)
    return { user, role }
  })
}

export interface StoredRepo {
  repo: RepoRow
  storageBytes: number
  /** Of what the namespace stores in all. */
  storagePercent: number
}

/** The caller's own repositories, or those of an organization that the caller belongs to, private ones included. */
export async function pageStorage(
  ctx: OpsContext,
  principal: Principal,
  registry: Registry,
  /** null: the caller's own. */
  orgName: string | null,
  { cursor, limit }: PageRequest,
): Promise<{ repos: StoredRepo[]; nextCursor: string | null }> {
  const { accounts, owned } = ctx.catalog.rows
  const user = assertUser(principal)
  const account = await accountNamed(accounts, orgName === null ? 'user' : 'org', orgName ?? user.name)
  await accountFor(ctx, principal, orgName === null ? 'storage' : 'orgStorage', account)
  const listing = `storage/${registry.id}/${account.id}`
  const after = openCursor(ctx.signer, listing, cursor)
  const page = Math.min(limit ?? ACCOUNT_PAGE_MAX, ACCOUNT_PAGE_MAX)
  const found = await owned.page(registry.id, account.id, after === null ? null : String(after), page + 1)
  const repos = found.slice(0, page)
  const bytes = await owned.storage(repos.map(({ id }) => id))
  const total = await owned.storageTotal(registry.id, account.id)
  const last = repos.at(-1)
  return {
    repos: repos.map((repo) => {
      const storageBytes = bytes.get(repo.id) ?? 0
      return { repo, storageBytes, storagePercent: total === 0 ? 0 : (100 * storageBytes) / total }
    }),
    nextCursor: found.length > page && last !== undefined ? sealCursor(ctx.signer, listing, last.id) : null,
  }
}
