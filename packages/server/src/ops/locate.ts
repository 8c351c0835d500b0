/** From the registry that an address names to its row. */
import { HubError } from '@cairn/protocol/errors'
import { printable } from '@cairn/protocol/repo-id'

import type { RegistryRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'

/** Made by the first migration; served at `/`. */
export const DEFAULT_REGISTRY: Registry = {
  id: 'default',
  orgId: null,
  orgName: null,
  slug: '',
  createdAt: 0,
}

export interface Registry extends RegistryRow {
  /** null for the default registry. */
  orgName: string | null
}

export async function registryFor(
  ctx: Pick<OpsContext, 'catalog'>,
  name: { org: string; slug: string } | null,
): Promise<Registry> {
  if (name === null) return DEFAULT_REGISTRY
  const registry = await ctx.catalog.rows.registries.getBySlug(name.org, name.slug)
  if (registry === null)
    throw new HubError('NotFound', `There is no registry ${printable(`${name.org}/${name.slug}`)}`)
  return registry
}
