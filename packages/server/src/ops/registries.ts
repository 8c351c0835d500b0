/** Registries beside the default one: `/{org}/{slug}/huggingface`, whose namespaces are free. */
import { HubError } from '@cairn/protocol/errors'
import { assertNewName, isReservedNamespace, printable } from '@cairn/protocol/repo-id'

import { assertInstanceAdmin, type Principal } from './access.ts'
import { accountNamed, assertNothingLeft } from './accounts.ts'
import { change, type AccountDeps } from './change.ts'

export interface RegistryView {
  id: string
  /** null for the default registry. */
  org: string | null
  slug: string
  /** Its place under the public base, without a trailing slash. */
  path: string
  createdAt: string
}

export async function createRegistry(
  deps: AccountDeps,
  principal: Principal,
  orgName: string,
  slug: string,
): Promise<RegistryView> {
  return change(deps, principal, async (c) => {
    const org = await accountNamed(c.rows.accounts, 'org', orgName)
    assertNewName(slug, 'name')
    if (isReservedNamespace(slug)) throw new HubError('BadRequest', `The registry name '${slug}' is reserved`)
    if ((await c.rows.registries.getBySlug(org.name, slug)) !== null)
      throw new HubError('Conflict', `The registry '${org.name}/${slug}' exists already`)
    const row = { id: c.newId(), orgId: org.id, slug, createdAt: c.at }
    await c.rows.registries.insert(row)
    await c.audit('registry.create', `${org.name}/${slug}`, { id: row.id })
    return viewOf({ ...row, orgName: org.name })
  })
}

export async function listRegistries(deps: AccountDeps, principal: Principal): Promise<RegistryView[]> {
  assertInstanceAdmin(principal)
  return (await deps.catalog.rows.registries.list()).map(viewOf)
}

/** Refused while it holds repositories. */
export async function deleteRegistry(
  deps: AccountDeps,
  principal: Principal,
  orgName: string,
  slug: string,
): Promise<RegistryView> {
  return change(deps, principal, async (c) => {
    const registry = await c.rows.registries.getBySlug(orgName, slug)
    if (registry === null) throw new HubError('NotFound', `No registry '${printable(`${orgName}/${slug}`)}'`)
    if ((await c.rows.repos.list(registry.id, null, 1)).length > 0)
      throw new HubError(
        'Conflict',
        `The registry '${registry.orgName}/${registry.slug}' holds repositories: delete them first`,
      )
    await assertNothingLeft(c.rows, (repo) => repo.registryId === registry.id)
    await c.rows.registries.delete(registry.id)
    await c.audit('registry.delete', `${registry.orgName}/${registry.slug}`, { id: registry.id })
    return viewOf(registry)
  })
}

function viewOf(registry: {
  id: string
  orgName: string | null
  slug: string
  createdAt: number
}): RegistryView {
  const { id, orgName, slug, createdAt } = registry
  return {
    id,
    org: orgName,
    slug,
    path: orgName === null ? '/' : `/${orgName}/${slug}/huggingface`,
    createdAt: new Date(createdAt).toISOString(),
  }
}
