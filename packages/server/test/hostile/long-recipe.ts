/** Xet files with recipes that no client would write. */
import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import { verificationHash } from '@cairn/protocol/xet/hash'
import type { Shard } from '@cairn/protocol/xet/shard'
import { encodeTerms, type Term } from '@cairn/protocol/xet/terms'
import { createFileHash } from '@cairn/protocol/xet/tree-hash'

import { nativePrimitives } from '../../src/primitives.ts'
import type { XetFile } from '../xet-client.ts'

/** A file of `count` terms that take the first and the last chunk of a xorb in turn, so that none can be joined. */
export function manyTerms({ xorb }: Pick<XetFile, 'xorb'>, count: number): Shard {
  const table = decodeChunkTable(xorb.chunks)
  const ends = [0, table.count - 1].map((chunkStart): { term: Term; verification: Uint8Array } => ({
    term: {
      xorb: xorb.hash,
      chunkStart,
      chunkEnd: chunkStart + 1,
      rawBytes: table.rawStart(chunkStart + 1) - table.rawStart(chunkStart),
    },
    verification: verificationHash(nativePrimitives, table.hashes(chunkStart, chunkStart + 1)),
  }))
  const terms: Term[] = []
  const verification = new Uint8Array(count * 32)
  const hash = createFileHash(nativePrimitives)
  for (let index = 0; index < count; index += 1) {
    const end = ends[index % 2]!
    terms.push(end.term)
    verification.set(end.verification, index * 32)
    hash.add(table.hash(end.term.chunkStart), end.term.rawBytes)
  }
  return {
    files: [{ hash: hash.finish(), terms: encodeTerms(terms), verification, sha256: null }],
    xorbs: [],
  }
}
