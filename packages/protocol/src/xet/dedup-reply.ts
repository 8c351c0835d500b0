/**
 * The answer to «do you know this chunk?»: a shard without files that lists xorbs with their chunk hashes under a
 * key, and a footer that carries the key (xet.md §5 and §8). Clients hash their own chunks under the key, so they
 * recognise what they have and learn nothing about what they do not have.
 */
import { XET_SHARD_MAX_BYTES } from '../limits.ts'
import type { Primitives } from '../primitives.ts'
import type { ChunkTable } from './chunk-table.ts'
import { isDedupEligible, protectHash, type XetHash } from './hash.ts'
import {
  encodeShardChunks,
  formatShard,
  SHARD_FOOTER_BYTES,
  SHARD_RECORD_BYTES,
  type ShardXorb,
} from './shard.ts'

export interface DedupXorb {
  hash: XetHash
  chunks: ChunkTable
}

export interface DedupEpoch {
  /** 32 bytes; all zero leaves the hashes readable. */
  key: Uint8Array
  createdAtSeconds: number
  /** Clients take 0 for «already expired». */
  expiresAtSeconds: number
}

/** Header and two bookends. */
const FRAME_BYTES = 3 * SHARD_RECORD_BYTES
const XORB_SECTION_AT = 2 * SHARD_RECORD_BYTES

/** Lists the xorbs in the order given; those that would make the reply longer than a shard may be are left out. */
export function formatDedupReply(
  primitives: Primitives,
  xorbs: readonly DedupXorb[],
  epoch: DedupEpoch,
): Uint8Array {
  const listed: ShardXorb[] = []
  let sizeBytes = FRAME_BYTES + SHARD_FOOTER_BYTES
  let rawBytes = 0
  let storedBytes = 0
  for (const { hash, chunks } of xorbs) {
    sizeBytes += (1 + chunks.count) * SHARD_RECORD_BYTES
    if (sizeBytes > XET_SHARD_MAX_BYTES) break
    rawBytes += chunks.rawStart(chunks.count)
    storedBytes += chunks.physicalStart(chunks.count)
    listed.push(keyedXorb(primitives, hash, chunks, epoch.key))
  }
  const shard = formatShard({ files: [], xorbs: listed }, SHARD_FOOTER_BYTES)
  const reply = new Uint8Array(shard.length + SHARD_FOOTER_BYTES)
  reply.set(shard)

  const footer = new DataView(reply.buffer, shard.length)
  const u64 = (offset: number, value: number): void => footer.setBigUint64(offset, BigInt(value), true)
  u64(0, 1)
  u64(8, SHARD_RECORD_BYTES)
  u64(16, XORB_SECTION_AT)
  // Three empty look-up tables. hf_xet reads their offsets although the counts are 0, and an offset of 0 makes it
  // ask for 6 EB of memory, so they point at the footer.
  for (const offset of [24, 40, 56]) u64(offset, shard.length)
  reply.set(epoch.key, shard.length + 72)
  u64(104, epoch.createdAtSeconds)
  u64(112, epoch.expiresAtSeconds)
  u64(168, storedBytes)
  u64(176, rawBytes)
  u64(184, storedBytes)
  u64(192, shard.length)
  return reply
}

function keyedXorb(primitives: Primitives, hash: XetHash, chunks: ChunkTable, key: Uint8Array): ShardXorb {
  return {
    hash,
    storedBytes: chunks.physicalStart(chunks.count),
    chunks: encodeShardChunks(
      Array.from({ length: chunks.count }, (_, index) => ({
        hash: protectHash(primitives, key, chunks.hash(index)),
        rawBytes: chunks.rawStart(index + 1) - chunks.rawStart(index),
        isDedupCandidate: isDedupEligible(chunks.hash(index)),
      })),
    ),
  }
}
