/**
 * Contents of one repository become contents of another, without passing through the client. The caller must be able
 * to read the one and write the other. Within a deduplication domain this is a link; across domains the bytes, or the
 * xorbs, are copied and checked as if they had been uploaded. hub-api.md §5.
 */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId } from '@cairn/protocol/repo-id'
import { decodeTerms } from '@cairn/protocol/xet/terms'

import type { LinkedXetFile, RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import { xorbKey } from '../store/keys.ts'
import { repoFor, type Principal, type RepoLocator } from './access.ts'
import { auditRow } from './audit.ts'
import type { OpsContext } from './context.ts'
import { receiveObject } from './lfs.ts'
import { assertRoom } from './quotas.ts'
import { openStored } from './stored-content.ts'
import { receiveXorb } from './xet/upload.ts'

export interface DuplicateFailure {
  sha256: string
  error: string
}

/** Those that could not be taken over; the others were, and stay. */
export async function duplicateContents(
  ctx: OpsContext,
  principal: Principal,
  from: RepoLocator,
  to: RepoLocator,
  oids: readonly string[],
): Promise<DuplicateFailure[]> {
  const source = await repoFor(ctx, principal, from, 'read')
  const target = await repoFor(ctx, principal, to, 'write')
  const wanted = [...new Set(oids)]
  const offered = await ctx.catalog.rows.blobs.contentOf(source.id, wanted)
  const present = await ctx.catalog.rows.blobs.contentOf(target.id, wanted)
  const failed: DuplicateFailure[] = []
  const taken: string[] = []
  for (const oid of wanted) {
    const stored = offered.get(oid)
    if (present.has(oid)) continue
    if (stored === undefined) {
      failed.push({ sha256: oid, error: `${formatRepoId(source)} has no such file` })
      continue
    }
    try {
      await assertRoom(ctx, target, stored.sizeBytes)
      if (stored.kind === 'xet') await takeXetFile(ctx, source, target, stored)
      else await takeObject(ctx, source, target, stored)
      taken.push(oid)
    } catch (error) {
      if (error instanceof HubError && error.code === 'QuotaExceeded') {
        failed.push({ sha256: oid, error: error.message })
        continue
      }
      ctx.log.error({ err: error, repoId: source.id, oid }, 'a content could not be duplicated')
      failed.push({ sha256: oid, error: 'The stored bytes could not be copied' })
    }
  }
  const details = { from: formatRepoId(source), type: source.type, oids: taken }
  if (taken.length > 0)
    await ctx.catalog.tx((rows) =>
      rows.audit.insert(auditRow(ctx, principal, 'lfs.duplicate', formatRepoId(target), details, target.id)),
    )
  return failed
}

async function takeObject(
  ctx: OpsContext,
  source: RepoRow,
  target: RepoRow,
  stored: StoredContent,
): Promise<void> {
  if (stored.domainId === target.domainId) {
    await ctx.catalog.tx((rows) => rows.blobs.linkLfs(target.id, stored.oid, ctx.clock()))
    return
  }
  const content = openStored(ctx, source, stored)
  await receiveObject(ctx, target, stored, await content.open())
}

async function takeXetFile(
  ctx: OpsContext,
  source: RepoRow,
  target: RepoRow,
  stored: Extract<StoredContent, { kind: 'xet' }>,
): Promise<void> {
  const file = await ctx.catalog.rows.xet.getFile(source.id, stored.xetHash)
  if (file === null) throw new HubError('Internal', `The Xet file ${stored.xetHash} is gone`)
  const xorbs = new Set([...decodeTerms(file.terms)].map(({ xorb }) => xorb))
  const isNear = file.domainId === target.domainId
  if (!isNear)
    for (const xorb of xorbs) {
      const bytes = await ctx.blobs.read(xorbKey(file.domainId, xorb))
      await receiveXorb(ctx, target, xorb, copies(bytes))
    }
  const row: LinkedXetFile = {
    ...file,
    domainId: target.domainId,
    // In another domain nothing counts until it is computed there.
    sha256: isNear ? file.sha256 : null,
    claimedSha256: stored.oid,
    createdAt: ctx.clock(),
  }
  ctx.pendingUploads.settle(target.id, file.sizeBytes)
  await ctx.catalog.tx(async (rows, emit) => {
    const isNew = await rows.xet.insertFile(target.id, row, [...xorbs])
    if (isNew && row.sha256 === null)
      emit({ type: 'xet.file-registered', repoId: target.id, domainId: target.domainId, hash: file.hash })
  })
}

/** The store reuses its buffers, and the check of a xorb gathers what it is given. */
async function* copies(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) yield chunk.slice()
}
