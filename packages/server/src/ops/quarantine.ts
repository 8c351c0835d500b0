/**
 * Contents that a repository names by a sha256 which their bytes do not have: an uploader claimed it, and the hub has
 * computed another. Nothing is served under the false name, and whoever asks is told why. It concerns the one
 * repository, and ends when the right bytes are uploaded to it. docs/adr/0014.
 */
import { HubError } from '@cairn/protocol/errors'

import type { RepoRow } from '../store/catalog/catalog.ts'
import type { OpsContext } from './context.ts'

/** Reasons, by those of the sha256 for which `contentOf` knows nothing but a false claim. */
export async function quarantineReasons(
  ctx: OpsContext,
  repo: RepoRow,
  absentOids: readonly string[],
): Promise<Map<string, string>> {
  if (absentOids.length === 0) return new Map()
  const claims = await ctx.catalog.rows.xet.falseClaims(repo.id, absentOids)
  return new Map(
    [...claims].map(([oid, { sha256 }]) => [
      oid,
      `quarantined: the bytes that were uploaded as ${oid} have the sha256 ${sha256}`,
    ]),
  )
}

/** Why there is no content: Quarantined, or else what is given. */
export async function absence(
  ctx: OpsContext,
  repo: RepoRow,
  oid: string,
  otherwise: HubError,
): Promise<HubError> {
  const reason = (await quarantineReasons(ctx, repo, [oid])).get(oid)
  return reason === undefined ? otherwise : new HubError('Quarantined', reason)
}
