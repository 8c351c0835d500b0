/**
 * The closed table of everything the hub can refuse, and the one error class that travels the wire.
 *
 * The first four codes are those that huggingface_hub turns into named exceptions
 * (`utils/_http.py` `hf_raise_for_status`, 2.4.0); they are never renamed. It also keys on two exact texts:
 * "Access to this resource is disabled." and "Invalid credentials in Authorization header".
 */
export const ERROR_CODES = {
  RepoNotFound: { status: 404, message: 'Repository not found' },
  RevisionNotFound: { status: 404, message: 'Revision not found' },
  EntryNotFound: { status: 404, message: 'Entry not found' },
  GatedRepo: { status: 403, message: 'Access to this repository is restricted' },

  // Ours. `wire: false` keeps the code out of X-Error-Code where a client would misread it.
  RepoDisabled: { status: 403, message: 'Access to this resource is disabled.' },
  InvalidCredentials: { status: 401, message: 'Invalid credentials in Authorization header', wire: false },
  Unauthenticated: { status: 401, message: 'Authentication is required', wire: false },
  Forbidden: { status: 403, message: 'You do not have the permission for this operation' },
  BadRequest: { status: 400, message: 'Bad request' },
  Invalid: { status: 422, message: 'The request is well formed but cannot be carried out' },
  NotFound: { status: 404, message: 'Not found' },
  Conflict: { status: 409, message: 'Conflict' },
  Quarantined: { status: 409, message: 'What was uploaded as this file has another sha256' },
  StaleParent: { status: 412, message: 'The branch has moved since the parent commit' },
  TooLarge: { status: 413, message: 'Too large' },
  QuotaExceeded: { status: 413, message: 'Storage quota exceeded' },
  LengthRequired: { status: 411, message: 'Content-Length is required' },
  RangeNotSatisfiable: { status: 416, message: 'The range lies outside the content' },
  UnsupportedMediaType: { status: 415, message: 'Unsupported media type' },
  MethodNotAllowed: { status: 405, message: 'Method not allowed' },
  TooManyRequests: { status: 429, message: 'Too many requests' },
  RequestTimeout: { status: 408, message: 'The request took too long' },
  Internal: { status: 500, message: 'Internal error' },
  NotImplemented: { status: 501, message: 'Not supported by this hub' },
  InsufficientStorage: { status: 507, message: 'There is no space left for this' },
  Unavailable: { status: 503, message: 'The hub is not ready' },
} as const satisfies Record<string, { status: number; message: string; wire?: false }>

export type ErrorCode = keyof typeof ERROR_CODES

export interface HubErrorOptions {
  cause?: unknown
  /** Overrides the table's status; only for RepoNotFound (401 to anonymous callers) and GatedRepo. */
  status?: number
  /** The commit that a missing entry was looked for in; sent as X-Repo-Commit so that clients cache the miss. */
  commit?: string
  /** Extra members of the JSON body, e.g. `url` on a 409 of create-repo. */
  body?: Record<string, unknown>
  /** Extra response headers, e.g. Content-Range on a 416. */
  headers?: Record<string, string>
}

/** A refusal with a code of the table. Its message may be shown to the caller, so it never names a secret. */
export class HubError extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly commit: string | undefined
  readonly body: Record<string, unknown> | undefined
  readonly headers: Record<string, string> | undefined

  constructor(code: ErrorCode, message: string = ERROR_CODES[code].message, options: HubErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'HubError'
    this.code = code
    this.status = options.status ?? ERROR_CODES[code].status
    this.commit = options.commit
    this.body = options.body
    this.headers = options.headers
  }
}

/** Bytes that do not follow their format. `offset` counts bytes from the start of what was parsed. */
export class FormatError extends Error {
  readonly offset: number

  constructor(message: string, offset: number) {
    super(`${message} (at byte ${offset})`)
    this.name = 'FormatError'
    this.offset = offset
  }
}
