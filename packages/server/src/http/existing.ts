/** A 409 must name the address of what is there: clients with `exist_ok` go on with it (hub-api.md §3.1). */
import { HubError } from '@cairn/protocol/errors'
import type { RepoName } from '@cairn/protocol/repo-id'

import { repoUrl, type Site } from './urls.ts'

export function withUrl(site: Site, error: unknown): unknown {
  const existing = error instanceof HubError ? error.body?.['existing'] : undefined
  if (!(error instanceof HubError) || existing === undefined) return error
  return new HubError(error.code, error.message, {
    cause: error,
    body: { url: repoUrl(site, existing as RepoName) },
  })
}
