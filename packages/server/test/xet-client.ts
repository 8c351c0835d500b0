/** The Xet side of a client: one xorb of a few chunks, and a shard that makes a file of it. */
import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import { formatXetHash, verificationHash, type XetHash } from '@cairn/protocol/xet/hash'
import { encodeShardChunks, formatShard, type Shard, type ShardFile } from '@cairn/protocol/xet/shard'
import { encodeTerms, type Term } from '@cairn/protocol/xet/terms'
import { createFileHash } from '@cairn/protocol/xet/tree-hash'
import { encodeXorb, type EncodedXorb } from '@cairn/protocol/xet/xorb'
import type { TestHub } from '@cairn/testkit/start-hub'
import { generateContent } from '@cairn/testkit/xet-content'
import { expect } from 'vitest'

import { XET_PROVEN_AT_ONCE_MAX_BYTES } from '../src/limits.ts'
import { nativePrimitives } from '../src/primitives.ts'
import { getJson, sha256 } from './client.ts'

export interface XetFile {
  content: Uint8Array
  sha256: string
  hash: XetHash
  xorb: EncodedXorb
  shard: Shard
}

export const CHUNK_BYTES = 20_000

/** As many chunks make a file that is too large to be hashed before its shard is acknowledged. */
export const LARGE = Math.floor(XET_PROVEN_AT_ONCE_MAX_BYTES / CHUNK_BYTES) + 1

/** A file of a few chunks that differ by `seed`. */
export function makeXetFile(seed: number, chunkCount = 3): XetFile {
  const content = generateContent({ recipe: 'random', seed, sizeBytes: chunkCount * CHUNK_BYTES })
  const raw = Array.from({ length: chunkCount }, (_, index) =>
    content.subarray(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES),
  )
  const xorb = encodeXorb(nativePrimitives, raw)
  const table = decodeChunkTable(xorb.chunks)
  const chunks = raw.map((bytes, index) => ({
    hash: Uint8Array.from(table.hash(index)),
    rawBytes: bytes.length,
    isDedupCandidate: index === 0,
  }))
  const file = fileOver(content, [{ xorb, chunkStart: 0, chunkEnd: chunkCount }])
  const listed = { hash: xorb.hash, chunks: encodeShardChunks(chunks), storedBytes: xorb.bytes.length }
  return {
    content,
    sha256: sha256(content),
    hash: file.hash,
    xorb,
    shard: { files: [file], xorbs: [listed] },
  }
}

/** A file's recipe over chunks of xorbs that need not be sent again. */
export function fileOver(
  content: Uint8Array,
  ranges: readonly { xorb: EncodedXorb; chunkStart: number; chunkEnd: number }[],
): ShardFile {
  const fileHash = createFileHash(nativePrimitives)
  const proofs: Uint8Array[] = []
  const terms = ranges.map(({ xorb, chunkStart, chunkEnd }): Term => {
    const table = decodeChunkTable(xorb.chunks)
    for (let index = chunkStart; index < chunkEnd; index++) fileHash.add(table.hash(index), CHUNK_BYTES)
    proofs.push(verificationHash(nativePrimitives, table.hashes(chunkStart, chunkEnd)))
    return { xorb: xorb.hash, chunkStart, chunkEnd, rawBytes: (chunkEnd - chunkStart) * CHUNK_BYTES }
  })
  return {
    hash: fileHash.finish(),
    terms: encodeTerms(terms),
    verification: Uint8Array.from(Buffer.concat(proofs)),
    sha256: sha256(content),
  }
}

/** The first chunk's hash, by which everybody asks for a file. */
export function firstChunk({ xorb }: XetFile): string {
  return formatXetHash(decodeChunkTable(xorb.chunks).hash(0))
}

export interface CasAccess {
  /** A request to the CAS with this token. `path` starts after `casUrl`. */
  fetch(path: string, init?: RequestInit): Promise<Response>
  accessToken: string
  casUrl: string
  exp: number
}

export async function casAccess(
  hub: TestHub,
  account: Parameters<TestHub['fetch']>[0],
  id: string,
  scope: 'read' | 'write',
): Promise<CasAccess> {
  const path = `/api/models/${id}/xet-${scope}-token/main`
  const { accessToken, casUrl, exp } = await getJson<{ accessToken: string; casUrl: string; exp: number }>(
    hub,
    account,
    path,
  )
  return {
    accessToken,
    casUrl,
    exp,
    fetch(target, init = {}) {
      const headers = new Headers(init.headers)
      headers.set('Authorization', `Bearer ${accessToken}`)
      return fetch(casUrl + target, { ...init, headers })
    },
  }
}

export function postBytes(bytes: Uint8Array): RequestInit {
  return { method: 'POST', body: Uint8Array.from(bytes) }
}

/** The same file under another sha256. */
export function claiming(made: XetFile, sha256: string): XetFile {
  return {
    ...made,
    sha256,
    shard: { ...made.shard, files: made.shard.files.map((file) => ({ ...file, sha256 })) },
  }
}

/** Uploads xorb and shard for a repository; both must be new to it. */
export async function uploadXet(cas: CasAccess, made: XetFile): Promise<void> {
  const xorb = await cas.fetch(`/v1/xorbs/default/${made.xorb.hash}`, postBytes(made.xorb.bytes))
  expect({ status: xorb.status, json: await xorb.json() }).toEqual({
    status: 200,
    json: { was_inserted: true },
  })
  const shard = await cas.fetch('/v1/shards', postBytes(formatShard(made.shard)))
  expect({ status: shard.status, json: await shard.json() }).toEqual({ status: 200, json: { result: 1 } })
}

export function xetLine(path: string, made: XetFile): { key: string; value: unknown } {
  return { key: 'lfsFile', value: { path, algo: 'sha256', oid: made.sha256, size: made.content.length } }
}
