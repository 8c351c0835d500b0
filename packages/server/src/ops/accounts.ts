/** Users, organizations and who belongs to which. Users and organizations share one space of names. */
import { HubError } from '@cairn/protocol/errors'
import { assertNewName, printable } from '@cairn/protocol/repo-id'

import { MEMBERS_PER_ORG_MAX } from '../limits.ts'
import type {
  AccountKind,
  AccountRow,
  AccountRows,
  CatalogRows,
  OrgRole,
  RepoRow,
} from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, type Principal } from './access.ts'
import { change, type AccountDeps, type Change } from './change.ts'

export interface NewAccount {
  kind: AccountKind
  name: string
  id?: string | undefined
  fullname?: string | undefined
  email?: string | undefined
  isAdmin?: boolean | undefined
}

export interface AccountView {
  id: string
  name: string
  fullname: string | null
  /** Users only, as is `isAdmin`. */
  email?: string | null
  isAdmin?: boolean
  createdAt: string
}

export async function createAccount(
  deps: AccountDeps,
  principal: Principal,
  account: NewAccount,
): Promise<AccountView> {
  return change(deps, principal, async (c) => viewOf(await insertAccount(c, account)))
}

export async function listAccounts(
  deps: AccountDeps,
  principal: Principal,
  kind: AccountKind,
): Promise<AccountView[]> {
  assertInstanceAdmin(principal)
  return (await deps.catalog.rows.accounts.list(kind)).map(viewOf)
}

/** Refused while the account owns repositories or registries, or is the last administrator. */
export async function deleteAccount(
  deps: AccountDeps,
  principal: Principal,
  kind: AccountKind,
  name: string,
): Promise<AccountView> {
  return change(deps, principal, async (c) => {
    const { rows } = c
    const account = await accountNamed(rows.accounts, kind, name)
    const repos = await rows.repos.listByOwner(account.id)
    if (repos.length > 0)
      throw new HubError('Conflict', `'${account.name}' owns ${repos.length} repositories: delete them first`)
    const registries = (await rows.registries.list()).filter((registry) => registry.orgId === account.id)
    if (registries.length > 0)
      throw new HubError(
        'Conflict',
        `'${account.name}' has ${registries.length} registries: delete them first`,
      )
    await assertNothingLeft(rows, (repo) => repo.ownerId === account.id)
    if (account.isAdmin && (await rows.accounts.list('user')).filter((user) => user.isAdmin).length === 1)
      throw new HubError('Conflict', `'${account.name}' is the last administrator of this hub`)
    for (const token of await rows.tokens.list(account.id)) await rows.tokens.delete(token.id)
    for (const { org } of await rows.accounts.orgsOf(account.id))
      await rows.accounts.removeMember(org.id, account.id)
    if (kind === 'org')
      for (const { user } of await rows.accounts.membersOf(account.id))
        await rows.accounts.removeMember(account.id, user.id)
    await rows.accounts.delete(account.id)
    await c.audit(`${kind}.delete`, account.name, { id: account.id })
    return viewOf(account)
  })
}

export interface MemberView {
  org: string
  user: string
  role: OrgRole
}

export async function setMember(
  deps: AccountDeps,
  principal: Principal,
  member: MemberView,
): Promise<MemberView> {
  return change(deps, principal, async (c) => {
    const org = await accountNamed(c.rows.accounts, 'org', member.org)
    const user = await accountNamed(c.rows.accounts, 'user', member.user)
    await putMember(c, org, user, member.role)
    return { org: org.name, user: user.name, role: member.role }
  })
}

export async function removeMember(
  deps: AccountDeps,
  principal: Principal,
  member: Omit<MemberView, 'role'>,
): Promise<MemberView> {
  return change(deps, principal, async (c) => {
    const org = await accountNamed(c.rows.accounts, 'org', member.org)
    const user = await accountNamed(c.rows.accounts, 'user', member.user)
    const role = await c.rows.accounts.role(org.id, user.id)
    if (role === null) throw new HubError('NotFound', `'${user.name}' is not a member of '${org.name}'`)
    await c.rows.accounts.removeMember(org.id, user.id)
    await c.audit('org.member.remove', org.name, { user: user.name })
    return { org: org.name, user: user.name, role }
  })
}

export async function listMembers(
  deps: AccountDeps,
  principal: Principal,
  orgName: string,
): Promise<MemberView[]> {
  assertInstanceAdmin(principal)
  const { accounts } = deps.catalog.rows
  const org = await accountNamed(accounts, 'org', orgName)
  return (await accounts.membersOf(org.id)).map(({ user, role }) => ({
    org: org.name,
    user: user.name,
    role,
  }))
}

/** Inside a transaction. Conflict when the name or the chosen id is somebody's. */
export async function insertAccount(c: Change, account: NewAccount): Promise<AccountRow> {
  assertNewName(account.name, 'namespace')
  const namesake = await c.rows.accounts.getByName(account.name)
  if (namesake !== null)
    throw new HubError('Conflict', `The name '${account.name}' is taken by ${described(namesake)}`)
  const id = account.id ?? c.newId()
  const owner = await c.rows.accounts.get(id)
  if (owner !== null) throw new HubError('Conflict', `The id '${id}' is that of ${described(owner)}`)
  const row: AccountRow = {
    id,
    kind: account.kind,
    name: account.name,
    fullname: account.fullname ?? null,
    email: account.email ?? null,
    isAdmin: account.isAdmin ?? false,
    createdAt: c.at,
  }
  await c.rows.accounts.insert(row)
  await c.audit(`${row.kind}.create`, row.name, { id, isAdmin: row.isAdmin })
  return row
}

/** Inside a transaction. Nothing happens, and nothing is audited, when the role is already that. */
export async function putMember(c: Change, org: AccountRow, user: AccountRow, role: OrgRole): Promise<void> {
  const before = await c.rows.accounts.role(org.id, user.id)
  if (before === role) return
  if (before === null && (await c.rows.accounts.membersOf(org.id)).length >= MEMBERS_PER_ORG_MAX)
    throw new HubError(
      'Conflict',
      `'${org.name}' has ${MEMBERS_PER_ORG_MAX} members, the most that an organization may have`,
    )
  await c.rows.accounts.setMember({ orgId: org.id, userId: user.id, role })
  await c.audit('org.member.set', org.name, { user: user.name, role })
}

/** Rows of deleted repositories go with their files, which takes a job; until then they name their owner. */
export async function assertNothingLeft(rows: CatalogRows, match: (repo: RepoRow) => boolean): Promise<void> {
  for (const id of await rows.repos.listDeleted()) {
    const repo = await rows.repos.get(id)
    if (repo !== null && match(repo))
      throw new HubError(
        'Conflict',
        'Its deleted repositories are kept until their grace ends, or are being removed: try again after that',
      )
  }
}

/** NotFound unless there is an account of that name and kind. */
export async function accountNamed(
  accounts: AccountRows,
  kind: AccountKind,
  name: string,
): Promise<AccountRow> {
  const account = await accounts.getByName(name)
  if (account?.kind === kind) return account
  const found = account === null ? '' : `: that is ${described(account)}`
  throw new HubError(
    'NotFound',
    `No ${kind === 'user' ? 'user' : 'organization'} '${printable(name)}'${found}`,
  )
}

export function described(account: AccountRow): string {
  return `the ${account.kind === 'user' ? 'user' : 'organization'} '${account.name}' (id ${account.id})`
}

function viewOf({ kind, id, name, fullname, email, isAdmin, createdAt }: AccountRow): AccountView {
  return {
    id,
    name,
    fullname,
    ...(kind === 'user' ? { email, isAdmin } : {}),
    createdAt: new Date(createdAt).toISOString(),
  }
}
