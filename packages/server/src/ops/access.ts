/**
 * Who may do what: principal × action × resource, in one table and one function. A caller who may not even read a
 * repository gets the answer of one that does not exist, in status, body and the work done to find out.
 */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId, printable, type RepoName } from '@cairn/protocol/repo-id'

import type {
  AccountRow,
  CatalogRows,
  OrgRole,
  RepoRow,
  TokenRole,
  Visibility,
} from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
import { permits, type Grants, type Permission } from './grants.ts'
import type { Registry } from './locate.ts'

/** Who asks. `operator` is the hub's own administrator on this machine, without an account. */
export type Principal =
  | { kind: 'anonymous' }
  | { kind: 'operator' }
  | {
      kind: 'user'
      accountId: string
      name: string
      isAdmin: boolean
      tokenId: string
      tokenRole: TokenRole
      /** Of a fine-grained token; null for the other roles. */
      grants: Grants | null
    }

/** `admin`: delete, rename, settings. Each action includes those before it. */
export type RepoAction = 'read' | 'write' | 'admin'

/** Somebody's standing towards a repository or a namespace. */
type Standing = 'operator' | 'owner' | OrgRole | 'creator' | 'stranger'

const ACTIONS: Record<Standing, { public: readonly RepoAction[]; private: readonly RepoAction[] }> = {
  operator: { public: ['read', 'write', 'admin'], private: ['read', 'write', 'admin'] },
  owner: { public: ['read', 'write', 'admin'], private: ['read', 'write', 'admin'] },
  admin: { public: ['read', 'write', 'admin'], private: ['read', 'write', 'admin'] },
  write: { public: ['read', 'write', 'admin'], private: ['read', 'write', 'admin'] },
  /** A contributor who made the repository. */
  creator: { public: ['read', 'write', 'admin'], private: ['read', 'write', 'admin'] },
  contributor: { public: ['read'], private: ['read'] },
  read: { public: ['read'], private: ['read'] },
  stranger: { public: ['read'], private: [] },
}

/** What a token of this role lets its account do at all. */
const TOKEN_ACTIONS: Record<Exclude<TokenRole, 'fineGrained'>, readonly RepoAction[]> = {
  read: ['read'],
  write: ['read', 'write', 'admin'],
}

/** What a fine-grained token needs. */
const ACTION_PERMISSIONS: Record<RepoAction, Permission> = {
  read: 'repo.content.read',
  write: 'repo.write',
  admin: 'repo.write',
}

/** Who may make repositories in a namespace. */
const MAY_CREATE: ReadonlySet<Standing> = new Set(['operator', 'owner', 'admin', 'write', 'contributor'])

export function assertInstanceAdmin(principal: Principal): void {
  if (principal.kind === 'operator') return
  if (principal.kind === 'anonymous') throw new HubError('Unauthenticated')
  if (!principal.isAdmin || principal.tokenRole !== 'write')
    throw new HubError('Forbidden', 'This needs a write token of an administrator of this hub')
}

/** The account behind a principal, where an operation needs one. */
export function assertUser(principal: Principal): Extract<Principal, { kind: 'user' }> {
  if (principal.kind !== 'user')
    throw new HubError('Unauthenticated', 'Log in with a token: hf auth login --token')
  return principal
}

export interface RepoLocator extends RepoName {
  registry: Registry
}

/** The repository has another name now. The caller, who may read it, should ask again under that. */
export class RepoMovedError extends Error {
  readonly to: Pick<RepoRow, 'type' | 'namespace' | 'name' | 'private'>

  constructor(to: RepoRow) {
    super(`The repository has moved to ${formatRepoId(to)}`)
    this.name = 'RepoMovedError'
    this.to = to
  }
}

/** Under its name or one that it had before; null when there is none, or it was deleted. */
export async function livingRepo(
  ctx: Pick<OpsContext, 'catalog'>,
  { registry, type, namespace, name }: RepoLocator,
): Promise<RepoRow | null> {
  const { repos, oldNames } = ctx.catalog.rows
  // The same look-ups whatever is found, so that the time they take tells nothing.
  const repo = await repos.getByName(registry.id, type, namespace, name)
  const old = await oldNames.find({ registryId: registry.id, type, namespace, name })
  const moved = await repos.get(old?.repoId ?? '')
  return repo ?? (moved?.deletedAt === null ? moved : null)
}

/** For the transaction that ends an upload: the repository may have been deleted while the bytes arrived. */
export async function assertLiving(rows: Pick<CatalogRows, 'repos'>, repo: RepoRow): Promise<void> {
  const now = await rows.repos.get(repo.id)
  if (now === null || now.deletedAt !== null)
    throw new HubError('RepoNotFound', `${formatRepoId(repo)} was deleted meanwhile`)
}

/** The repository, if the principal may do that to it. RepoNotFound, RepoMovedError or Forbidden otherwise. */
export async function repoFor(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  locator: RepoLocator,
  action: RepoAction,
): Promise<RepoRow> {
  const repo = await livingRepo(ctx, locator)
  // The look-up is made for a missing repository too, so that its answer takes as long as a hidden one's.
  const allowed = await repoActions(ctx, principal, repo)
  if (repo === null || !allowed.has('read')) throw repoNotFound(principal, locator)
  if (!isNameOf(repo, locator)) throw new RepoMovedError(repo)
  if (repo.disabled && action !== 'admin') throw new HubError('RepoDisabled')
  if (!allowed.has(action)) {
    if (principal.kind === 'anonymous')
      throw new HubError('Unauthenticated', 'This needs a token: hf auth login --token')
    throw new HubError(
      'Forbidden',
      principal.kind === 'user' && !tokenAllows(principal, action, repo)
        ? tokenLacks(principal, ACTION_PERMISSIONS[action], formatRepoId(repo))
        : `You have no ${action} access to ${formatRepoId(repo)}`,
    )
  }
  return repo
}

function isNameOf(repo: RepoRow, { namespace, name }: RepoName): boolean {
  return formatRepoId(repo).toLowerCase() === `${namespace}/${name}`.toLowerCase()
}

/** What the principal may do to a repository now. */
export async function repoActions(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  repo: RepoRow | null,
): Promise<ReadonlySet<RepoAction>> {
  const standing = await standingTowards(ctx, principal, repo?.ownerId ?? null, repo?.createdBy ?? null)
  if (repo === null) return new Set()
  const byStanding = ACTIONS[standing][repo.private ? 'private' : 'public']
  if (principal.kind !== 'user') return new Set(byStanding)
  return new Set(byStanding.filter((a) => (a === 'read' && !repo.private) || tokenAllows(principal, a, repo)))
}

type User = Extract<Principal, { kind: 'user' }>

function tokenAllows(principal: User, action: RepoAction, repo: RepoRow): boolean {
  if (principal.tokenRole !== 'fineGrained') return TOKEN_ACTIONS[principal.tokenRole].includes(action)
  return tokenPermits(principal, ACTION_PERMISSIONS[action], { ownerId: repo.ownerId, repo })
}

function tokenPermits(principal: User, permission: Permission, on: Parameters<typeof permits>[2]): boolean {
  return principal.grants !== null && permits(principal.grants, permission, on)
}

/** Why a token is refused: the permission or the role that is missing, by name. */
function tokenLacks(principal: User, permission: Permission, subject: string): string {
  return principal.tokenRole === 'fineGrained'
    ? `Your fine-grained token lacks the permission '${permission}' on ${subject}`
    : `Your token has the role '${principal.tokenRole}'; this needs one that may write`
}

/** Throws unless the token itself may do this to an account: what the account may is another question. */
export function assertTokenPermits(
  principal: User,
  permission: Permission,
  account: Pick<AccountRow, 'id' | 'name'>,
): void {
  const { tokenRole } = principal
  const isRead = permission.endsWith('.read')
  const allowed =
    tokenRole === 'write' ||
    (tokenRole === 'read' && isRead) ||
    (tokenRole === 'fineGrained' && tokenPermits(principal, permission, { ownerId: account.id }))
  if (!allowed) throw new HubError('Forbidden', tokenLacks(principal, permission, account.name))
}

/** Whether the private repositories of an account are the caller's to see: its member, with a token for all of them. */
export async function seesPrivate(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  ownerId: string,
): Promise<boolean> {
  const standing = await standingTowards(ctx, principal, ownerId, null)
  if (!ACTIONS[standing].private.includes('read')) return false
  return (
    principal.kind !== 'user' ||
    principal.tokenRole !== 'fineGrained' ||
    tokenPermits(principal, 'repo.content.read', { ownerId })
  )
}

/** Throws unless the principal may make repositories owned by this account. */
export async function assertMayCreate(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  owner: AccountRow,
  namespace: string,
): Promise<void> {
  if (principal.kind === 'anonymous')
    throw new HubError('Unauthenticated', 'Log in with a token to create a repository')
  const standing = await standingTowards(ctx, principal, owner.id, null)
  if (!MAY_CREATE.has(standing))
    throw new HubError(
      'Forbidden',
      `You don't have the rights to create a repository under the namespace '${namespace}'`,
    )
  if (principal.kind === 'user') assertTokenPermits(principal, 'repo.write', owner)
}

/** hub-api.md §24: 401 to anonymous callers, 404 to everybody else; the same text for hidden and missing. */
export function repoNotFound(
  principal: Principal,
  /** Without a namespace when the address had none. */
  name: { namespace?: string; name: string },
): HubError {
  const id = name.namespace === undefined ? printable(name.name) : `${name.namespace}/${name.name}`
  const anonymous = principal.kind === 'anonymous'
  const fineGrained = principal.kind === 'user' && principal.tokenRole === 'fineGrained'
  const hint = anonymous
    ? '. If it is private, log in with a token'
    : fineGrained
      ? ". If it is private, your fine-grained token needs the permission 'repo.content.read' on it"
      : ''
  return new HubError('RepoNotFound', `Repository not found: ${id}${hint}`, anonymous ? { status: 401 } : {})
}

async function standingTowards(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  ownerId: string | null,
  createdBy: string | null,
): Promise<Standing> {
  if (principal.kind === 'anonymous') return 'stranger'
  if (principal.kind === 'operator' || principal.isAdmin) return 'operator'
  if (principal.accountId === ownerId) return 'owner'
  const role = await ctx.catalog.rows.accounts.role(ownerId ?? '', principal.accountId)
  if (role === 'contributor' && createdBy === principal.accountId) return 'creator'
  return role ?? 'stranger'
}

/** Whose private repositories the principal may see in lists. Says the same as `repoActions` does of each. */
export async function visibilityOf(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
): Promise<Visibility> {
  if (principal.kind === 'anonymous') return { ownerIds: [] }
  if (principal.kind === 'operator') return 'all'
  const fineGrained = principal.tokenRole === 'fineGrained'
  if (principal.isAdmin && !fineGrained) return 'all'
  const orgs = await ctx.catalog.rows.accounts.orgsOf(principal.accountId)
  const ownerIds = [principal.accountId, ...orgs.map(({ org }) => org.id)]
  if (!fineGrained) return { ownerIds }
  // A scope of single repositories is looked at where they are asked for, not in lists.
  return { ownerIds: ownerIds.filter((ownerId) => tokenPermits(principal, 'repo.content.read', { ownerId })) }
}
