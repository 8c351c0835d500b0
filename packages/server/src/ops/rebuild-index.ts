/**
 * Rows from bytes. What the tables of xorbs, Xet files, their links and the index for deduplication hold follows from
 * the stored xorbs and shards alone; a file's sha256 is computed anew. Rows that are there stay as they are.
 */
import { HubError } from '@cairn/protocol/errors'
import { formatRepoId } from '@cairn/protocol/repo-id'

import type { BlobKey } from '../store/blobs/blob-store.ts'
import { keyPrefix, parseKey } from '../store/keys.ts'
import type { OpsContext } from './context.ts'
import { noteDamage } from './damage.ts'
import { historyPointers } from './history-pointers.ts'
import { DamagedBlobError, readSound } from './sound-blob.ts'
import { stepThrough, type Finding, type WalkStep, type WorkStep } from './work-step.ts'
import { registerStoredShard } from './xet/upload.ts'
import { computeSha256 } from './xet/verify-sha256.ts'

/** In this order: a shard needs its xorbs, and a repository's pointers are matched with what was computed. */
export function rebuildIndex(ctx: OpsContext, cursor: string | null): Promise<WorkStep> {
  return stepThrough(
    {
      xorbs: (after) => nextBlob(ctx, 'xorbs', after),
      shards: (after) => nextBlob(ctx, 'shards', after),
      'computed sha256': (after) => nextProof(ctx, after),
      repositories: (after) => nextRepo(ctx, after),
    },
    cursor,
  )
}

/** Makes the rows of a blob that has none; null when there is nothing to tell. */
export async function adoptBlob(ctx: OpsContext, key: BlobKey): Promise<Finding | null> {
  const parts = parseKey(key)!
  const { domainId, name } = parts
  try {
    if (parts.kind === 'shards') return await adoptShard(ctx, key, parts)
    // Nobody uploads or removes it meanwhile.
    await ctx.repoQueue.run(key, async () => {
      const verified = await readSound(ctx, key)
      const at = ctx.clock()
      const stat = await ctx.blobs.stat(key)
      await ctx.catalog.tx(async (rows) => {
        if (verified === null)
          await rows.blobs.insertLfs({ domainId, oid: name, sizeBytes: stat!.sizeBytes, createdAt: at })
        else await rows.xet.insertXorb({ domainId, hash: name, ...verified, storedAt: at, touchedAt: at })
      })
    })
    return { subject: key, message: 'it had no row', state: 'repaired' }
  } catch (error) {
    if (error instanceof DamagedBlobError) return { subject: key, message: error.message, state: 'note' }
    throw error
  }
}

async function adoptShard(
  ctx: OpsContext,
  key: BlobKey,
  { domainId, repoId, name }: { domainId: string; repoId: string; name: string },
): Promise<Finding> {
  const repo = await ctx.catalog.rows.repos.get(repoId)
  if (repo === null || repo.deletedAt !== null)
    return { subject: key, message: 'its repository is gone', state: 'note' }
  const parts: Buffer[] = []
  await readSound(ctx, key, async (bytes) => void parts.push(Buffer.from(bytes)))
  try {
    // Where its xorbs lie, which is not the repository's own domain for what an earlier owner left.
    await registerStoredShard(ctx, { ...repo, domainId }, name, Buffer.concat(parts))
    return { subject: key, message: 'it had no row', state: 'repaired' }
  } catch (error) {
    if (error instanceof HubError)
      return { subject: key, message: `cannot be registered: ${error.message}`, state: 'problem' }
    throw error
  }
}

async function nextBlob(ctx: OpsContext, kind: 'xorbs' | 'shards', after: string | null): Promise<WalkStep> {
  const { inventory } = ctx.catalog.rows
  for await (const { key } of ctx.blobs.list(keyPrefix(kind), (after ?? undefined) as BlobKey | undefined)) {
    const { domainId, name } = parseKey(key)!
    const isKnown = (await inventory.knownContents(kind, domainId, [name])).has(name)
    const finding = isKnown ? null : await adoptBlob(ctx, key)
    const isDamaged = finding !== null && finding.state === 'note' && kind === 'xorbs'
    const findings = isDamaged
      ? [await noteDamage(ctx, key, finding.message)]
      : finding === null || finding.state === 'repaired'
        ? []
        : [finding]
    const counts = finding?.state === 'repaired' ? { [kind]: 1 } : {}
    return { after: key, at: key, done: 1, total: null, findings, counts }
  }
  return ended
}

async function nextProof(ctx: OpsContext, after: string | null): Promise<WalkStep> {
  const slash = after?.indexOf('/') ?? -1
  const place = after === null ? null : { domainId: after.slice(0, slash), name: after.slice(slash + 1) }
  const [file] = await ctx.catalog.rows.inventory.unprovenFiles(place, 1)
  if (file === undefined) return ended
  const at = `${file.domainId}/${file.name}`
  const findings: Finding[] = []
  try {
    const sha256 = await computeSha256(ctx, file)
    for (const claim of await ctx.catalog.tx((rows) => rows.xet.prove(file.domainId, file.name, sha256)))
      findings.push({
        subject: `repository ${claim.repoId}: ${claim.claimedSha256}`,
        message: `what was uploaded under this sha256 has another, ${claim.sha256}`,
        state: 'problem',
      })
  } catch (error) {
    findings.push({ subject: `xet file ${at}`, message: (error as Error).message, state: 'problem' })
  }
  return { after: at, at, done: 1, total: null, findings, counts: { computed: 1 } }
}

/**
 * A copy of a repository, or one that was given a file by another, has no shards of its own. That its history names a
 * content of its domain shows that it had the right to it, for without that the commit would not have landed; unless it
 * landed with a false claim.
 */
async function nextRepo(ctx: OpsContext, after: string | null): Promise<WalkStep> {
  const { repos, blobs, inventory, xet } = ctx.catalog.rows
  const total = after === null ? await repos.count(null, null) : null
  const [repo] = await repos.list(null, after, 1)
  if (repo === undefined) return { ...ended, total }
  const findings: Finding[] = []
  const counts: Record<string, number> = { repositories: 1 }
  const at = `${repo.type} ${formatRepoId(repo)}`
  const { places } = await historyPointers(ctx, repo)
  const oids = [...places.keys()]
  for (let from = 0; from < oids.length; from += 500) {
    const slice = oids.slice(from, from + 500)
    const stored = await blobs.contentOf(repo.id, slice)
    const lost = slice.filter((oid) => !stored.has(oid))
    const refuted = await xet.falseClaims(repo.id, lost)
    const honest = lost.filter((oid) => !refuted.has(oid))
    const found = await inventory.provenFiles(repo.domainId, honest)
    await ctx.catalog.tx(async (rows) => {
      for (const [oid, file] of found) {
        await rows.damage.link(repo.id, file, oid, ctx.clock())
        counts['linked'] = (counts['linked'] ?? 0) + 1
      }
    })
    for (const oid of lost)
      if (!found.has(oid))
        findings.push({
          subject: `${at}: ${places.get(oid)?.path ?? oid}`,
          message: `the content ${oid} is not stored for this repository`,
          state: 'problem',
        })
  }
  return { after: repo.id, at, done: 1, total, findings, counts }
}

const ended: WalkStep = { after: null, at: '', done: 0, total: null, findings: [], counts: {} }
