/**
 * LFS objects of a repository: where to put them, where to get them, and their arrival. hub-api.md §8.
 *
 * Clients send no credentials to the addresses of a batch (huggingface_hub `lfs.py`, 0.19.4 to 2.4.0), so these are
 * signed. A sha256 alone opens nothing: whoever uploads an object that another repository already has sends the bytes
 * all the same, and only then is the object linked to their repository.
 */
import { ERROR_CODES, HubError } from '@cairn/protocol/errors'
import type { LfsBatchObject, LfsBatchRequest } from '@cairn/protocol/lfs/batch'

import { LFS_BATCH_PARTS_MAX, LFS_PARTS_MAX, LFS_URL_TTL_S, MIGRATION_MIN_BYTES } from '../limits.ts'
import { BlobMismatchError, type Staged } from '../store/blobs/blob-store.ts'
import type { CatalogRows, RepoRow } from '../store/catalog/catalog.ts'
import { lfsKey } from '../store/keys.ts'
import { assertLiving, livingRepo, repoFor, type Principal, type RepoLocator } from './access.ts'
import { bearerMay, bearerOf } from './bearer.ts'
import type { Content } from './content.ts'
import type { OpsContext } from './context.ts'
import { renewContents } from './leases.ts'
import { absence, quarantineReasons } from './quarantine.ts'
import { roomFor } from './quotas.ts'
import { openStored } from './stored-content.ts'

/** What a signed address is good for. */
export type LfsAddress =
  | { use: 'get' | 'put' | 'verify'; oid: string; sizeBytes: number }
  | { use: 'part'; oid: string; sizeBytes: number; uploadId: string; partNumber: number }
  | { use: 'complete'; oid: string; sizeBytes: number; uploadId: string }

/** The query of a signed address. */
export interface SignedQuery {
  size: string
  /** Who got it: ops/bearer.ts. */
  by: string
  expires: string
  signature: string
}

export type LfsPlan =
  | { oid: string; sizeBytes: number; state: 'present' }
  | { oid: string; sizeBytes: number; state: 'download' | 'basic' | 'xet' }
  | {
      oid: string
      sizeBytes: number
      state: 'multipart'
      uploadId: string
      partBytes: number
      partCount: number
    }
  | { oid: string; sizeBytes: number; state: 'error'; code: number; message: string }

export type LfsTransfer = 'basic' | 'multipart' | 'xet'

/** Decides object by object. The transfer holds for the whole answer. */
export async function planBatch(
  ctx: OpsContext,
  principal: Principal,
  locator: RepoLocator,
  request: LfsBatchRequest,
): Promise<{ repo: RepoRow; transfer: LfsTransfer; objects: LfsPlan[] }> {
  const repo = await repoFor(ctx, principal, locator, request.operation === 'download' ? 'read' : 'write')
  const sound = request.objects.filter((object) => object.error === undefined)
  const oids = sound.map(({ oid }) => oid)
  const stored = await ctx.catalog.rows.blobs.contentOf(repo.id, oids)
  const reasons = await quarantineReasons(
    ctx,
    repo,
    oids.filter((oid) => !stored.has(oid)),
  )
  // A client that is told that we have them will not send them again before it commits.
  if (request.operation === 'upload') await renewContents(ctx, repo.id, stored.values())
  const offered = request.transfers
  const xet = request.operation === 'upload' && offered.includes('xet')
  const multipart = !xet && request.operation === 'upload' && offered.includes('multipart')
  const objects = request.objects.map((object) =>
    plan(ctx, repo, request.operation, object, { stored, reasons }, { xet, multipart }),
  )
  if (request.operation === 'upload') await refuseBeyondQuota(ctx, repo, objects)
  const partCount = objects.reduce((sum, o) => sum + (o.state === 'multipart' ? o.partCount : 0), 0)
  if (partCount > LFS_BATCH_PARTS_MAX)
    throw new HubError('TooLarge', `These objects have ${partCount} parts: ask for fewer objects at a time`)
  const transfer = xet ? 'xet' : objects.some(({ state }) => state === 'multipart') ? 'multipart' : 'basic'
  return { repo, transfer, objects }
}

/** Object by object, in their order: what fits may still be uploaded, and a client shows the reason for the rest. */
async function refuseBeyondQuota(ctx: OpsContext, repo: RepoRow, objects: LfsPlan[]): Promise<void> {
  const standing = await (await roomFor(ctx, repo)).look(ctx.catalog.rows)
  let moreBytes = 0
  for (const [index, { oid, sizeBytes, state }] of objects.entries()) {
    if (state === 'present' || state === 'error') continue
    const refusal = standing.refusal(moreBytes + sizeBytes)
    if (refusal === null) moreBytes += sizeBytes
    else objects[index] = { oid, sizeBytes, state: 'error', code: refusal.status, message: refusal.message }
  }
}

function plan(
  ctx: OpsContext,
  repo: RepoRow,
  operation: LfsBatchRequest['operation'],
  { oid, sizeBytes, error }: LfsBatchObject,
  known: { stored: ReadonlyMap<string, { sizeBytes: number }>; reasons: ReadonlyMap<string, string> },
  ways: { xet: boolean; multipart: boolean },
): LfsPlan {
  const failed = (code: number, message: string): LfsPlan => ({
    oid,
    sizeBytes,
    state: 'error',
    code,
    message,
  })
  if (error !== undefined) return failed(error.code, error.message)
  const found = known.stored.get(oid)
  if (operation === 'download') {
    const reason = known.reasons.get(oid)
    if (reason !== undefined) return failed(ERROR_CODES.Quarantined.status, reason)
    if (found === undefined) return failed(404, 'Object does not exist')
    return found.sizeBytes === sizeBytes
      ? { oid, sizeBytes, state: 'download' }
      : failed(422, 'The object has another size')
  }
  if (found !== undefined)
    return found.sizeBytes === sizeBytes
      ? { oid, sizeBytes, state: 'present' }
      : failed(422, 'The object has another size')
  if (ways.xet) return { oid, sizeBytes, state: 'xet' }
  const { partBytes } = ctx.lfs
  const basicMaxBytes = repo.lfsMultipartAboveBytes ?? ctx.lfs.basicMaxBytes
  if (!ways.multipart || sizeBytes <= basicMaxBytes) return { oid, sizeBytes, state: 'basic' }
  const size = Math.max(partBytes, Math.ceil(sizeBytes / LFS_PARTS_MAX))
  return {
    oid,
    sizeBytes,
    state: 'multipart',
    // The same for every attempt at this object, so that one that broke off keeps its parts.
    uploadId: `${repo.id.slice(0, 24)}-${oid.slice(0, 32)}`,
    partBytes: size,
    partCount: Math.ceil(sizeBytes / size),
  }
}

/** Query parameters that make an address of this repository usable without a credential for a day, as long as `by` may. */
export function signAddress(
  ctx: OpsContext,
  repo: RepoRow,
  address: LfsAddress,
  principal: Principal,
): SignedQuery {
  const expires = Math.floor(ctx.clock() / 1000) + LFS_URL_TTL_S
  const by = bearerOf(principal)
  return {
    size: String(address.sizeBytes),
    by,
    expires: String(expires),
    signature: ctx.signer.sign('lfs-url', signedText(repo.id, address, by, expires)),
  }
}

/** The repository of a signed address. Forbidden when the signature does not fit, is too old or its right is gone. */
export async function openAddress(
  ctx: OpsContext,
  locator: RepoLocator,
  address: LfsAddress,
  { by, expires, signature }: { by: string; expires: number; signature: string },
): Promise<RepoRow> {
  // By an old name too, without a redirect: an upload that a rename overtook cannot be sent twice.
  const repo = await livingRepo(ctx, locator)
  // A missing repository is told apart from a bad signature by nothing.
  const text = signedText(repo?.id ?? '', address, by, expires)
  const isSigned = ctx.signer.verify('lfs-url', text, signature) && expires * 1000 > ctx.clock()
  const action = address.use === 'get' ? 'read' : 'write'
  if (!isSigned || repo === null || !(await bearerMay(ctx, by, repo, action)))
    throw new HubError(
      'Forbidden',
      'This address is not signed by this hub, or no longer valid: ask for a new one',
    )
  return repo
}

function signedText(repoId: string, address: LfsAddress, by: string, expires: number): string {
  const part = address.use === 'part' ? address.partNumber : 0
  const uploadId = 'uploadId' in address ? address.uploadId : ''
  return [address.use, repoId, address.oid, address.sizeBytes, uploadId, part, by, expires].join('\n')
}

/** Takes an object's bytes and makes it one of the repository's. */
export async function receiveObject(
  ctx: OpsContext,
  repo: RepoRow,
  object: { oid: string; sizeBytes: number },
  bytes: AsyncIterable<Uint8Array>,
): Promise<void> {
  await using staged = await ctx.blobs.stage()
  for await (const chunk of bytes) await staged.append(chunk)
  await keep(ctx, repo, object, staged)
}

export async function receivePart(
  ctx: OpsContext,
  repo: RepoRow,
  address: Extract<LfsAddress, { use: 'part' }>,
  bytes: AsyncIterable<Uint8Array>,
  sizeBytesMax: number,
): Promise<{ etag: string }> {
  await ctx.pendingUploads.assert(ctx, repo)
  const { etag, sizeBytes } = await ctx.blobs.parts.put(
    address.uploadId,
    address.partNumber,
    bytes,
    sizeBytesMax,
  )
  ctx.pendingUploads.add(repo.id, sizeBytes)
  return { etag }
}

/** Joins the parts. They are dropped only when the whole has the promised sha256. */
export async function completeParts(
  ctx: OpsContext,
  repo: RepoRow,
  address: Extract<LfsAddress, { use: 'complete' }>,
  parts: readonly { partNumber: number; etag: string }[],
): Promise<void> {
  const present = new Map(
    (await ctx.blobs.parts.list(address.uploadId)).map((part) => [part.partNumber, part]),
  )
  const ordered = parts.map(({ partNumber, etag }) => ({ partNumber, etag: etag.replace(/^W\/|"/g, '') }))
  ordered.sort((a, b) => a.partNumber - b.partNumber)
  let total = 0
  for (const [index, part] of ordered.entries()) {
    const found = present.get(part.partNumber)
    if (part.partNumber !== index + 1 || found === undefined || found.etag !== part.etag)
      throw new HubError('Invalid', `Part ${part.partNumber} was not uploaded, or has another ETag`)
    total += found.sizeBytes
  }
  if (total !== address.sizeBytes)
    throw new HubError('Invalid', `The parts have ${total} bytes, the object ${address.sizeBytes}`)
  await using staged = await ctx.blobs.parts.assemble(address.uploadId, ordered)
  await keep(ctx, repo, address, staged)
  ctx.pendingUploads.settle(repo.id, address.sizeBytes)
  await ctx.blobs.parts.drop(address.uploadId)
}

async function keep(
  ctx: OpsContext,
  repo: RepoRow,
  { oid, sizeBytes }: { oid: string; sizeBytes: number },
  staged: Staged,
): Promise<void> {
  const { domainId } = repo
  const key = lfsKey(domainId, oid)
  const room = await roomFor(ctx, repo)
  const newBytes = async ({ blobs }: Pick<CatalogRows, 'blobs'>): Promise<number> =>
    (await blobs.contentOf(repo.id, [oid])).has(oid) ? 0 : sizeBytes
  await room.assert(ctx.catalog.rows, await newBytes(ctx.catalog.rows))
  // Bytes that are there are kept, so nobody may remove them before the row says that they are needed.
  await ctx.repoQueue.run(key, async () => {
    try {
      await staged.commit(key, { sizeBytes, sha256: oid })
    } catch (error) {
      if (!(error instanceof BlobMismatchError)) throw error
      throw new HubError(
        'Invalid',
        `The upload has ${error.actual.sizeBytes} bytes and sha256 ${error.actual.sha256}, not what its address is for`,
        { cause: error },
      )
    }
    const at = ctx.clock()
    await ctx.catalog.tx(async (rows) => {
      await assertLiving(rows, repo)
      await room.assert(rows, await newBytes(rows))
      await rows.blobs.insertLfs({ domainId, oid, sizeBytes, createdAt: at })
      await rows.blobs.linkLfs(repo.id, oid, at, domainId)
      if (sizeBytes >= MIGRATION_MIN_BYTES) await rows.lfsMigrations.insert({ domainId, oid }, at)
    })
  })
}

/** Throws NotFound unless the repository has the object, and Invalid when it has it in another size. */
export async function verifyObject(
  ctx: OpsContext,
  repo: RepoRow,
  object: { oid: string; sizeBytes: number },
): Promise<void> {
  const stored = (await ctx.catalog.rows.blobs.contentOf(repo.id, [object.oid])).get(object.oid)
  if (stored === undefined) throw await absence(ctx, repo, object.oid, noObject())
  if (stored.sizeBytes !== object.sizeBytes) throw new HubError('Invalid', 'The object has another size')
}

export async function openObject(ctx: OpsContext, repo: RepoRow, oid: string): Promise<Content> {
  const stored = (await ctx.catalog.rows.blobs.contentOf(repo.id, [oid])).get(oid)
  if (stored === undefined) throw await absence(ctx, repo, oid, noObject())
  return openStored(ctx, repo, stored)
}

function noObject(): HubError {
  return new HubError('NotFound', 'Object does not exist')
}
