/** The shape that every refusal has (hub-api.md §24), and tables of wrong requests that must change nothing. */
import { request } from 'node:http'

import { ERROR_CODES, type ErrorCode } from '@cairn/protocol/errors'
import type { TestHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { expectUnchanged } from './hub-state.ts'

/** A code of the table, or with another status than the table's. */
export type Refusal = ErrorCode | { code: ErrorCode; status: number }

/** Consumes the answer and returns its body. */
export async function expectRefusal(answer: Response, refusal: Refusal): Promise<Record<string, unknown>> {
  const code = typeof refusal === 'string' ? refusal : refusal.code
  const status = typeof refusal === 'string' ? ERROR_CODES[code].status : refusal.status
  const text = await answer.text()
  const hidden = code === 'InvalidCredentials' || code === 'Unauthenticated'
  const sent = `${answer.status} ${answer.headers.get('X-Error-Code')} ${text}`
  expect({ sent, status: answer.status, code: answer.headers.get('X-Error-Code') }).toEqual({
    sent,
    status,
    code: hidden ? null : code,
  })
  expect(answer.headers.get('X-Request-Id')).toMatch(/^[\x21-\x7e]+$/)
  const message = answer.headers.get('X-Error-Message')
  expect(message).toMatch(/^[\x20-\x7e]+$/)
  // git, git-lfs and container registries have dialects of their own.
  const isText = answer.headers.get('Content-Type')?.startsWith('text/plain') ?? false
  const body = (isText ? { message: text.trimEnd() } : JSON.parse(text)) as Record<string, unknown>
  const [first] = (body['errors'] ?? []) as { message: unknown }[]
  const told = body['error'] ?? body['message'] ?? first?.message
  expect(String(told).replace(/[^\x20-\x7e]/g, '?')).toBe(message)
  return body
}

export interface WrongRequest {
  /** null: anonymous. alice unless said otherwise. */
  as?: Parameters<TestHub['fetch']>[0]
  path: string
  init?: RequestInit
  refusal: Refusal
}

/** One test for each wrong request: it is refused as said, and the hub keeps what it kept. */
export function refuses(
  hub: () => TestHub,
  requests: Readonly<Record<string, WrongRequest | (() => WrongRequest | Promise<WrongRequest>)>>,
): void {
  test.each(Object.entries(requests))('refuses %s', async (_name, given) => {
    const { as = 'alice', path, init, refusal } = typeof given === 'function' ? await given() : given
    await expectUnchanged(hub(), async () => expectRefusal(await hub().fetch(as, path, init), refusal))
  })
}

/** As JSON in the body of a POST. */
export function post(json: unknown, method = 'POST'): RequestInit {
  return { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(json) }
}

/** Announces a body of that size and sends none of it. What counts is the declared size. */
export function announce(
  hub: TestHub,
  authorization: string | null,
  path: string,
  sizeBytes: number,
  method = 'POST',
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const asked = request(path.startsWith('http') ? path : hub.url + path, {
      method,
      headers: {
        'Content-Length': String(sizeBytes),
        ...(authorization === null ? {} : { Authorization: `Bearer ${authorization}` }),
      },
    })
    asked.on('response', (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('end', () => {
        const headers = Object.entries(answer.headers).map(
          ([name, value]) => [name, String(value)] as [string, string],
        )
        resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 0, headers }))
        asked.destroy()
      })
    })
    asked.on('error', reject)
    asked.flushHeaders()
  })
}
