/** Mistakes of clients that people still have, where an answer can keep them from it. */
import { HubError } from '@cairn/protocol/errors'

import { repoFor, type RepoLocator } from '../ops/access.ts'
import { nameTaken } from '../ops/places.ts'
import type { Call } from './route.ts'
import type { Site } from './urls.ts'

/**
 * Under a registry's prefix huggingface_hub before 1.2.0 takes the prefix's last word for a repository type when it
 * reads the address of a model without `models/`. `urls.repoUrl` gives it that; but when 0.24 and newer find by the
 * oids of preupload that nothing has changed, they make up an address of their own and raise. Who is not told the oids
 * sends the small files again, and the commit that changes nothing answers with the head.
 */
export function mistakesPrefix(site: Pick<Site, 'prefix'>, userAgent: string): boolean {
  const version = /(?:^|[\s;])hf_hub\/(\d{1,3})\.(\d{1,3})\./.exec(userAgent)
  if (site.prefix === '' || version === null) return false
  const [major, minor] = version.slice(1).map(Number) as [number, number]
  return major === 0 || (major === 1 && minor < 2)
}

/**
 * Told 403, the same versions look with `exist_ok` whether the model is there, and make up its address too. Who may
 * read it is told instead that it is there, with the address that they understand.
 */
export async function conflictInstead(
  { ops, principal, site, client }: Call,
  error: unknown,
  locator: RepoLocator,
): Promise<unknown> {
  const isRefused = error instanceof HubError && error.code === 'Forbidden' && locator.type === 'model'
  if (!isRefused || !mistakesPrefix(site, client.userAgent)) return error
  return repoFor(ops, principal, locator, 'read').then(nameTaken, () => error)
}
