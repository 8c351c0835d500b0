/**
 * The LFS batch API: `POST {repo}.git/info/lfs/objects/batch` (git-lfs docs/api/batch.md, hub-api.md §8). What is wrong with
 * one object is an answer about that object; what is wrong with the request refuses it.
 */
import { z } from 'zod'

import { describeIssues } from '../api/problems.ts'
import { HubError } from '../errors.ts'
import {
  LFS_BATCH_OBJECTS_MAX,
  LFS_BATCH_TRANSFERS_MAX,
  LFS_OBJECT_MAX_BYTES,
  LFS_TRANSFER_NAME_LENGTH_MAX,
  REF_NAME_MAX_BYTES,
} from '../limits.ts'
import { printable } from '../repo-id.ts'

export interface LfsBatchRequest {
  operation: 'upload' | 'download'
  /** In the client's order; `['basic']` when it names none. */
  transfers: string[]
  /** In the request's order, duplicates included. */
  objects: LfsBatchObject[]
  /** The ref that the objects are for, short or full. */
  ref: string | null
}

export interface LfsBatchObject {
  /** Hex sha256, unless there is an error. */
  oid: string
  sizeBytes: number
  /** Why this object can have no actions. */
  error?: LfsObjectError
}

export interface LfsObjectError {
  code: number
  message: string
}

export interface LfsAction {
  href: string
  /** For multipart uploads: `chunk_size` and one address a part, `00001` and on. */
  header?: Record<string, string>
  /** Seconds. */
  expires_in?: number
}

export interface LfsBatchReplyObject {
  oid: string
  size: number
  /** True when the addresses need no credentials. */
  authenticated?: true
  /** Absent on upload: the object is there already. */
  actions?: { upload?: LfsAction; verify?: LfsAction; download?: LfsAction }
  error?: LfsObjectError
}

export interface LfsBatchReply {
  transfer: 'basic' | 'multipart' | 'xet'
  objects: LfsBatchReplyObject[]
  hash_algo: 'sha256'
}

const REQUEST = z.object({
  operation: z.enum(['upload', 'download']),
  transfers: z.array(z.string().max(LFS_TRANSFER_NAME_LENGTH_MAX)).max(LFS_BATCH_TRANSFERS_MAX).nullish(),
  objects: z.array(z.object({ oid: z.string(), size: z.number() })),
  // @huggingface/hub 2.17.5 says `sha_256`.
  hash_algo: z.string().nullish(),
  ref: z.object({ name: z.string().max(REF_NAME_MAX_BYTES) }).nullish(),
})

/**
 * Throws `Invalid` (git-lfs wants 422) for a malformed request, `TooLarge` for too many objects, `Conflict` for another
 * hash algorithm, as the batch API asks.
 */
export function parseBatch(body: unknown): LfsBatchRequest {
  const parsed = REQUEST.safeParse(body)
  if (!parsed.success) throw new HubError('Invalid', `Bad LFS batch request: ${describeIssues(parsed.error)}`)
  const { operation, transfers, objects, hash_algo: hashAlgo, ref } = parsed.data
  if (objects.length > LFS_BATCH_OBJECTS_MAX)
    throw new HubError('TooLarge', `An LFS batch has at most ${LFS_BATCH_OBJECTS_MAX} objects`)
  if (typeof hashAlgo === 'string' && hashAlgo !== 'sha256' && hashAlgo !== 'sha_256')
    throw new HubError(
      'Conflict',
      `The hash algorithm '${printable(hashAlgo, 32)}' is not supported, sha256 is`,
    )
  return {
    operation,
    transfers: transfers?.length ? transfers : ['basic'],
    objects: objects.map(objectOf),
    ref: ref?.name ?? null,
  }
}

function objectOf({ oid, size }: { oid: string; size: number }): LfsBatchObject {
  const isSize = Number.isSafeInteger(size)
  const invalid = (message: string): LfsBatchObject => ({
    oid: printable(oid),
    sizeBytes: isSize ? size : 0,
    error: { code: 422, message },
  })
  if (!/^[0-9a-f]{64}$/.test(oid)) return invalid('The oid is not a sha256 in lower-case hex')
  if (!isSize || size < 0) return invalid('The size is not a whole number of bytes')
  if (size > LFS_OBJECT_MAX_BYTES) return invalid(`The object is larger than ${LFS_OBJECT_MAX_BYTES} bytes`)
  return { oid, sizeBytes: size }
}
