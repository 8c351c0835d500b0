/**
 * Whether repositories are whole: the catalog's refs are git's, git finds no fault with its objects, and every content
 * that a pointer of its history names is stored. Asked for by an operator, one repository at a time.
 */
import { FormatError } from '@cairn/protocol/errors'
import { formatRepoId } from '@cairn/protocol/repo-id'
import { decodeTerms } from '@cairn/protocol/xet/terms'

import { GitProcessError } from '../git/helper.ts'
import type { RepoRow, StoredContent } from '../store/catalog/catalog.ts'
import { lfsKey, xorbKey } from '../store/keys.ts'
import { repoFor, type Principal } from './access.ts'
import type { AdminRepo } from './admin.ts'
import type { OpsContext } from './context.ts'
import { storeWalks, type StoreCheckOptions } from './fsck-store.ts'
import { historyPointers } from './history-pointers.ts'
import { assertProjected, refsToProject, repairProjection } from './land.ts'
import { registryFor } from './locate.ts'
import { quarantineReasons } from './quarantine.ts'
import { openStored } from './stored-content.ts'
import { stepThrough, type Finding, type WalkStep, type WorkStep } from './work-step.ts'

export interface FsckOptions extends StoreCheckOptions {
  /** How many percent of the contents are read and compared with their sha256; the others have to be there. */
  readPercent: number
}

const CONTENTS_AT_ONCE = 500

/** What the disk has, and then one repository after the other. */
export function fsckHub(ctx: OpsContext, options: FsckOptions, cursor: string | null): Promise<WorkStep> {
  return stepThrough(
    { ...storeWalks(ctx, options), repositories: (after) => nextRepo(ctx, options, after) },
    cursor,
  )
}

/** The named one only. */
export function fsckRepo(
  ctx: OpsContext,
  principal: Principal,
  { registry, ...name }: AdminRepo,
  options: FsckOptions,
  cursor: string | null,
): Promise<WorkStep> {
  const only = async (): Promise<WalkStep> => {
    const locator = { ...name, registry: await registryFor(ctx, registry) }
    const step = await stepOf(ctx, await repoFor(ctx, principal, locator, 'admin'), options)
    return { ...step, total: 1, after: null }
  }
  return stepThrough({ repositories: only }, cursor)
}

async function nextRepo(ctx: OpsContext, options: FsckOptions, after: string | null): Promise<WalkStep> {
  const { repos } = ctx.catalog.rows
  const total = after === null ? await repos.count(null, null) : null
  const [repo] = await repos.list(null, after, 1)
  if (repo === undefined) return { after: null, at: '', done: 0, total, findings: [], counts: {} }
  return { ...(await stepOf(ctx, repo, options)), total, after: repo.id }
}

async function stepOf(
  ctx: OpsContext,
  repo: RepoRow,
  options: FsckOptions,
): Promise<Omit<WalkStep, 'after' | 'total'>> {
  const at = `${repo.type} ${formatRepoId(repo)}`
  const findings = (await checkRepo(ctx, repo, options)).map((found) => ({
    ...found,
    subject: `${at}: ${found.subject}`,
  }))
  return { at, done: 1, findings, counts: { repositories: 1 } }
}

async function checkRepo(ctx: OpsContext, repo: RepoRow, options: FsckOptions): Promise<Finding[]> {
  // Refs that are known to be behind are brought up, as before any use of git; what keeps them from it is found below.
  await assertProjected(ctx, repo).catch(() => undefined)
  const problems = await ctx.repoQueue.run(repo.id, () => compareRefs(ctx, repo, options.repair))
  problems.push(...(await ctx.git.fsck(repo.id)).map((line) => problem('git', line)))
  try {
    problems.push(...(await checkContents(ctx, repo, options.readPercent)))
  } catch (error) {
    // What git has just complained about keeps us from walking the history.
    if (!(error instanceof GitProcessError || error instanceof FormatError) && problems.length === 0)
      throw error
    problems.push(problem(formatRepoId(repo), `its history cannot be read: ${(error as Error).message}`))
  }
  return problems
}

async function compareRefs(ctx: OpsContext, { id }: RepoRow, repair: boolean): Promise<Finding[]> {
  const repo = await ctx.catalog.rows.repos.get(id)
  if (repo === null || repo.deletedAt !== null) return []
  await ctx.git.create(id)
  const truth = await refsToProject(ctx, id)
  const projected = new Map((await ctx.git.listRefs(id)).map(({ name, oid }) => [name, oid]))
  const problems: Finding[] = []
  let isRepairable = true
  for (const [name, oid] of truth) {
    const isThere = (await ctx.git.stat(id, oid)) !== null
    isRepairable &&= isThere
    if (!isThere) problems.push(problem(name, `the object ${oid} is missing`))
    else if (projected.get(name) !== oid)
      problems.push(
        problem(name, `git has ${projected.get(name) ?? 'no such ref'}, the catalog ${oid}`, repair),
      )
  }
  for (const [name, oid] of projected)
    if (!truth.has(name)) problems.push(problem(name, `git has ${oid}, the catalog no such ref`, repair))
  if (repair && isRepairable && problems.length > 0) await repairProjection(ctx, repo)
  return isRepairable ? problems : problems.map((found) => ({ ...found, state: 'problem' }))
}

async function checkContents(ctx: OpsContext, repo: RepoRow, readPercent: number): Promise<Finding[]> {
  const { places } = await historyPointers(ctx, repo)
  const oids = [...places.keys()]
  const problems: Finding[] = []
  for (let at = 0; at < oids.length; at += CONTENTS_AT_ONCE) {
    const slice = oids.slice(at, at + CONTENTS_AT_ONCE)
    const stored = await ctx.catalog.rows.blobs.contentOf(repo.id, slice)
    const absent = slice.filter((oid) => !stored.has(oid))
    const reasons = await quarantineReasons(ctx, repo, absent)
    for (const oid of slice) {
      const content = stored.get(oid)
      const fault =
        content === undefined
          ? (reasons.get(oid) ?? 'is not stored for this repository')
          : await faultOf(ctx, repo, content, isChosen(ctx, readPercent))
      if (fault !== null) problems.push(problem(places.get(oid)?.path ?? oid, `the content ${oid} ${fault}`))
    }
  }
  return problems
}

function isChosen(ctx: OpsContext, percent: number): boolean {
  return (
    percent === 100 || (percent > 0 && Buffer.from(ctx.random(4)).readUInt32BE() % 10_000 < percent * 100)
  )
}

async function faultOf(
  ctx: OpsContext,
  repo: RepoRow,
  content: StoredContent,
  full: boolean,
): Promise<string | null> {
  try {
    if (full) return await faultOfBytes(ctx, repo, content)
    if (content.kind === 'lfs') {
      const found = await ctx.blobs.stat(lfsKey(content.domainId, content.oid))
      if (found === null) return 'is missing in the store'
      return found.sizeBytes === content.sizeBytes
        ? null
        : `has ${found.sizeBytes} bytes instead of ${content.sizeBytes}`
    }
    return await faultOfXorbs(ctx, repo, content)
  } catch (error) {
    return `cannot be read: ${(error as Error).message}`
  }
}

async function faultOfBytes(ctx: OpsContext, repo: RepoRow, content: StoredContent): Promise<string | null> {
  let sizeBytes = 0
  // A whole pass throws when the bytes do not have the content's sha256.
  for await (const chunk of await openStored(ctx, repo, content).open()) sizeBytes += chunk.length
  return sizeBytes === content.sizeBytes ? null : `has ${sizeBytes} bytes instead of ${content.sizeBytes}`
}

async function faultOfXorbs(
  ctx: OpsContext,
  repo: RepoRow,
  content: Extract<StoredContent, { kind: 'xet' }>,
): Promise<string | null> {
  const file = await ctx.catalog.rows.xet.getFile(repo.id, content.xetHash)
  if (file === null) return `is registered without its Xet file ${content.xetHash}`
  const hashes = [...new Set(Array.from(decodeTerms(file.terms), ({ xorb }) => xorb))]
  for (let at = 0; at < hashes.length; at += CONTENTS_AT_ONCE) {
    const slice = hashes.slice(at, at + CONTENTS_AT_ONCE)
    const rows = await ctx.catalog.rows.xet.getXorbs(file.domainId, slice)
    for (const hash of slice) {
      const row = rows.get(hash)
      const found = await ctx.blobs.stat(xorbKey(file.domainId, hash))
      if (row === undefined || found === null) return `needs the xorb ${hash}, which is missing`
      if (found.sizeBytes !== row.storedBytes)
        return `needs the xorb ${hash}, which has ${found.sizeBytes} bytes instead of ${row.storedBytes}`
    }
  }
  return null
}

function problem(subject: string, message: string, repaired = false): Finding {
  return { subject, message, state: repaired ? 'repaired' : 'problem' }
}
