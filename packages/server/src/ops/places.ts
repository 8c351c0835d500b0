/** Where a repository may come to lie: namespace, owner and deduplication domain, and what is said when the name is taken. */
import { HubError } from '@cairn/protocol/errors'
import { assertNewName, formatRepoId } from '@cairn/protocol/repo-id'

import type { AccountRow, RepoRow } from '../store/catalog/catalog.ts'
import { accountFor, type Principal, type RepoLocator } from './access.ts'
import type { OpsContext } from './context.ts'

/** Deduplication domain of a hub that shares one among all its owners. */
const INSTANCE_DOMAIN = 'instance'

/** What a repository of that namespace has. Throws unless the principal may make one there. */
export async function placeFor(
  ctx: OpsContext,
  principal: Principal,
  registry: RepoLocator['registry'],
  namespace: string,
): Promise<Pick<RepoRow, 'ownerId' | 'domainId' | 'namespace'>> {
  const found = await ownerOf(ctx, registry, namespace)
  const owner = await accountFor(ctx, principal, 'create', found, namespace)
  return {
    ownerId: owner.id,
    domainId: ctx.dedupDomain === 'instance' ? INSTANCE_DOMAIN : owner.id,
    // An account's own spelling; free namespaces keep the caller's.
    namespace: registry.orgId === null ? owner.name : namespace,
  }
}

/** The route adds `url`: clients with exist_ok read it from the 409 body (hub-api.md §3.1). */
export function nameTaken(repo: Pick<RepoRow, 'type' | 'namespace' | 'name'>): HubError {
  return new HubError('Conflict', `You already created this ${repo.type} repo: ${formatRepoId(repo)}`, {
    body: { existing: { type: repo.type, namespace: repo.namespace, name: repo.name } },
  })
}

/** Who owns a namespace: an account of that name, or in a registry with free namespaces its organization. */
async function ownerOf(
  ctx: OpsContext,
  registry: RepoLocator['registry'],
  namespace: string,
): Promise<AccountRow | null> {
  if (registry.orgId === null) return ctx.catalog.rows.accounts.getByName(namespace)
  // Free namespaces, but for those that the hub's own addresses need.
  assertNewName(namespace, 'namespace')
  return ctx.catalog.rows.accounts.get(registry.orgId)
}
