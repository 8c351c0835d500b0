/**
 * Brings requests to the hub: over HTTP to one elsewhere or to the one that runs on the data directory, and inside
 * this process when the data directory is at rest.
 */
import { CliError, UsageError, type CliIo } from '../io.ts'

/** To check or pack a large repository, or to see what it names, is to read all of it. */
const HOURS_MS = 6 * 3600_000
const ANSWER_WITHIN_MS = {
  usual: 60_000,
  fsck: HOURS_MS,
  repack: HOURS_MS,
  gc: HOURS_MS,
  'rebuild-index': HOURS_MS,
  'migrate-lfs': HOURS_MS,
}

export interface AdminRequest {
  resource: string
  verb: string
  args: Record<string, unknown>
}

export interface Target {
  data: string | undefined
  endpoint: string | undefined
}

export interface AdminChannel extends AsyncDisposable {
  send(request: AdminRequest): Promise<unknown>
}

export async function openAdmin(target: Target, { env, cwd }: CliIo): Promise<AdminChannel> {
  if (target.endpoint !== undefined) {
    if (target.data !== undefined)
      throw new UsageError('--data and --endpoint name two hubs: give one of them')
    const token = env['HF_TOKEN']
    if (!token)
      throw new CliError('HF_TOKEN is not set: export the write token of an administrator of that hub')
    return remote(target.endpoint, token)
  }

  const { readConfig } = await import('@cairn/server/config')
  const { assertUsable, DataDirError, readAdminToken } = await import('@cairn/server/data-dir')
  const config = readConfig({ flags: { data: target.data }, env, cwd })
  try {
    await assertUsable(config.dataDir)
  } catch (error) {
    if (!(error instanceof DataDirError) || error.owner === null) throw error
    const { pid, url } = error.owner
    if (url === null)
      throw new CliError(
        `${config.dataDir} is in use by process ${pid}, which does not listen (yet): try again`,
      )
    const token = await readAdminToken(config.dataDir)
    if (token === null)
      throw new CliError(
        `${config.dataDir} holds no admin-token: set HF_TOKEN to an administrator's and add --endpoint ${url}`,
      )
    return remote(url, token)
  }
  const { openToAdminister } = await import('@cairn/server/main')
  const hub = await openToAdminister(config)
  return { send: (request) => hub.admin(request), [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose]() }
}

function answerWithinMs(verb: string): number {
  return ANSWER_WITHIN_MS[verb as keyof typeof ANSWER_WITHIN_MS] ?? ANSWER_WITHIN_MS.usual
}

function remote(endpoint: string, token: string): AdminChannel {
  return { send: (request) => post(endpoint, token, request), [Symbol.asyncDispose]: async () => {} }
}

async function post(endpoint: string, token: string, request: AdminRequest): Promise<unknown> {
  const url = `${endpoint.replace(/\/+$/, '')}/api/admin`
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw new UsageError(`'${endpoint}' is not a URL: give one like https://hub.example.org`)
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify(request),
      // The token goes nowhere but where it was meant to go.
      redirect: 'error',
      signal: AbortSignal.timeout(answerWithinMs(request.verb)),
    })
    text = await response.text()
  } catch (error) {
    const { message, cause } = error as Error
    throw new CliError(
      `${endpoint} does not answer (${cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code : message}): is the hub running there?`,
      { cause: error },
    )
  }
  const body = parseJson(text)
  if (response.ok && body !== undefined) return body
  const reason =
    (body as { error?: unknown } | null | undefined)?.error ?? response.headers.get('x-error-message')
  const next =
    response.status === 401
      ? ": the token is not valid there any more; use another administrator's in HF_TOKEN with --endpoint, or stop the hub and run this again"
      : ''
  throw new CliError(
    `${typeof reason === 'string' ? reason : `${endpoint} answers ${response.status}, is that a Cairn hub?`}${next}`,
  )
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // Somebody else's answer; the caller says so.
    return undefined
  }
}
