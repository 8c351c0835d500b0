/**
 * The merkle tree over (hash, length) pairs that gives xorbs and files their names (xet.md §2.3), built as the
 * pairs arrive. Each level holds at most one open group, so memory grows with the tree's height only.
 *
 * A group is closed after its ninth child, or after an earlier one from the third on whose hash is divisible by
 * four. A parent hashes one line per child, `<string form> : <length>\n`, and is as long as its children together.
 */
import type { Primitives } from '../primitives.ts'
import { formatXetHash, XET_HASH_BYTES, type XetHash, ZERO_XET_HASH } from './hash.ts'

const NODE_KEY = Uint8Array.of(
  1,
  126,
  197,
  199,
  165,
  71,
  41,
  150,
  253,
  148,
  102,
  102,
  180,
  138,
  2,
  230,
  93,
  221,
  83,
  111,
  55,
  199,
  109,
  210,
  248,
  99,
  82,
  230,
  74,
  83,
  113,
  63,
)
const FILE_KEY = new Uint8Array(XET_HASH_BYTES)
const GROUP_MIN = 3
const GROUP_MAX = 9

interface Aggregate {
  add(this: void, hash: Uint8Array, lengthBytes: number): void
  /** The root, or null when nothing was added. A single pair is its own root. */
  finish(this: void): Uint8Array | null
}

interface Level {
  lines: string
  count: number
  lengthBytes: number
  first: Uint8Array
  /** Whether a group of this level already has a parent. */
  closedOne: boolean
}

const encoder = new TextEncoder()

function createAggregate(primitives: Primitives): Aggregate {
  const levels: Level[] = []

  function addAt(depth: number, hash: Uint8Array, lengthBytes: number): void {
    const level = (levels[depth] ??= { lines: '', count: 0, lengthBytes: 0, first: hash, closedOne: false })
    if (level.count === 0) level.first = hash
    level.lines += `${formatXetHash(hash)} : ${lengthBytes}\n`
    level.count++
    level.lengthBytes += lengthBytes
    const cut = level.count >= GROUP_MIN && (hash[24]! & 3) === 0
    if (cut || level.count === GROUP_MAX) closeGroup(depth, level)
  }

  function closeGroup(depth: number, level: Level): void {
    const node = primitives.blake3Keyed(NODE_KEY, encoder.encode(level.lines))
    const { lengthBytes } = level
    level.lines = ''
    level.count = 0
    level.lengthBytes = 0
    level.closedOne = true
    addAt(depth + 1, node, lengthBytes)
  }

  return {
    add: (hash, lengthBytes) => addAt(0, hash, lengthBytes),
    finish() {
      for (let depth = 0; depth < levels.length; depth++) {
        const level = levels[depth]!
        if (level.count === 1 && !level.closedOne) return level.first
        if (level.count > 0) closeGroup(depth, level)
      }
      return null
    },
  }
}

/** What a hash over many chunks is computed from, as they come. */
export interface ChunkListHash {
  add(chunkHash: Uint8Array, lengthBytes: number): void
  finish(): XetHash
}

/** The name of a xorb. */
export function createXorbHash(primitives: Primitives): ChunkListHash {
  const aggregate = createAggregate(primitives)
  return {
    add: aggregate.add,
    finish() {
      const root = aggregate.finish()
      return root === null ? ZERO_XET_HASH : formatXetHash(root)
    },
  }
}

/** The name of a file. Takes the chunks of all terms in order; memory does not grow with the file. */
export function createFileHash(primitives: Primitives): ChunkListHash {
  const aggregate = createAggregate(primitives)
  return {
    add: aggregate.add,
    finish() {
      const root = aggregate.finish()
      return root === null ? ZERO_XET_HASH : formatXetHash(primitives.blake3Keyed(FILE_KEY, root))
    },
  }
}
