/**
 * One line of the NDJSON body of `POST /api/{T}/{id}/commit/{rev}` as a typed operation (hub-api.md §7.2). Checked
 * against huggingface_hub 0.19.4 and 2.4.0 `_prepare_commit_payload` and @huggingface/hub 2.17.5 `commit.ts`: members that
 * no client of today sends are skipped, so that a newer client's hints do no harm; operations are not.
 */
import { z } from 'zod'

import { HubError } from '../errors.ts'
import {
  COMMIT_DESCRIPTION_MAX_BYTES,
  COMMIT_LINE_MAX_BYTES,
  COMMIT_SUMMARY_MAX_BYTES,
  REGULAR_FILE_MAX_BYTES,
  LFS_OBJECT_MAX_BYTES,
} from '../limits.ts'
import { printable } from '../repo-id.ts'
import { base64SizeBytes, decodeBase64 } from './base64.ts'
import { describeIssues } from './problems.ts'

export interface CommitHeader {
  kind: 'header'
  summary: string
  description: string
  /** 5 to 40 hex digits in lower case. */
  parentCommit?: string
}

/** `Content` is the bytes as parsed, or what a server put in their place after storing them. */
export interface FileOperation<Content = Uint8Array> {
  kind: 'file'
  path: string
  content: Content
  oldPath?: string
}

export interface LfsFileOperation {
  kind: 'lfsFile'
  path: string
  /** Hex sha256. */
  oid: string
  /** Absent for copies. */
  sizeBytes?: number
  oldPath?: string
}

export interface DeleteOperation {
  kind: 'deletedFile' | 'deletedFolder'
  /** Without a slash at its end. */
  path: string
}

export type CommitOperation<Content = Uint8Array> =
  | CommitHeader
  | FileOperation<Content>
  | LfsFileOperation
  | DeleteOperation

/** Throws a HubError unless the path may stand in a tree. */
export type CheckPath = (path: string) => void

const utf8 = new TextEncoder()

const text = z.string().refine((value) => value.isWellFormed(), 'is not well-formed Unicode')
const message = (sizeMaxBytes: number) =>
  text
    .refine((value) => !value.includes('\0'), 'contains NUL')
    .refine((value) => utf8.encode(value).length <= sizeMaxBytes, `is longer than ${sizeMaxBytes} bytes`)

const VALUES = {
  header: z.object({
    summary: message(COMMIT_SUMMARY_MAX_BYTES).refine((value) => value.trim() !== '', 'is empty'),
    // JS leaves it out, Python sends an empty one.
    description: message(COMMIT_DESCRIPTION_MAX_BYTES).nullish(),
    parentCommit: z
      .string()
      .regex(/^[0-9a-f]{5,40}$/i, 'is not 5 to 40 hex digits')
      .nullish(),
  }),
  file: z.object({
    path: text,
    content: z.string(),
    encoding: z.enum(['utf-8', 'base64']).default('utf-8'),
    oldPath: text.nullish(),
  }),
  lfsFile: z.object({
    path: text,
    algo: z.literal('sha256').default('sha256'),
    oid: z.string().regex(/^[0-9a-f]{64}$/, 'is not 64 hex digits in lower case'),
    size: z.int().min(0).max(LFS_OBJECT_MAX_BYTES).nullish(),
    oldPath: text.nullish(),
  }),
  deletedFile: z.object({ path: text }),
  deletedFolder: z.object({ path: text }),
}
type Key = keyof typeof VALUES

const LINE = z.object({ key: z.string(), value: z.unknown() })

/**
 * Parses line `lineNumber` (from 1) of a commit; line 1 is the header and no other is. Every refusal names the line.
 * Throws `BadRequest`, `TooLarge` for an inline file over the limit, or what `checkPath` throws.
 */
export function parseCommitLine(line: string, lineNumber: number, checkPath: CheckPath): CommitOperation {
  try {
    return parseLine(line, lineNumber === 1, checkPath)
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    throw new HubError(error.code, `Line ${lineNumber} of the commit: ${error.message}`, { cause: error })
  }
}

function parseLine(line: string, isFirst: boolean, checkPath: CheckPath): CommitOperation {
  if (line.length > COMMIT_LINE_MAX_BYTES) throw new HubError('TooLarge', 'the line is too long')
  const { key, value } = check(LINE, parseJson(line))
  if (!isKey(key)) throw new HubError('BadRequest', `unknown operation '${printable(key)}'`)
  if (isFirst !== (key === 'header'))
    throw new HubError('BadRequest', isFirst ? 'the first line is not a header' : 'a second header')
  switch (key) {
    case 'header':
      return headerOf(check(VALUES.header, value))
    case 'file': {
      const file = check(VALUES.file, value)
      checkPath(file.path)
      return { kind: key, path: file.path, content: contentOf(file), ...oldPathOf(file.oldPath, checkPath) }
    }
    case 'lfsFile': {
      const { path, oid, size, oldPath } = check(VALUES.lfsFile, value)
      checkPath(path)
      const sizeBytes = size === null || size === undefined ? {} : { sizeBytes: size }
      return { kind: key, path, oid, ...sizeBytes, ...oldPathOf(oldPath, checkPath) }
    }
    case 'deletedFile':
    case 'deletedFolder': {
      const given = check(VALUES[key], value).path
      // Python ends the path of a folder with a slash, whatever the caller wrote.
      const path = key === 'deletedFolder' && given.endsWith('/') ? given.slice(0, -1) : given
      checkPath(path)
      return { kind: key, path }
    }
  }
}

function headerOf(value: z.infer<typeof VALUES.header>): CommitHeader {
  const parent = value.parentCommit?.toLowerCase()
  return {
    kind: 'header',
    summary: value.summary,
    description: value.description ?? '',
    ...(parent === undefined ? {} : { parentCommit: parent }),
  }
}

function contentOf(file: z.infer<typeof VALUES.file>): Uint8Array {
  if (file.encoding === 'utf-8') {
    if (!file.content.isWellFormed())
      throw new HubError('BadRequest', `'content': is not well-formed Unicode`)
    const bytes = utf8.encode(file.content)
    if (bytes.length > REGULAR_FILE_MAX_BYTES)
      throw new HubError('TooLarge', 'the file is too large to be inline')
    return bytes
  }
  if (base64SizeBytes(file.content) > REGULAR_FILE_MAX_BYTES)
    throw new HubError('TooLarge', 'the file is too large to be inline')
  const bytes = decodeBase64(file.content)
  if (bytes === null) throw new HubError('BadRequest', `'content': is not valid base64`)
  return bytes
}

function oldPathOf(oldPath: string | null | undefined, checkPath: CheckPath): { oldPath?: string } {
  if (oldPath === null || oldPath === undefined) return {}
  checkPath(oldPath)
  return { oldPath }
}

function isKey(key: string): key is Key {
  return Object.hasOwn(VALUES, key)
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new HubError('BadRequest', 'is not JSON', { cause: error })
  }
}

function check<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new HubError('BadRequest', describeIssues(parsed.error))
  return parsed.data
}
