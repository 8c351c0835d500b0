/** The only place that turns an error into a response. What is not a HubError says nothing but its request id. */
import { ERROR_CODES, FormatError, HubError, type ErrorCode } from '@cairn/protocol/errors'

import type { Log } from '../ops/context.ts'
import type { Reply } from './reply.ts'

/** Which dialect the caller speaks: the Hub's JSON, git-lfs, plain text for git, or that of container registries. */
export type ErrorDialect = 'hub' | 'lfs' | 'git' | 'oci'

/** The registry's words for ours; `UNKNOWN` for the rest. */
const OCI_CODES: Partial<Record<ErrorCode, string>> = {
  RepoNotFound: 'NAME_UNKNOWN',
  EntryNotFound: 'BLOB_UNKNOWN',
  NotFound: 'UNSUPPORTED',
  NotImplemented: 'UNSUPPORTED',
  BadRequest: 'MANIFEST_UNKNOWN',
  GatedRepo: 'DENIED',
  RepoDisabled: 'DENIED',
  Forbidden: 'DENIED',
  TooManyRequests: 'TOOMANYREQUESTS',
}

export function errorReply(error: unknown, dialect: ErrorDialect, requestId: string, log: Log): Reply {
  const hubError = toHubError(error)
  if (hubError.status >= 500 && hubError.code !== 'NotImplemented')
    log.error({ err: error, requestId }, 'request failed')
  const message = hubError.code === 'Internal' ? ERROR_CODES.Internal.message : hubError.message
  const { wire = true } = ERROR_CODES[hubError.code] as { wire?: boolean }
  const headers: Record<string, string> = {
    ...hubError.headers,
    ...(wire ? { 'X-Error-Code': hubError.code } : {}),
    'X-Error-Message': headerText(message),
    ...(hubError.commit === undefined ? {} : { 'X-Repo-Commit': hubError.commit }),
  }
  if (dialect !== 'hub' && hubError.status === 401)
    headers['WWW-Authenticate'] ??= 'Basic realm="Cairn", charset="UTF-8"'
  const status = hubError.status
  switch (dialect) {
    case 'git':
      return { status, headers, text: `${message}\n` }
    case 'lfs':
      return {
        status,
        headers: { ...headers, 'Content-Type': 'application/vnd.git-lfs+json' },
        json: { message, request_id: requestId, ...hubError.body },
      }
    case 'oci': {
      const code = status === 401 ? 'UNAUTHORIZED' : (OCI_CODES[hubError.code] ?? 'UNKNOWN')
      return { status, headers, json: { errors: [{ code, message }] } }
    }
    case 'hub':
      return { status, headers, json: { error: message, ...hubError.body } }
  }
}

function toHubError(error: unknown): HubError {
  if (error instanceof HubError) return error
  if (error instanceof FormatError) return new HubError('BadRequest', error.message, { cause: error })
  const code = isOutOfSpace(error) ? 'InsufficientStorage' : 'Internal'
  return new HubError(code, undefined, { cause: error })
}

/** Also when a full disk is the reason behind another error: of Node, SQLite, PostgreSQL or git. */
function isOutOfSpace(error: unknown, depth = 0): boolean {
  if (!(error instanceof Error) || depth > CAUSES_MAX) return false
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return (
    (typeof code === 'string' && OUT_OF_SPACE_CODES.has(code)) ||
    errcode === SQLITE_FULL ||
    /No space left on device|Disk quota exceeded/.test(error.message) ||
    isOutOfSpace(error.cause, depth + 1)
  )
}

const CAUSES_MAX = 8
const OUT_OF_SPACE_CODES: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', '53100'])
const SQLITE_FULL = 13

/** One line of latin-1, as a header must be. */
function headerText(message: string): string {
  return message.replace(/[^\x20-\x7e]/g, '?').slice(0, 1000)
}
