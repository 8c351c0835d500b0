/** Names, paths and revisions that no honest client sends, in every place of every route that has one. */
import { startHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { commit, createRepo, file } from '../client.ts'
import { expectUnchanged } from '../hub-state.ts'
import { casAccess } from '../xet-client.ts'
import { bodyOf, flaw, send, targets, type Ground } from './requests.ts'

/** As they stand in the address. None of them can be a name, a path or a revision. */
const IMPOSSIBLE: Readonly<Record<string, string>> = {
  'dot dot': '..',
  'encoded dot dot': '%2e%2e',
  dot: '.',
  'a way out': '..%2f..%2f..%2fetc%2fpasswd',
  'a way out with backslashes': '..%5c..%5cetc',
  'overlong dots': '%c0%ae%c0%ae%c0%af',
  'a git folder': '.git',
  'a git folder in capitals': '.GIT',
  'a git folder for Windows': 'git~1',
  'a git folder with a joiner': '.git%E2%80%8C',
  NUL: 'a%00b',
  'CR and LF': 'a%0D%0AX-Injected:%201',
  'a lone surrogate': '%ED%A0%80',
  'a broken escape': '%zz',
  'a cut escape': '%e',
  'a raw byte': '\xff',
  'a lock': 'a.lock',
  'a trailing dot': 'a.',
  'a trailing space': 'a%20',
  'a range': 'a..b...c',
  'a reflog': 'main%40%7B1%7D',
  'an ancestor': 'main~1',
  'a glob': '*%3F%5B',
  'an option': '--upload-pack=touch%20x',
  '4 KiB': 'a'.repeat(4096),
  'a thousand folders': Array.from({ length: 1000 }, () => 'a').join('%2F'),
}

/** Odd, and for some routes a name like any other. */
const ODD: Readonly<Record<string, string>> = {
  'a device': 'CON',
  nothing: '',
  'a way out, encoded twice': '%252e%252e%252fetc',
  'a prototype': '__proto__',
  'a constructor': 'constructor',
  decomposed: 'e%CC%81',
  'right to left': '%E2%80%AEgpj',
  'a dash': '-rf',
  markup: '%3Cscript%3Ealert(1)%3C%2Fscript%3E',
  SQL: "a'%3B%20drop%20table%20repos%3B--",
}

let ground: Ground

beforeAll(async () => {
  const hub = await startHub()
  const repo = await createRepo(hub, 'alice', 'alice/tiny')
  await commit(hub, 'alice', repo, [file('README.md', 'Hello')])
  const cas = await casAccess(hub, 'alice', repo, 'read')
  ground = { hub, repo, domainId: cas.casUrl.split('/').at(-1) ?? '' }
})

afterAll(async () => {
  await ground.hub[Symbol.asyncDispose]()
})

/** Sends every name in every open place; returns what answers were not clear, and the ones that succeeded. */
async function everywhere(
  names: Readonly<Record<string, string>>,
): Promise<{ flaws: string[]; done: string[] }> {
  const flaws: string[] = []
  const done: string[] = []
  for (const target of targets(ground)) {
    const body = bodyOf(target)?.text
    for (const place of target.open)
      for (const [name, text] of Object.entries(names)) {
        const path = `/${put(target.segments, place, text).join('/')}`
        const answer = await send(ground, {
          method: target.route.method,
          path,
          ...(body === undefined ? {} : { body }),
        })
        const told = `${target.name} with ${name} at ${place}`
        const wrong =
          flaw(answer) ?? (answer.headers['x-injected'] === undefined ? null : 'a header was injected')
        if (wrong !== null) flaws.push(`${told}: ${wrong}`)
        else if (answer.status < 400) done.push(`${told}: ${answer.status}`)
      }
  }
  return { flaws, done }
}

function put(segments: readonly string[], place: number, text: string): string[] {
  return place < segments.length ? segments.with(place, text) : [...segments, text]
}

test('impossible ones are refused, and nothing changes', async () => {
  const { flaws, done } = await expectUnchanged(ground.hub, () => everywhere(IMPOSSIBLE))
  expect(flaws).toEqual([])
  expect(done).toEqual([])
})

test('odd ones never break anything', async () => {
  const { flaws } = await everywhere(ODD)
  expect(flaws).toEqual([])
})

/** What routes read of an address behind the question mark. */
const PARAMETERS = [
  'limit',
  'cursor',
  'p',
  'expand',
  'recursive',
  'blobs',
  'securityStatus',
  'q',
  'search',
  'filter',
  'author',
  'sort',
  'direction',
  'full',
  'raw',
  'create_pr',
  'type',
  'size',
  'expires',
  'signature',
  'range',
  'by',
  'repo',
  'include_prs',
  'days',
  'service',
  'path',
  'id',
  'rewriteHistory',
]
const VALUES = [
  '',
  '-1',
  '1e309',
  '9'.repeat(30),
  'NaN',
  '%00',
  '%ED%A0%80',
  '__proto__',
  '..%2f..',
  'a'.repeat(9000),
]

test('parameters of any value never break a look', async () => {
  const flaws: string[] = []
  let turn = 0
  for (const { name, route, segments } of targets(ground)) {
    if (route.method !== 'GET') continue
    // Each parameter by itself, with a value that changes from route to route, and each value in a common one.
    const queries = [
      ...PARAMETERS.map((parameter) => `${parameter}=${VALUES[turn++ % (VALUES.length - 1)]}`),
      ...VALUES.map((value) => `limit=1&limit=${value}&limit[]=2&cursor[a]=${value}`),
      ...VALUES.map((value) => `search=${value}`),
    ]
    for (const query of queries) {
      const wrong = flaw(await send(ground, { method: 'GET', path: `/${segments.join('/')}?${query}` }))
      if (wrong !== null) flaws.push(`${name}?${query.slice(0, 60)}: ${wrong}`)
    }
  }
  expect(flaws).toEqual([])
})
