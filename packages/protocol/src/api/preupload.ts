/**
 * `POST /api/{T}/{id}/preupload/{rev}`: its request, and the decision between git and LFS for one file (hub-api.md §7.1).
 * Request members as in huggingface_hub 0.19.4 (`sha`), 2.4.0 (`gitIgnore`) and @huggingface/hub 2.17.5 (`gitAttributes`).
 */
import { z } from 'zod'

import { HubError } from '../errors.ts'
import type { Attributes } from '../git/attributes.ts'
import type { IgnoreMatcher } from '../git/ignore.ts'
import type { MatchBudget } from '../git/wildmatch.ts'
import {
  GIT_PATTERNS_MAX_BYTES,
  PATH_LENGTH_MAX_BYTES,
  PREUPLOAD_FILES_MAX,
  PREUPLOAD_SAMPLE_MAX_BYTES,
  REGULAR_FILE_MAX_BYTES,
} from '../limits.ts'
import { base64SizeBytes, decodeBase64 } from './base64.ts'
import { describeIssues } from './problems.ts'

export interface PreuploadFile {
  path: string
  sizeBytes: number
  /** The file's first bytes; at most `PREUPLOAD_SAMPLE_MAX_BYTES`. */
  sample: Uint8Array
}

export interface PreuploadRequest {
  files: PreuploadFile[]
  /** Text that stands in for the repository's own file. */
  gitAttributes?: string
  gitIgnore?: string
}

export interface PreuploadReplyFile {
  path: string
  uploadMode: 'lfs' | 'regular'
  shouldIgnore: boolean
  /** What lies at the path now: sha256 if stored as LFS, git blob id if regular, null if nothing. */
  oid: string | null
}

const REQUEST = z.object({
  files: z.array(
    z.object({
      path: z.string().max(PATH_LENGTH_MAX_BYTES),
      size: z.int().min(0),
      sample: z.string().refine((text) => base64SizeBytes(text) <= PREUPLOAD_SAMPLE_MAX_BYTES, 'is too long'),
    }),
  ),
  gitAttributes: z.string().max(GIT_PATTERNS_MAX_BYTES).nullish(),
  gitIgnore: z.string().max(GIT_PATTERNS_MAX_BYTES).nullish(),
})

/** Throws `BadRequest`, or `TooLarge` for too many files. Paths are not checked beyond their length. */
export function parsePreupload(body: unknown): PreuploadRequest {
  const parsed = REQUEST.safeParse(body)
  if (!parsed.success)
    throw new HubError('BadRequest', `Bad preupload request: ${describeIssues(parsed.error)}`)
  const { files, gitAttributes, gitIgnore } = parsed.data
  if (files.length > PREUPLOAD_FILES_MAX)
    throw new HubError('TooLarge', `A preupload names at most ${PREUPLOAD_FILES_MAX} files`)
  return {
    files: files.map((file, index) => {
      const sample = decodeBase64(file.sample)
      if (sample === null)
        throw new HubError('BadRequest', `Bad preupload request: 'files.${index}.sample' is not base64`)
      return { path: file.path, sizeBytes: file.size, sample }
    }),
    ...(typeof gitAttributes === 'string' ? { gitAttributes } : {}),
    ...(typeof gitIgnore === 'string' ? { gitIgnore } : {}),
  }
}

/** Files that git and git-lfs read themselves; a pointer in their place would break the repository. */
const READ_BY_GIT: ReadonlySet<string> = new Set([
  '.gitattributes',
  '.gitignore',
  '.gitmodules',
  '.lfsconfig',
])

interface Rules {
  attributes: Attributes
  ignore: IgnoreMatcher | null
  /** Shared by all files of a request. */
  budget?: MatchBudget['request']
}

/** Throws `Invalid` when the patterns are made to be slow. */
export function decideUpload(
  file: PreuploadFile & Rules,
): Pick<PreuploadReplyFile, 'uploadMode' | 'shouldIgnore'> {
  return {
    uploadMode: goesToLfs(file) ? 'lfs' : 'regular',
    shouldIgnore: file.ignore?.(file.path, file.budget) ?? false,
  }
}

function goesToLfs(file: PreuploadFile & Rules): boolean {
  // Clients never upload an empty file as LFS, whatever is answered.
  if (file.sizeBytes === 0) return false
  if (file.sizeBytes > REGULAR_FILE_MAX_BYTES) return true
  if (READ_BY_GIT.has(file.path.slice(file.path.lastIndexOf('/') + 1))) return false
  return file.attributes.isLfs(file.path, file.budget) || isBinary(file.sample, file.sizeBytes)
}

/** NUL, or not UTF-8; a character that the end of the sample cuts is fine. */
function isBinary(sample: Uint8Array, sizeBytes: number): boolean {
  if (sample.includes(0)) return true
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(sample, { stream: sizeBytes > sample.length })
    return false
  } catch {
    // A TypeError, which is how the decoder says «not UTF-8».
    return true
  }
}
