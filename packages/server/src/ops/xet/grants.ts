/**
 * CAS tokens: what the hub hands out for one repository and the CAS routes accept. A token holds no right of its own;
 * each use asks again what its owner may do now, so that a revoked token or a deleted repository ends it.
 */
import { HubError } from '@cairn/protocol/errors'
import { z } from 'zod'

import { CAS_TOKEN_GRACE_S, CAS_TOKEN_TTL_S } from '../../limits.ts'
import type { RepoRow } from '../../store/catalog/catalog.ts'
import { repoActions, repoFor, type Principal, type RepoLocator } from '../access.ts'
import { principalOf } from '../authenticate.ts'
import type { OpsContext } from '../context.ts'
import { resolveRevision } from '../revisions.ts'

export type CasScope = 'read' | 'write'

/** c: whom its downloads count for, r: repository id, s: scope, t: id of the access token (null: anonymous), o: made by the operator, e: unix seconds. */
const Sealed = z.object({
  c: z.string(),
  r: z.string(),
  s: z.enum(['read', 'write']),
  t: z.string().nullable(),
  o: z.boolean(),
  e: z.number(),
})

/**
 * `exp` in unix seconds, as clients judge it by their own clock. A `revision` must be there to be read; for writing
 * none is looked at, since the branch may come with the upload.
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
  const exp = Math.floor(ctx.clock() / 1000) + CAS_TOKEN_TTL_S
  const sealed: z.infer<typeof Sealed> = {
    c: client,
    r: repo.id,
    s: scope,
    t: principal.kind === 'user' ? principal.tokenId : null,
    o: principal.kind === 'operator',
    e: exp,
  }
  return { accessToken: ctx.signer.seal('cas-token', sealed), exp, domainId: repo.domainId }
}

/**
 * The repository that a CAS token opens. 401 for a bad or expired one, 403 for one without the right or for another
 * domain than its repository's.
 */
export async function openGrant(
  ctx: OpsContext,
  credential: CasCredential,
  scope: CasScope,
): Promise<RepoRow> {
  return (await openDownload(ctx, credential, scope)).repo
}

interface CasCredential {
  token: string | null
  domainId: string
}

/** The same, with the client that the token was made for. */
export async function openDownload(
  ctx: OpsContext,
  { token, domainId }: CasCredential,
  scope: CasScope = 'read',
): Promise<{ repo: RepoRow; client: string }> {
  const sealed = Sealed.safeParse(token === null ? null : ctx.signer.unseal('cas-token', token))
  if (!sealed.success || (sealed.data.e + CAS_TOKEN_GRACE_S) * 1000 < ctx.clock())
    throw new HubError('InvalidCredentials', 'The CAS token is missing, not valid or expired')
  const grant = sealed.data
  if (scope === 'write' && grant.s !== 'write')
    throw new HubError('Forbidden', 'This CAS token may only read')
  const repo = await ctx.catalog.rows.repos.get(grant.r)
  const principal = await principalBehind(ctx, grant)
  const actions = principal === null ? null : await repoActions(ctx, principal, repo)
  if (repo === null || repo.deletedAt !== null || repo.domainId !== domainId || !actions?.has(scope))
    throw new HubError('Forbidden', 'This CAS token is no longer good for its repository')
  return { repo, client: grant.c }
}

async function principalBehind(ctx: OpsContext, grant: z.infer<typeof Sealed>): Promise<Principal | null> {
  if (grant.o) return { kind: 'operator' }
  if (grant.t === null) return { kind: 'anonymous' }
  const found = await ctx.catalog.rows.tokens.get(grant.t)
  const expired = found?.token.expiresAt !== null && (found?.token.expiresAt ?? 0) <= ctx.clock()
  return found === null || expired ? null : principalOf(found.token, found.account)
}
