/**
 * Every key of the blob store, and the only place that builds one. The whole store (on disk below `blobs/`):
 *
 *   lfs/{domainId}/ab/cd/{oid}       a file's bytes, by their sha256; ab and cd are the first two bytes of it
 *   xorbs/{domainId}/ab/cd/{hash}    a xorb as uploaded, by its xet hash
 *   shards/{domainId}/{repoId}/{id}  a shard as it was uploaded to that repository
 *
 * Deduplication has a domain (one owner), and the domain is part of the key: no key of one is ever found from another.
 */
import type { BlobKey } from './blobs/blob-store.ts'

export type BlobKind = 'lfs' | 'xorbs' | 'shards'

/** `name`: the oid, xet hash or shard id. */
export type BlobKeyParts =
  | { kind: 'lfs' | 'xorbs'; domainId: string; name: string }
  | { kind: 'shards'; domainId: string; repoId: string; name: string }

const ID = /^[A-Za-z0-9_-]{1,64}$/
const HASH = /^[0-9a-f]{64}$/
const HASHED_KEY = /^(lfs|xorbs)\/([A-Za-z0-9_-]{1,64})\/([0-9a-f]{2})\/([0-9a-f]{2})\/(\3\4[0-9a-f]{60})$/
const SHARD_KEY = /^shards\/([A-Za-z0-9_-]{1,64})\/([A-Za-z0-9_-]{1,64})\/([A-Za-z0-9_-]{1,64})$/

export function lfsKey(domainId: string, oid: string): BlobKey {
  return hashedKey('lfs', domainId, oid)
}

export function xorbKey(domainId: string, hash: string): BlobKey {
  return hashedKey('xorbs', domainId, hash)
}

export function shardKey({
  domainId,
  repoId,
  id,
}: {
  domainId: string
  repoId: string
  id: string
}): BlobKey {
  const repo = checked(ID, repoId, 'repository id')
  return `${keyPrefix('shards', domainId)}${repo}/${checked(ID, id, 'shard id')}` as BlobKey
}

/** What all keys of a kind, or of a kind in one domain, begin with: the argument of `BlobStore.list`. */
export function keyPrefix(kind: BlobKind, domainId?: string): string {
  return domainId === undefined ? `${kind}/` : `${kind}/${checked(ID, domainId, 'domain id')}/`
}

/** Takes a key apart; null when the text is not one. */
export function parseKey(text: string): BlobKeyParts | null {
  const hashed = HASHED_KEY.exec(text)
  if (hashed !== null) return { kind: hashed[1] as 'lfs' | 'xorbs', domainId: hashed[2]!, name: hashed[5]! }
  const shard = SHARD_KEY.exec(text)
  if (shard !== null) return { kind: 'shards', domainId: shard[1]!, repoId: shard[2]!, name: shard[3]! }
  return null
}

export function isBlobKey(text: string): text is BlobKey {
  return parseKey(text) !== null
}

function hashedKey(kind: 'lfs' | 'xorbs', domainId: string, hash: string): BlobKey {
  checked(HASH, hash, 'hash')
  return `${keyPrefix(kind, domainId)}${hash.slice(0, 2)}/${hash.slice(2, 4)}/${hash}` as BlobKey
}

/** Callers have validated what came from outside; this is the last door before a path on disk. */
function checked(pattern: RegExp, text: string, what: string): string {
  if (!pattern.test(text)) throw new TypeError(`Not a ${what}: ${JSON.stringify(text.slice(0, 80))}`)
  return text
}
