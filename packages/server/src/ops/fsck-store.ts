/**
 * Whether catalog and disk agree, both ways: every row has its bytes, files fit the xorbs that they are made of, and
 * what lies on disk without a row is named. Repairs what follows from what is there; gives up what is lost only when
 * it is told to.
 */
import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import { decodeTerms } from '@cairn/protocol/xet/terms'

import { FSCK_ROWS_PER_STEP } from '../limits.ts'
import type { BlobKey, BlobStat } from '../store/blobs/blob-store.ts'
import type { ContentKind, ContentPlace, XetRecipe } from '../store/catalog/catalog.ts'
import { lfsKey, parseKey, shardKey, xorbKey } from '../store/keys.ts'
import type { OpsContext } from './context.ts'
import { damageOf, faultOfBlob, giveUp, noteDamage } from './damage.ts'
import { adoptBlob } from './rebuild-index.ts'
import type { Finding, Walk, WalkStep } from './work-step.ts'

export interface StoreCheckOptions {
  repair: boolean
  /** Rows without sound bytes go, with the rights to what needs them. */
  dropDamaged: boolean
}

export function storeWalks(ctx: OpsContext, options: StoreCheckOptions): Record<string, Walk> {
  return {
    'large files': (after) => checkRows(ctx, 'lfs', options, after),
    xorbs: (after) => checkRows(ctx, 'xorbs', options, after),
    'xet files': (after) => checkRecipes(ctx, options, after),
    shards: (after) => checkShards(ctx, after),
    'stored files': (after) => checkBlobs(ctx, options, after),
    folders: () => checkFolders(ctx),
    'known damage': (after) => checkDamage(ctx, options, after),
  }
}

async function checkRows(
  ctx: OpsContext,
  kind: ContentKind,
  options: StoreCheckOptions,
  after: string | null,
): Promise<WalkStep> {
  const { inventory } = ctx.catalog.rows
  const total = after === null ? (await inventory.totals())[kind].count : null
  const rows = await inventory.contents(kind, placeOf(after), FSCK_ROWS_PER_STEP)
  const findings: Finding[] = []
  const toKey = kind === 'lfs' ? lfsKey : xorbKey
  await Promise.all(
    rows.map(async ({ domainId, name, sizeBytes }) => {
      const key = toKey(domainId, name)
      const found = await ctx.blobs.stat(key)
      if (found?.sizeBytes === sizeBytes) return
      const fault =
        found === null ? 'is missing in the store' : `has ${found.sizeBytes} bytes instead of ${sizeBytes}`
      findings.push(await damaged(ctx, key, fault, options))
    }),
  )
  return step(rows.map(formatPlace), findings, total, kind === 'lfs' ? 'largeFiles' : 'xorbs')
}

/** Terms that do not fit their xorbs would be served as errors, or not at all. */
async function checkRecipes(
  ctx: OpsContext,
  { repair }: StoreCheckOptions,
  after: string | null,
): Promise<WalkStep> {
  const { inventory } = ctx.catalog.rows
  const total = after === null ? (await inventory.totals()).xetFiles : null
  const files = await inventory.xetFiles(placeOf(after), FSCK_ROWS_PER_STEP)
  const findings: Finding[] = []
  for (const file of files) {
    const subject = `xet file ${formatPlace(file)}`
    try {
      const xorbs = await xorbsOf(ctx, file)
      const unnoted = [...xorbs].filter((hash) => !file.xorbs.has(hash))
      if (unnoted.length === 0) continue
      if (repair) await ctx.catalog.tx((rows) => rows.damage.noteUses(file.domainId, file.name, unnoted))
      const message = 'it is not noted which xorbs it needs, and a sweep could take them'
      findings.push({ subject, message, state: repair ? 'repaired' : 'problem' })
    } catch (error) {
      findings.push({ subject, message: (error as Error).message, state: 'problem' })
    }
  }
  return step(files.map(formatPlace), findings, total, 'xetFiles')
}

/** Throws an Error that says what does not fit. */
async function xorbsOf(ctx: OpsContext, { domainId, terms, sizeBytes }: XetRecipe): Promise<Set<string>> {
  const recipe = [...decodeTerms(terms)]
  const hashes = [...new Set(recipe.map(({ xorb }) => xorb as string))]
  const tables = new Map<string, ReturnType<typeof decodeChunkTable>>()
  for (let at = 0; at < hashes.length; at += FSCK_ROWS_PER_STEP)
    for (const [hash, row] of await ctx.catalog.rows.xet.getXorbs(
      domainId,
      hashes.slice(at, at + FSCK_ROWS_PER_STEP),
    ))
      tables.set(hash, decodeChunkTable(row.chunks))
  let total = 0
  for (const { xorb, chunkStart, chunkEnd, rawBytes } of recipe) {
    const table = tables.get(xorb)
    if (table === undefined) throw new Error(`needs the xorb ${xorb}, of which there is no row`)
    if (chunkEnd > table.count || table.rawStart(chunkEnd) - table.rawStart(chunkStart) !== rawBytes)
      throw new Error(`a term does not fit the xorb ${xorb}`)
    total += rawBytes
  }
  if (total !== sizeBytes) throw new Error(`its terms have ${total} bytes instead of ${sizeBytes}`)
  return new Set(hashes)
}

/** Nothing is served from shards: one that is gone only keeps the index from being rebuilt. */
async function checkShards(ctx: OpsContext, after: string | null): Promise<WalkStep> {
  const { inventory } = ctx.catalog.rows
  const total = after === null ? (await inventory.totals()).shards : null
  const shards = await inventory.shards(after, FSCK_ROWS_PER_STEP)
  const findings: Finding[] = []
  for (const shard of shards)
    if ((await ctx.blobs.stat(shardKey(shard))) === null)
      findings.push({
        subject: shardKey(shard),
        message: 'was not kept: the index cannot be rebuilt from it',
        state: 'note',
      })
  return step(
    shards.map(({ id }) => id),
    findings,
    total,
    'shards',
  )
}

async function checkBlobs(
  ctx: OpsContext,
  { repair }: StoreCheckOptions,
  after: string | null,
): Promise<WalkStep> {
  const page: BlobStat[] = []
  for await (const blob of ctx.blobs.list('', (after ?? undefined) as BlobKey | undefined)) {
    page.push(blob)
    if (page.length === FSCK_ROWS_PER_STEP) break
  }
  const findings: Finding[] = []
  for (const { key } of await withoutRows(ctx, page))
    if (!repair)
      findings.push({ subject: key, message: 'no row names it: a sweep may take it', state: 'note' })
    else {
      const outcome = await adoptBlob(ctx, key)
      if (outcome !== null) findings.push(outcome)
    }
  return step(
    page.map(({ key }) => key),
    findings,
    null,
    'storedFiles',
  )
}

async function withoutRows(ctx: OpsContext, page: readonly BlobStat[]): Promise<BlobStat[]> {
  const groups = Map.groupBy(page, ({ key }) => {
    const { kind, domainId } = parseKey(key)!
    return `${kind} ${domainId}`
  })
  const unnamed: BlobStat[] = []
  for (const group of groups.values()) {
    const { kind, domainId } = parseKey(group[0]!.key)!
    const names = group.map(({ key }) => parseKey(key)!.name)
    const known = await ctx.catalog.rows.inventory.knownContents(kind, domainId, names)
    unnamed.push(...group.filter((_, index) => !known.has(names[index]!)))
  }
  return unnamed
}

async function checkFolders(ctx: OpsContext): Promise<WalkStep> {
  const findings: Finding[] = []
  for await (const ids of ctx.git.repositories()) {
    const known = await ctx.catalog.rows.inventory.knownRepos(ids)
    for (const id of ids)
      if (!known.has(id))
        findings.push({ subject: `repository ${id}`, message: 'no row names this folder', state: 'note' })
  }
  return { ...step([], findings, null, 'folders'), after: null }
}

async function checkDamage(
  ctx: OpsContext,
  options: StoreCheckOptions,
  after: string | null,
): Promise<WalkStep> {
  const rows = await ctx.catalog.rows.damage.list(after, 1)
  const findings: Finding[] = []
  for (const { key } of rows) {
    const blob = key as BlobKey
    const isNeeded = (await withoutRows(ctx, [{ key: blob, sizeBytes: 0 }])).length === 0
    const fault = isNeeded ? await faultOfBlob(ctx, blob) : null
    if (fault !== null) findings.push(await damaged(ctx, blob, fault, options))
    else await ctx.catalog.tx((writing) => writing.damage.clear(key))
  }
  return {
    ...step(
      rows.map(({ key }) => key),
      findings,
      null,
      'knownDamage',
    ),
    after: rows[0]?.key ?? null,
  }
}

async function damaged(
  ctx: OpsContext,
  key: BlobKey,
  fault: string,
  { repair, dropDamaged }: StoreCheckOptions,
): Promise<Finding> {
  if (!repair) return damageOf(ctx, key, fault)
  const finding = await noteDamage(ctx, key, fault)
  if (!dropDamaged || !(await giveUp(ctx, key))) return finding
  return { ...finding, message: `${finding.message}; given up: upload it again`, state: 'repaired' }
}

/** A page that is not full is the last one. */
function step(keys: readonly string[], findings: Finding[], total: number | null, count: string): WalkStep {
  const at = keys.at(-1) ?? ''
  const after = keys.length < FSCK_ROWS_PER_STEP ? null : at
  return { after, at, done: keys.length, total, findings, counts: { [count]: keys.length } }
}

const formatPlace = ({ domainId, name }: ContentPlace): string => `${domainId}/${name}`

function placeOf(text: string | null): ContentPlace | null {
  if (text === null) return null
  const slash = text.indexOf('/')
  return { domainId: text.slice(0, slash), name: text.slice(slash + 1) }
}
