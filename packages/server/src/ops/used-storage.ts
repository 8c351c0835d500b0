/** What repositories, their owners and the whole hub store: as their owners see it, and as it lies on the disk. */
import { formatRepoId } from '@cairn/protocol/repo-id'

import { ADMIN_LIST_MAX } from '../limits.ts'
import type { StoredSizes } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, type Principal } from './access.ts'
import { accountNamed } from './accounts.ts'
import type { AccountDeps } from './change.ts'

export interface UsedStorage extends StoredSizes {
  /** A name of an account or a repository; `all`: the hub. */
  of: string
  kind: string
}

/** Of an account and each of its repositories, by size; without one of the hub and each owner. */
export async function usedStorage(
  { catalog }: Pick<AccountDeps, 'catalog'>,
  principal: Principal,
  { account: name }: { account?: string | undefined },
): Promise<UsedStorage[]> {
  assertInstanceAdmin(principal)
  const { accounts, owned, repos } = catalog.rows
  const found: UsedStorage[] = []
  if (name === undefined) {
    for (const kind of ['org', 'user'] as const)
      for (const account of (await accounts.list(kind)).slice(0, ADMIN_LIST_MAX))
        found.push({ of: account.name, kind, ...(await owned.sizes({ ownerId: account.id })) })
    return [{ of: 'all', kind: 'hub', ...(await owned.sizes(null)) }, ...bySize(found)]
  }
  const account = (await accounts.getByName(name)) ?? (await accountNamed(accounts, 'org', name))
  for (const repo of (await repos.listByOwner(account.id)).slice(0, ADMIN_LIST_MAX))
    found.push({ of: formatRepoId(repo), kind: repo.type, ...(await owned.sizes({ repoId: repo.id })) })
  const total = { of: account.name, kind: account.kind, ...(await owned.sizes({ ownerId: account.id })) }
  return [total, ...bySize(found)]
}

function bySize(found: readonly UsedStorage[]): UsedStorage[] {
  const stored = found.filter(({ logicalBytes }) => logicalBytes > 0)
  return stored.toSorted((one, other) => other.logicalBytes - one.logicalBytes)
}
