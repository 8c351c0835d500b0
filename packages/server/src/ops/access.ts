/**
 * Who may do what: principal × action × resource, in one table and one function. A caller who may not even read a
 * repository gets the answer of one that does not exist, in status, body and the work done to find out.
 */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId, printable, type RepoName } from '@cairn/protocol/repo-id'

import type { AccountRow, OrgRole, RepoRow, TokenRole, Visibility } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'
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
      grants: string | null
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
const TOKEN_ACTIONS: Record<TokenRole, readonly RepoAction[]> = {
  read: ['read'],
  write: ['read', 'write', 'admin'],
  // No grant exists yet that could be evaluated, so such a token gives nothing beyond what is public.
  fineGrained: [],
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

/** The repository, if the principal may do that to it. RepoNotFound or Forbidden otherwise. */
export async function repoFor(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  locator: RepoLocator,
  action: RepoAction,
): Promise<RepoRow> {
  const { registry, type, namespace, name } = locator
  const repo = await ctx.catalog.rows.repos.getByName(registry.id, type, namespace, name)
  // The look-up is made for a missing repository too, so that its answer takes as long as a hidden one's.
  const allowed = await repoActions(ctx, principal, repo)
  if (repo === null || !allowed.has('read')) throw repoNotFound(principal, locator)
  if (repo.disabled && action !== 'admin') throw new HubError('RepoDisabled')
  if (!allowed.has(action)) {
    if (principal.kind === 'anonymous')
      throw new HubError('Unauthenticated', 'This needs a token: hf auth login --token')
    throw new HubError(
      'Forbidden',
      principal.kind === 'user' && !TOKEN_ACTIONS[principal.tokenRole].includes(action)
        ? `Your token has the role '${principal.tokenRole}'; this needs one that may write`
        : `You have no ${action} access to ${formatRepoId(repo)}`,
    )
  }
  return repo
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
  const byToken = TOKEN_ACTIONS[principal.tokenRole]
  return new Set(byStanding.filter((a) => byToken.includes(a) || (a === 'read' && !repo.private)))
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
  if (principal.kind === 'user' && !TOKEN_ACTIONS[principal.tokenRole].includes('write'))
    throw new HubError(
      'Forbidden',
      `Your token has the role '${principal.tokenRole}'; creating a repository needs one that may write`,
    )
}

/** hub-api.md §24: 401 to anonymous callers, 404 to everybody else; the same text for hidden and missing. */
export function repoNotFound(
  principal: Principal,
  /** Without a namespace when the address had none. */
  name: { namespace?: string; name: string },
): HubError {
  const id = name.namespace === undefined ? printable(name.name) : `${name.namespace}/${name.name}`
  const anonymous = principal.kind === 'anonymous'
  return new HubError(
    'RepoNotFound',
    `Repository not found: ${id}${anonymous ? '. If it is private, log in with a token' : ''}`,
    anonymous ? { status: 401 } : {},
  )
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
  if (!TOKEN_ACTIONS[principal.tokenRole].includes('read')) return { ownerIds: [] }
  if (principal.isAdmin) return 'all'
  const orgs = await ctx.catalog.rows.accounts.orgsOf(principal.accountId)
  return { ownerIds: [principal.accountId, ...orgs.map(({ org }) => org.id)] }
}
