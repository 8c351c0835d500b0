/** What leaves in a log line, and what never does. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { openLog } from './log.ts'
import { requestIds } from './ops/request-id.ts'

function logged(format: 'json' | 'pretty', work: (log: ReturnType<typeof openLog>) => void): string {
  let text = ''
  work(openLog({ level: 'info', format }, (line) => (text += line)))
  return text
}

test('a line is JSON, with the id of the request that it belongs to', () => {
  const text = logged('json', (log) => {
    requestIds.run('req-1', () => log.warn({ repoId: 'r1' }, 'told'))
    log.warn({}, 'by itself')
  })
  const [first, second] = text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(first).toMatchObject({ level: 'warn', requestId: 'req-1', repoId: 'r1', msg: 'told' })
  expect(first!['time']).toMatch(/^\d{4}-\d\d-\d\dT/)
  expect(second).not.toHaveProperty('requestId')
})

test('for people it is a line of words, and an error stands below it', () => {
  const text = logged('pretty', (log) =>
    log.error({ err: new Error('no\u001b[2Jway'), requestId: 'a b' }, 'request failed'),
  )
  expect(text).toMatch(
    /^\d\d:\d\d:\d\d\.\d{3} ERROR request failed requestId="a b"\n {2}Error: no\?\[2Jway\n {2,}at /,
  )
})

const SECRET = fc.string({
  unit: fc.constantFrom('a', 'b', 'k', 'L', 'P', '0', '7'),
  minLength: 20,
  maxLength: 60,
})
/** Where a secret may stand in what an error quotes. */
const QUOTED: Readonly<Record<string, (secret: string) => string>> = {
  'a token of ours': (secret) => `token hf_${secret} is unknown`,
  'a header': (secret) => `Authorization: Bearer ${secret}`,
  'a header with a user': (secret) => `authorization: basic ${secret}==`,
  'a signed address': (secret) => `GET /a/b?by=x&signature=${secret}&expires=1`,
  'an encoded address': (secret) => `/login?next=%2Fx%3Ftoken%3D${secret}`,
  'a database': (secret) => `connect to postgres://cairn:${secret}@db.example.org/cairn`,
  'a remote': (secret) => `fatal: unable to access 'https://alice:${secret}@hub/a.git/'`,
}

describe.each(['json', 'pretty'] as const)('in %s', (format) => {
  test.each(Object.entries(QUOTED))('no secret: %s', (_, quote) => {
    fc.assert(
      fc.property(SECRET, fc.string(), fc.string(), (secret, before, after) => {
        const said = `${before} ${quote(secret)} ${after}`
        const text = logged(format, (log) =>
          log.error({ err: new Error(said, { cause: new Error(said) }), path: said, deep: { said } }, said),
        )
        expect(text).not.toContain(secret)
      }),
      { numRuns: 50 },
    )
  })
})
