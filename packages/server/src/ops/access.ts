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
      /** Of its string; a rotated token has another. */
      tokenHash: string
      tokenRole: TokenRole
      /** Of a fine-grained token; null for the other roles. */
      grants: Grants | null
    }

/** `admin`: delete, rename, settings. Each action includes those before it. */
export type RepoAction = 'read' | 'write' | 'admin'

/**
 * `create`: make repositories owned by the account, or take a name there. `storage`: list one's own repositories with
 * their sizes, `orgStorage` an organization's. `findMembers`: by e-mail. `tokens`: make tokens, touch the others.
 */
export type AccountAction =
  | 'create'
  | 'like'
  | 'storage'
  | 'orgStorage'
  | 'findMembers'
  | 'setMembers'
  | 'tokens'

/** `administer`: the hub itself. `metrics`: read how it does. */
type InstanceAction = 'administer' | 'metrics'
type Action = RepoAction | AccountAction | InstanceAction

/** Somebody's standing towards a repository or an account. `operator` is every administrator of the hub, too. */
type Standing = 'operator' | 'owner' | OrgRole | 'creator' | 'stranger'

interface Rule {
  /** Standings that may. */
  who: readonly Standing[]
  /** The least role of a token that lets its account do so. */
  token: Exclude<TokenRole, 'fineGrained'>
  /** What a fine-grained token needs; null: none will do. */
  permission: Permission | null
  /** Why a standing is refused. */
  refusal: (subject: string) => string
}

const WRITERS: readonly Standing[] = ['operator', 'owner', 'admin', 'write', 'creator']
const MEMBERS: readonly Standing[] = [...WRITERS, 'contributor', 'read']
const ORG_ADMINS: readonly Standing[] = ['operator', 'admin']
const SELF: readonly Standing[] = ['operator', 'owner']

/**
 * The table. An action needs both: a standing and a token that lets it through. To read what is public takes neither.
 * A contributor who made a repository is its `creator`, and writes to it as to an own one.
 */
const RULES: Record<Action, Rule> = {
  read: { who: MEMBERS, token: 'read', permission: 'repo.content.read', refusal: noAccess('read') },
  write: { who: WRITERS, token: 'write', permission: 'repo.write', refusal: noAccess('write') },
  admin: { who: WRITERS, token: 'write', permission: 'repo.write', refusal: noAccess('admin') },

  create: {
    who: ['operator', 'owner', 'admin', 'write', 'contributor'],
    token: 'write',
    permission: 'repo.write',
    refusal: (name) => `You don't have the rights to create a repository under the namespace '${name}'`,
  },
  like: { who: SELF, token: 'write', permission: 'user.social.likes.write', refusal: notYours },
  storage: { who: SELF, token: 'read', permission: 'repo.content.read', refusal: notYours },
  orgStorage: {
    who: MEMBERS,
    token: 'read',
    permission: 'org.repos.read',
    refusal: (name) => `You are not a member of '${name}'`,
  },
  findMembers: { who: ORG_ADMINS, token: 'read', permission: 'org.members.read', refusal: needsOrgAdmin },
  setMembers: { who: ORG_ADMINS, token: 'write', permission: 'org.members.write', refusal: needsOrgAdmin },
  tokens: { who: SELF, token: 'write', permission: null, refusal: notYours },

  administer: {
    who: ['operator'],
    token: 'write',
    permission: null,
    refusal: () => 'This needs a write token of an administrator of this hub',
  },
  metrics: {
    who: ['operator'],
    token: 'read',
    permission: 'hub.metrics.read',
    refusal: () =>
      "This needs an administrator's token; a fine-grained one with '*=hub.metrics.read' will do",
  },
}

function noAccess(action: RepoAction): Rule['refusal'] {
  return (subject) => `You have no ${action} access to ${subject}`
}

function notYours(name: string): string {
  return `You are not '${name}'`
}

function needsOrgAdmin(name: string): string {
  return `This needs an administrator of '${name}'`
}

export function assertInstanceAdmin(principal: Principal, action: InstanceAction = 'administer'): void {
  if (principal.kind === 'operator') return
  if (principal.kind === 'anonymous') throw new HubError('Unauthenticated')
  if (!principal.isAdmin || !tokenAllows(principal, action, { ownerId: principal.accountId }))
    throw new HubError('Forbidden', RULES[action].refusal(''))
}

const LOGIN = 'Log in with a token: hf auth login --token'

/** The account behind a principal, where an operation needs one. */
export function assertUser(principal: Principal): Extract<Principal, { kind: 'user' }> {
  if (principal.kind !== 'user') throw new HubError('Unauthenticated', LOGIN)
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
    if (principal.kind === 'anonymous') throw new HubError('Unauthenticated', LOGIN)
    throw new HubError(
      'Forbidden',
      principal.kind === 'user' && !tokenAllows(principal, action, { ownerId: repo.ownerId, repo })
        ? tokenLacks(principal, action, formatRepoId(repo))
        : RULES[action].refusal(formatRepoId(repo)),
    )
  }
  return repo
}

function isNameOf(repo: RepoRow, { namespace, name }: RepoName): boolean {
  return formatRepoId(repo).toLowerCase() === `${namespace}/${name}`.toLowerCase()
}

const REPO_ACTIONS: readonly RepoAction[] = ['read', 'write', 'admin']

/** What the principal may do to a repository now. */
export async function repoActions(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  repo: RepoRow | null,
): Promise<ReadonlySet<RepoAction>> {
  const standing = await standingTowards(ctx, principal, repo?.ownerId ?? null, repo?.createdBy ?? null)
  if (repo === null) return new Set()
  const on = { ownerId: repo.ownerId, repo }
  return new Set(
    REPO_ACTIONS.filter(
      (action) =>
        (action === 'read' && !repo.private) ||
        (RULES[action].who.includes(standing) && tokenAllows(principal, action, on)),
    ),
  )
}

/** The account, if the principal may do that to it, or in its namespace. Unauthenticated or Forbidden otherwise. */
export async function accountFor<A extends Pick<AccountRow, 'id' | 'name'>>(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  action: AccountAction,
  /** null: there is none, which is refused as to a stranger. */
  account: A | null,
  /** What is refused, where that is not the account by its own name. */
  subject: string = account?.name ?? '',
): Promise<A> {
  if (principal.kind === 'anonymous') throw new HubError('Unauthenticated', LOGIN)
  const standing = await standingTowards(ctx, principal, account?.id ?? null, null)
  if (account === null || !RULES[action].who.includes(standing))
    throw new HubError('Forbidden', RULES[action].refusal(printable(subject)))
  if (principal.kind === 'user') assertTokenMay(principal, action, account)
  return account
}

/** Throws unless the token itself lets its account do that: what the account may is another question. */
export function assertTokenMay(
  principal: User,
  action: AccountAction,
  account: Pick<AccountRow, 'id' | 'name'>,
): void {
  if (!tokenAllows(principal, action, { ownerId: account.id }))
    throw new HubError('Forbidden', tokenLacks(principal, action, account.name))
}

/** Every token may look at itself, change its string and give itself up. */
export function mayTouchToken(principal: User, tokenId: string): boolean {
  return tokenId === principal.tokenId || tokenAllows(principal, 'tokens', { ownerId: principal.accountId })
}

type User = Extract<Principal, { kind: 'user' }>

function tokenAllows(principal: Principal, action: Action, on: Parameters<typeof permits>[2]): boolean {
  if (principal.kind !== 'user') return true
  const { token, permission } = RULES[action]
  const { tokenRole, grants } = principal
  if (tokenRole !== 'fineGrained') return tokenRole === 'write' || token === 'read'
  return permission !== null && grants !== null && permits(grants, permission, on)
}

/** Why a token is refused: the permission or the role that is missing, by name. */
function tokenLacks(principal: User, action: Action, subject: string): string {
  const { permission } = RULES[action]
  return principal.tokenRole === 'fineGrained' && permission !== null
    ? `Your fine-grained token lacks the permission '${permission}' on ${subject}`
    : `Your token has the role '${principal.tokenRole}'; this needs one with 'write'`
}

/** Whether the private repositories of an account are the caller's to see: its member, with a token for all of them. */
export async function seesPrivate(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
  ownerId: string,
): Promise<boolean> {
  const standing = await standingTowards(ctx, principal, ownerId, null)
  return RULES.read.who.includes(standing) && tokenAllows(principal, 'read', { ownerId })
}

/** Whose private repositories the principal may see in lists. Says the same as `repoActions` does of each. */
export async function visibilityOf(
  ctx: Pick<OpsContext, 'catalog'>,
  principal: Principal,
): Promise<Visibility> {
  if (principal.kind === 'anonymous') return { ownerIds: [] }
  if (principal.kind === 'operator') return 'all'
  // No account has this id: only a token that is good everywhere is good here.
  const everywhere = tokenAllows(principal, 'read', { ownerId: '' })
  if (principal.isAdmin && everywhere) return 'all'
  const orgs = principal.isAdmin ? [] : await ctx.catalog.rows.accounts.orgsOf(principal.accountId)
  // An administrator stands well with everybody; then the accounts are those that the token names.
  const named = principal.isAdmin ? (principal.grants?.scoped ?? []).map(({ entity }) => entity._id) : []
  const ownerIds = new Set([principal.accountId, ...orgs.map(({ org }) => org.id), ...named])
  // A scope of single repositories is looked at where they are asked for, not in lists.
  return { ownerIds: [...ownerIds].filter((ownerId) => tokenAllows(principal, 'read', { ownerId })) }
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
  const isOwner = principal.accountId === ownerId
  // Not everything of its account is shown to a fine-grained token: then what is hidden takes the same look-up as nothing.
  if (isOwner && principal.tokenRole !== 'fineGrained') return 'owner'
  const role = await ctx.catalog.rows.accounts.role(ownerId ?? '', principal.accountId)
  if (isOwner) return 'owner'
  if (role === 'contributor' && createdBy === principal.accountId) return 'creator'
  return role ?? 'stranger'
}
