/**
 * CAS tokens: what the hub hands out for one repository and the CAS routes accept. A token holds no right of its own;
 * each use asks again what its owner may do now, so that a revoked token or a deleted repository ends it.
 */
import { HubError } from '@cairn/protocol/errors'
import { assertRefName } from '@cairn/protocol/git/paths'
import { z } from 'zod'

import { CAS_TOKEN_GRACE_S, CAS_TOKEN_TTL_S } from '../../limits.ts'
import type { RepoRow } from '../../store/catalog/catalog.ts'
import { repoFor, seesPrivate, type Principal, type RepoLocator } from '../access.ts'
import { bearerMay, bearerOf, principalBehind } from '../bearer.ts'
import type { OpsContext } from '../context.ts'
import { assertRoom } from '../quotas.ts'
import { resolveRevision, revisionNotFound } from '../revisions.ts'

export type CasScope = 'read' | 'write'

/** c: whom its downloads count for, r: repository id, s: scope, b: bearer, e: unix seconds. */
const Sealed = z.object({
  c: z.string(),
  r: z.string(),
  s: z.enum(['read', 'write']),
  b: z.string(),
  e: z.number(),
})

/**
 * `exp` in unix seconds, as clients judge it by their own clock. A `revision` must be there to be read; for writing it
 * may come with the upload, if it can at all.
 */
export async function grantCas(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  scope: CasScope,
  revision: string,
  /** Whom downloads with it count for. */
  client: string,
): Promise<{ accessToken: string; exp: number; domainId: string }> {
  const repo = await repoFor(ctx, principal, locator, scope)
  if (scope === 'read') await resolveRevision(ctx, repo, revision)
  else {
    assertCanBeRevision(revision)
    // Here every client shows the reason; what Xet's own library makes of a refusal is less clear.
    await assertRoom(ctx, repo, 1)
  }
  const exp = Math.floor(ctx.clock() / 1000) + CAS_TOKEN_TTL_S
  const sealed: z.infer<typeof Sealed> = {
    c: client,
    r: repo.id,
    s: scope,
    b: bearerOf(principal),
    e: exp,
  }
  return { accessToken: ctx.signer.seal('cas-token', sealed), exp, domainId: repo.domainId }
}

function assertCanBeRevision(revision: string): void {
  try {
    assertRefName(revision.startsWith('refs/') ? revision : `refs/heads/${revision}`)
  } catch {
    // Whatever is wrong with the name: there is no such revision and there will be none.
    throw revisionNotFound(revision)
  }
}

interface CasCredential {
  token: string | null
  domainId: string
}

/** What a CAS token opens. */
export interface CasGrant {
  repo: RepoRow
  bearer: string
  /** Whom its downloads count for. */
  client: string
}

/** 401 for a bad or expired token, 403 for one without the right or for another domain than its repository's. */
export async function openGrant(
  ctx: OpsContext,
  { token, domainId }: CasCredential,
  scope: CasScope,
): Promise<CasGrant> {
  const sealed = Sealed.safeParse(token === null ? null : ctx.signer.unseal('cas-token', token))
  if (!sealed.success || (sealed.data.e + CAS_TOKEN_GRACE_S) * 1000 < ctx.clock())
    throw new HubError('InvalidCredentials', 'The CAS token is missing, not valid or expired')
  const grant = sealed.data
  if (scope === 'write' && grant.s !== 'write')
    throw new HubError('Forbidden', 'This CAS token may only read')
  const repo = await ctx.catalog.rows.repos.get(grant.r)
  if (repo === null || repo.domainId !== domainId || !(await bearerMay(ctx, grant.b, repo, scope)))
    throw new HubError('Forbidden', 'This CAS token is no longer good for its repository')
  return { repo, bearer: grant.b, client: grant.c }
}

/**
 * Whether the bearer sees whatever lies in the repository's domain. A token for single repositories does not, and is
 * told nothing of the others' chunks and xorbs, whose hashes it may know.
 */
export async function seesDomain(ctx: OpsContext, { repo, bearer }: CasGrant): Promise<boolean> {
  const principal = await principalBehind(ctx, bearer)
  return principal !== null && seesPrivate(ctx, principal, repo.ownerId)
}
