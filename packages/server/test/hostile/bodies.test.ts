/** Bodies that are no JSON, or JSON of any other shape than the route's, on every route that takes one. */
import { startHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createRepo } from '../client.ts'
import { expectUnchanged } from '../hub-state.ts'
import { casAccess } from '../xet-client.ts'
import { longestHold } from './event-loop.ts'
import { bodyOf, flaw, send, targets, type Ground, type Target } from './requests.ts'

const DEEP = 200_000

/** No route can take these. */
const GARBAGE: Readonly<Record<string, string | Uint8Array>> = {
  'half an object': '{"name":',
  'a list': '[]',
  'a string': '"x"',
  'a number': '1e400',
  null: 'null',
  'two values': '{}{}',
  'a comment': '{/* */}',
  'a byte order mark and more': '\ufeff[1]',
  'deep lists': '['.repeat(DEEP) + ']'.repeat(DEEP),
  'deep objects': `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`,
  'open lists': '['.repeat(DEEP),
  'bytes that are no UTF-8': Uint8Array.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d]),
  NUL: '\0',
  'a form': 'a=1&b=2',
  gzip: Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
}

/** In place of any member of a right body; some routes take some of them. */
const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  2 ** 53,
  '',
  '\ud800',
  'a\0b',
  'a\r\nX-Injected: 1',
  '../../etc/passwd',
  '__proto__',
  'x'.repeat(300_000),
  [],
  [[[[]]]],
  Array.from({ length: 20_000 }, () => 'a'),
  { __proto__: null, constructor: { prototype: {} } },
]

let ground: Ground

beforeAll(async () => {
  const hub = await startHub()
  const repo = await createRepo(hub, 'alice', 'alice/tiny')
  const cas = await casAccess(hub, 'alice', repo, 'read')
  ground = { hub, repo, domainId: cas.casUrl.split('/').at(-1) ?? '' }
})

afterAll(async () => {
  await ground.hub[Symbol.asyncDispose]()
})

function withBodies(): { target: Target; json: Record<string, unknown> | null }[] {
  return targets(ground).flatMap((target) => {
    const body = bodyOf(target)
    return body === null ? [] : [{ target, json: body.json }]
  })
}

async function ask(target: Target, body: string | Uint8Array, headers: Record<string, string> = {}) {
  const path = `/${target.segments.join('/')}`
  return send(ground, { method: target.route.method, path, body, headers })
}

test('garbage is refused, and nothing changes', async () => {
  const wrong: string[] = []
  const held = await longestHold(() =>
    expectUnchanged(ground.hub, async () => {
      for (const { target } of withBodies())
        for (const [name, body] of Object.entries(GARBAGE)) {
          const answer = await ask(target, body)
          const told = `${target.name} with ${name}: ${answer.status}`
          if (answer.status < 400 || answer.status >= 500) wrong.push(told)
          else if (flaw(answer) !== null) wrong.push(`${told} ${flaw(answer)}`)
        }
      expect(wrong).toEqual([])
    }),
  )
  expect(held).toBeLessThan(500)
})

test('odd members never break anything', async () => {
  const wrong: string[] = []
  for (const { target, json } of withBodies())
    for (const key of Object.keys(json ?? {}))
      for (const value of ODD_VALUES) {
        const answer = await ask(target, JSON.stringify({ ...json, [key]: value }))
        const reason =
          flaw(answer) ?? (answer.headers['x-injected'] === undefined ? null : 'a header was injected')
        if (reason !== null)
          wrong.push(`${target.name} with ${key}=${JSON.stringify(value).slice(0, 40)}: ${reason}`)
      }
  expect(wrong).toEqual([])
})

test('a member that is named twice, or for the prototype, means one thing', async () => {
  const wrong: string[] = []
  for (const { target, json } of withBodies()) {
    if (json === null) continue
    const inside = JSON.stringify(json).slice(1, -1)
    for (const text of [`{${inside},${inside}}`, `{"__proto__":{"isAdmin":true},${inside}}`]) {
      const reason = flaw(await ask(target, text))
      if (reason !== null) wrong.push(`${target.name}: ${reason}`)
    }
  }
  expect(wrong).toEqual([])
  expect(Reflect.get({}, 'isAdmin')).toBeUndefined()
})

test('a body that announces more than any route takes is refused before it is sent', async () => {
  const wrong: string[] = []
  for (const { target } of withBodies()) {
    const answer = await ask(target, '', { 'Content-Length': String(2 ** 50) }).catch(
      (error: unknown) => error,
    )
    if (answer instanceof Error) wrong.push(`${target.name}: ${answer.message}`)
    else if ((answer as { status: number }).status < 400) wrong.push(`${target.name} took it`)
  }
  expect(wrong).toEqual([])
})
