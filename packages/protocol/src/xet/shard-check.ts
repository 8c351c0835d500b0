/**
 * Whether a shard tells the truth about stored xorbs (xet.md §6.3). Everything is judged by the hub's own chunk
 * tables: whoever registers a file must know the chunk hashes of all that it names, or a guessed range would give
 * access to foreign bytes.
 */
import {
  XET_FILE_TERMS_FREE,
  XET_FILE_TERMS_MAX,
  XET_SHARD_CHUNKS_MAX,
  XET_TERM_MEAN_MIN_BYTES,
} from '../limits.ts'
import type { Primitives } from '../primitives.ts'
import type { ChunkTable } from './chunk-table.ts'
import { formatXetHash, isDedupEligible, verificationHash, XET_HASH_BYTES, type XetHash } from './hash.ts'
import { decodeShardChunk, type Shard, SHARD_RECORD_BYTES, type ShardFile, type ShardXorb } from './shard.ts'
import { decodeTerms, TermMerger, type Term } from './terms.ts'
import { createFileHash } from './tree-hash.ts'

export type ShardRefusal =
  | 'xorb-missing'
  | 'xorb-differs'
  | 'range-outside-xorb'
  | 'length-differs'
  | 'verification-missing'
  | 'verification-differs'
  | 'file-hash-differs'
  | 'too-many-chunks'
  | 'too-many-terms'

/** The shard is well formed and untrue. `hash` names the xorb or file that it is about. */
export class ShardRefusedError extends Error {
  readonly refusal: ShardRefusal
  readonly hash: XetHash

  constructor(refusal: ShardRefusal, hash: XetHash, message: string) {
    super(message)
    this.name = 'ShardRefusedError'
    this.refusal = refusal
    this.hash = hash
  }
}

/** The chunk table of a stored xorb, or null. Asked once a term in the shard's order, so the caller keeps the last ones. */
export type LookupXorb = (xorb: XetHash) => Promise<ChunkTable | null> | ChunkTable | null

export interface VerifiedFile {
  file: ShardFile
  /** The file's recipe: its terms, those that follow one another in a xorb made one. */
  terms: Uint8Array
  sizeBytes: number
  /** Distinct, in order of first use. */
  xorbs: XetHash[]
  /** The first chunk, which always takes part in deduplication; null for an empty file. */
  firstChunk: { hash: XetHash; xorb: XetHash } | null
}

/**
 * Checks every file and xorb of a shard; throws `ShardRefusedError` at the first untruth. `pause` is awaited after
 * each term and xorb block, between at most 8192 chunks, so that the caller can let others run and report progress.
 */
export async function verifyShard(
  primitives: Primitives,
  shard: Shard,
  lookupXorb: LookupXorb,
  pause: () => Promise<void> | void,
): Promise<VerifiedFile[]> {
  const budget = { chunks: XET_SHARD_CHUNKS_MAX }
  for (const xorb of shard.xorbs) {
    checkXorb(xorb, await storedXorb(lookupXorb, xorb.hash))
    await pause()
  }
  const files: VerifiedFile[] = []
  for (const file of shard.files) files.push(await verifyFile(primitives, file, lookupXorb, pause, budget))
  return files
}

async function verifyFile(
  primitives: Primitives,
  file: ShardFile,
  lookupXorb: LookupXorb,
  pause: () => Promise<void> | void,
  budget: { chunks: number },
): Promise<VerifiedFile> {
  if (file.verification === null && file.terms.length > 0)
    throw new ShardRefusedError(
      'verification-missing',
      file.hash,
      `File ${file.hash} has no verification hashes`,
    )
  const fileHash = createFileHash(primitives)
  const xorbs = new Set<XetHash>()
  const merged = new TermMerger()
  let sizeBytes = 0
  let firstChunk: VerifiedFile['firstChunk'] = null
  let index = 0
  for (const term of decodeTerms(file.terms)) {
    budget.chunks -= term.chunkEnd - term.chunkStart
    if (budget.chunks < 0)
      throw new ShardRefusedError(
        'too-many-chunks',
        file.hash,
        `The files of a shard have at most ${XET_SHARD_CHUNKS_MAX} chunks`,
      )
    const table = await storedXorb(lookupXorb, term.xorb)
    const hashes = checkTerm(term, table)
    const claimed = file.verification!.subarray(index * XET_HASH_BYTES, (index + 1) * XET_HASH_BYTES)
    if (!equal(verificationHash(primitives, hashes), claimed))
      throw new ShardRefusedError(
        'verification-differs',
        file.hash,
        `Term ${index} of file ${file.hash} has another verification hash than its chunks in xorb ${term.xorb}`,
      )
    for (let chunk = term.chunkStart; chunk < term.chunkEnd; chunk++)
      fileHash.add(table.hash(chunk), table.rawStart(chunk + 1) - table.rawStart(chunk))
    firstChunk ??= { hash: formatXetHash(table.hash(term.chunkStart)), xorb: term.xorb }
    xorbs.add(term.xorb)
    sizeBytes += term.rawBytes
    index++
    merged.add(term)
    if (merged.count > XET_FILE_TERMS_MAX) throw tooManyTerms(file.hash)
    await pause()
  }
  if (merged.count > XET_FILE_TERMS_FREE + sizeBytes / XET_TERM_MEAN_MIN_BYTES) throw tooManyTerms(file.hash)
  const actual = fileHash.finish()
  if (actual !== file.hash)
    throw new ShardRefusedError(
      'file-hash-differs',
      file.hash,
      `The terms of file ${file.hash} make ${actual}`,
    )
  return { file, terms: merged.encode(), sizeBytes, xorbs: [...xorbs], firstChunk }
}

function tooManyTerms(hash: XetHash): ShardRefusedError {
  return new ShardRefusedError(
    'too-many-terms',
    hash,
    `File ${hash} has too many terms: at most ${XET_FILE_TERMS_MAX}, and beyond ${XET_FILE_TERMS_FREE} with ` +
      `${XET_TERM_MEAN_MIN_BYTES} bytes on average`,
  )
}

async function storedXorb(lookupXorb: LookupXorb, hash: XetHash): Promise<ChunkTable> {
  const table = await lookupXorb(hash)
  if (table === null) throw new ShardRefusedError('xorb-missing', hash, `Xorb ${hash} is not stored here`)
  return table
}

/** Returns the raw hashes of the term's chunks. */
function checkTerm(term: Term, table: ChunkTable): Uint8Array {
  if (term.chunkEnd > table.count)
    throw new ShardRefusedError(
      'range-outside-xorb',
      term.xorb,
      `Xorb ${term.xorb} has ${table.count} chunks, a term ends at ${term.chunkEnd}`,
    )
  if (table.rawStart(term.chunkEnd) - table.rawStart(term.chunkStart) !== term.rawBytes)
    throw new ShardRefusedError(
      'length-differs',
      term.xorb,
      `A term of xorb ${term.xorb} does not have ${term.rawBytes} bytes`,
    )
  return table.hashes(term.chunkStart, term.chunkEnd)
}

function checkXorb(xorb: ShardXorb, table: ChunkTable): void {
  let isSame = xorb.chunks.length === table.count * SHARD_RECORD_BYTES
  for (let index = 0; isSame && index < table.count; index++) {
    const chunk = decodeShardChunk(xorb.chunks, index)
    const rawBytes = table.rawStart(index + 1) - table.rawStart(index)
    isSame = chunk.rawBytes === rawBytes && equal(chunk.hash, table.hash(index))
  }
  if (!isSame)
    throw new ShardRefusedError('xorb-differs', xorb.hash, `Xorb ${xorb.hash} is stored with other chunks`)
}

/**
 * The chunks that later uploads may ask for: the first of every file, and of the xorbs those with an eligible hash.
 * The flags in the shard are not heeded: they could put every chunk into the index.
 */
export function dedupCandidates(
  shard: Shard,
  files: readonly VerifiedFile[],
): { hash: XetHash; xorbHash: XetHash }[] {
  const found = new Map<XetHash, XetHash>()
  for (const { firstChunk } of files) if (firstChunk !== null) found.set(firstChunk.hash, firstChunk.xorb)
  for (const xorb of shard.xorbs)
    for (let at = 0; at < xorb.chunks.length; at += SHARD_RECORD_BYTES)
      if (isDedupEligible(xorb.chunks, at)) found.set(formatXetHash(xorb.chunks, at), xorb.hash)
  return [...found].map(([hash, xorbHash]) => ({ hash, xorbHash }))
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
