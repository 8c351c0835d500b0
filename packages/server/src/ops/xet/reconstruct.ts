/** Where a file's bytes lie, for a client that fetches and decodes them itself: xet.md §6.1, §13.5. */
import { setImmediate as pause } from 'node:timers/promises'

import { HubError } from '@cairn/protocol/errors'
import type { XetHash } from '@cairn/protocol/xet/hash'
import { planReconstruction, type RawRange, type Reconstruction } from '@cairn/protocol/xet/reconstruction'

import { XORB_URL_TTL_S } from '../../limits.ts'
import type { ByteRange } from '../../store/blobs/blob-store.ts'
import type { RepoRow } from '../../store/catalog/catalog.ts'
import { xorbKey } from '../../store/keys.ts'
import { bearerMay } from '../bearer.ts'
import type { Content } from '../content.ts'
import type { OpsContext } from '../context.ts'
import { seesDomain, type CasGrant } from './grants.ts'
import { tableOf } from './tables.ts'
import { hashOf } from './upload.ts'

/**
 * NotFound when the repository has no such file, RangeNotSatisfiable at its end: that is how hf_xet finds it.
 * `domainId`: where the xorbs lie, which is not the repository's own domain for what an earlier owner left.
 */
export async function reconstruct(
  ctx: OpsContext,
  repo: RepoRow,
  hashText: string,
  range: RawRange | null,
): Promise<Reconstruction & { domainId: string }> {
  const file = await ctx.catalog.rows.xet.getFile(repo.id, hashOf(hashText))
  if (file === null) throw new HubError('NotFound', 'There is no such file')
  const plan = await planReconstruction(
    file.terms,
    range,
    (xorb) => tableOf(ctx, file.domainId, xorb),
    () => pause(),
  )
  if (plan === 'unsatisfiable')
    throw new HubError('RangeNotSatisfiable', undefined, {
      headers: { 'Content-Range': `bytes */${file.sizeBytes}` },
    })
  return { ...plan, domainId: file.domainId }
}

/** The size of a file that the repository has. */
export async function fileSize(ctx: OpsContext, repo: RepoRow, hashText: string): Promise<number> {
  const file = await ctx.catalog.rows.xet.getFile(repo.id, hashOf(hashText))
  if (file === null) throw new HubError('NotFound', 'There is no such file')
  return file.sizeBytes
}

/** Stored size of a xorb of the repository's domain. */
export async function xorbSize(ctx: OpsContext, grant: CasGrant, hashText: string): Promise<number> {
  const hash = hashOf(hashText)
  const xorb = (await ctx.catalog.rows.xet.getXorbs(grant.repo.domainId, [hash])).get(hash)
  if (xorb === undefined || !(await seesDomain(ctx, grant)))
    throw new HubError('NotFound', 'There is no such xorb')
  return xorb.storedBytes
}

/** Fetch addresses carry no credential, so each is signed, for exactly one range of one xorb and for who asked. */
export interface XorbAddress {
  domainId: string
  hash: string
  range: ByteRange
  /** Through which the bearer came to it. */
  repoId: string
  bearer: string
  /** Unix seconds. */
  expires: number
  signature: string
}

export function signXorb(
  ctx: OpsContext,
  { repo, bearer }: CasGrant,
  { domainId, hash, range }: Pick<XorbAddress, 'domainId' | 'range'> & { hash: XetHash },
): XorbAddress {
  const expires = Math.floor(ctx.clock() / 1000) + XORB_URL_TTL_S
  const address = { domainId, hash, range, repoId: repo.id, bearer, expires }
  return { ...address, signature: ctx.signer.sign('xorb-url', signedText(address)) }
}

/**
 * Forbidden for a bad signature, an expired address or a right that is gone: clients ask for a new plan on 403, and only
 * then.
 */
export async function openXorb(ctx: OpsContext, address: XorbAddress): Promise<Content> {
  const isSigned =
    ctx.signer.verify('xorb-url', signedText(address), address.signature) &&
    address.expires * 1000 >= ctx.clock()
  const repo = isSigned ? await ctx.catalog.rows.repos.get(address.repoId) : null
  if (repo === null || !(await bearerMay(ctx, address.bearer, repo, 'read')))
    throw new HubError('Forbidden', 'This address is not signed by this hub, or no longer valid')
  const key = xorbKey(address.domainId, hashOf(address.hash))
  const stat = await ctx.blobs.stat(key)
  if (stat === null) throw new HubError('NotFound', 'There is no such xorb')
  return { sizeBytes: stat.sizeBytes, open: (range) => ctx.blobs.read(key, range) }
}

function signedText(address: Omit<XorbAddress, 'signature'>): string {
  const { domainId, hash, range, repoId, bearer, expires } = address
  return [domainId, hash, range.start, range.end, repoId, bearer, expires].join('\n')
}
