/** Commits made to break a repository or the hub: refused as a whole, and the branch stays where it is. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  commit,
  commitBody,
  createRepo,
  file,
  getJson,
  headOf,
  lfsFile,
  sha256,
  uploadLfs,
} from '../client.ts'
import { expectUnchanged } from '../hub-state.ts'
import { refuses, type WrongRequest } from '../refusal.ts'
import { longestHold } from './event-loop.ts'

let hub: TestHub
const PATH = '/api/models/alice/tiny/commit/main'
const HEADER = '{"key":"header","value":{"summary":"x"}}\n'

beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', 'alice/tiny')
  await uploadLfs(hub, 'alice', 'alice/tiny', 'known content')
  await commit(hub, 'alice', 'alice/tiny', [file('README.md', 'Hello'), file('folder/file', 'x')])
})

afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

function wrong(init: RequestInit, refusal: WrongRequest['refusal'] = 'BadRequest'): WrongRequest {
  return { path: PATH, init, refusal }
}

function invalid(init: RequestInit): WrongRequest {
  return wrong(init, 'Invalid')
}

function lines(text: string, refusal: WrongRequest['refusal'] = 'BadRequest'): WrongRequest {
  return wrong({ method: 'POST', body: HEADER + text }, refusal)
}

describe('paths that no checkout could hold', () => {
  const paths: Readonly<Record<string, string>> = {
    nothing: '',
    'the root': '/',
    'an absolute one': '/etc/passwd',
    'dot dot': '../x',
    'dot dot inside': 'a/../../x',
    dot: './x',
    'two slashes': 'a//b',
    'a trailing slash': 'a/',
    'a git folder': '.git/config',
    'a git folder in capitals': 'a/.GIT/hooks/post-checkout',
    'its short name': 'git~1/config',
    'it with a joiner': '.git\u200c/config',
    'it with a trailing dot': '.git./config',
    'it with a stream': '.git::$INDEX_ALLOCATION/config',
    'a backslash': 'a\\..\\..\\x',
    NUL: 'a\0b',
    'CR and LF': 'a\r\nb',
    'a component of 256 bytes': 'a'.repeat(256),
    '4 KiB': `${'a'.repeat(200)}/`.repeat(20) + 'x',
    '10,000 folders': `${'a/'.repeat(10_000)}x`,
  }
  const requests = Object.entries(paths).flatMap(([name, path]): [string, WrongRequest][] => [
    [`${name}, as a file`, invalid(commitBody([file(path, 'x')]))],
    [
      `${name}, as a pointer`,
      invalid(
        commitBody([
          {
            ...lfsFile('x', 'known content'),
            value: { ...(lfsFile('x', 'known content').value as object), path },
          },
        ]),
      ),
    ],
    [`${name}, to delete`, invalid(commitBody([{ key: 'deletedFile', value: { path } }]))],
    [
      `${name}, as where a file was`,
      invalid(commitBody([{ key: 'file', value: { path: 'x', content: '', oldPath: path } }])),
    ],
  ])
  refuses(
    () => hub,
    Object.fromEntries(requests.filter(([name]) => !name.startsWith('a trailing slash, to'))),
  )
})

describe('trees that cannot be', () => {
  refuses(() => hub, {
    'a file and a folder of one name': () => invalid(commitBody([file('a', 'x'), file('a/b', 'x')])),
    'a folder over a file of the branch': () => invalid(commitBody([file('README.md/x', 'x')])),
    'a file over a folder of the branch': () => invalid(commitBody([file('folder', 'x')])),
    'a pointer to what was never uploaded': () => wrong(commitBody([lfsFile('x', 'unknown content')])),
    'a pointer of another size': () =>
      wrong(commitBody([{ key: 'lfsFile', value: { path: 'x', oid: sha256('known content'), size: 5 } }])),
    'a pointer whose text comes inline': () =>
      wrong(
        commitBody([
          file('x', `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 5\n`),
        ]),
      ),
    'deleting what is not there': () =>
      wrong(commitBody([{ key: 'deletedFile', value: { path: 'no' } }]), 'EntryNotFound'),
  })

  test('twins by case or by Unicode form are files of their own', async () => {
    const id = await createRepo(hub, 'alice', 'alice/twins')
    const paths = ['Readme', 'README', '\u00e9', 'e\u0301', 'CON', 'x/\u00c5', 'x/A\u030a']
    await commit(
      hub,
      'alice',
      id,
      paths.map((path) => file(path, path)),
    )
    const tree = await getJson<{ path: string }[]>(hub, 'alice', `/api/models/${id}/tree/main?recursive=true`)
    expect(tree.map(({ path }) => path)).toEqual(expect.arrayContaining(paths))
    for (const path of paths) {
      const got = await hub.fetch('alice', `/${id}/resolve/main/${encodeURIComponent(path)}`)
      expect(await got.text()).toBe(path)
    }
  })

  test('one path twice: the last one holds, or it is refused', async () => {
    const id = await createRepo(hub, 'alice', 'alice/twice')
    await commit(hub, 'alice', id, [file('a', 'first'), file('a', 'second')])
    expect(await (await hub.fetch('alice', `/${id}/resolve/main/a`)).text()).toBe('second')
  })
})

describe('lines', () => {
  const big = 'x'.repeat(17 * 2 ** 20)
  refuses(() => hub, {
    none: wrong({ method: 'POST', body: '' }),
    'no header': wrong({ method: 'POST', body: '{"key":"file","value":{"path":"a","content":""}}' }),
    'two headers': lines(HEADER),
    'a lone surrogate in a path': lines('{"key":"file","value":{"path":"a\\ud800","content":""}}'),
    'an unknown operation': lines('{"key":"chmod","value":{}}'),
    'an operation of the prototype': lines('{"key":"constructor","value":{}}'),
    'half a line': lines('{"key":"file","value":{"path":"a","con'),
    'two values in one line': lines('{"key":"deletedFile","value":{"path":"folder/file"}}{}'),
    'a list': lines('[]'),
    'deep nesting': lines(`{"key":"file","value":${'['.repeat(1_000_000)}`),
    'a lone surrogate in a content': lines('{"key":"file","value":{"path":"a","content":"\\ud800"}}'),
    'bytes that are no UTF-8': wrong({
      method: 'POST',
      body: Buffer.concat([Buffer.from(HEADER), Buffer.from([0xff, 0xfe, 0x0a])]),
    }),
    'base64 that is none': lines('{"key":"file","value":{"path":"a","content":"?","encoding":"base64"}}'),
    'an encoding that is none': lines('{"key":"file","value":{"path":"a","content":"","encoding":"gzip"}}'),
    'an oid in capitals': lines(`{"key":"lfsFile","value":{"path":"a","oid":"${'A'.repeat(64)}","size":1}}`),
    'a negative size': lines(`{"key":"lfsFile","value":{"path":"a","oid":"${'a'.repeat(64)}","size":-1}}`),
    'a size beyond numbers': lines(
      `{"key":"lfsFile","value":{"path":"a","oid":"${'a'.repeat(64)}","size":1e300}}`,
    ),
    'a line of 17 MiB': lines(`{"key":"file","value":{"path":"a","content":"${big}"}}`, 'TooLarge'),
    'a line of 17 MiB without an end': lines(big, 'TooLarge'),
    'a summary of NUL': wrong({ method: 'POST', body: '{"key":"header","value":{"summary":"a\\u0000b"}}' }),
    'a summary of a megabyte': wrong(commitBody([], { summary: 'x'.repeat(2 ** 20) })),
    'a parent that is none': wrong(commitBody([file('a', 'x')], { parentCommit: '../HEAD' })),
    'a parent that was never the head': wrong(
      commitBody([file('a', 'x')], { parentCommit: 'f'.repeat(40) }),
      'StaleParent',
    ),
    '60,000 operations': lines(
      '{"key":"file","value":{"path":"a","content":""}}\n'.repeat(60_000),
      'TooLarge',
    ),
    'paths of 100 MB': () =>
      lines(
        Array.from({ length: 40_000 }, (_, n) =>
          JSON.stringify({ key: 'deletedFile', value: { path: `${`${'p'.repeat(250)}/`.repeat(10)}${n}` } }),
        ).join('\n'),
        'TooLarge',
      ),
    'a million folders': () =>
      lines(
        Array.from({ length: 10_000 }, (_, n) =>
          JSON.stringify({ key: 'file', value: { path: `${n}/${'d/'.repeat(100)}f`, content: '' } }),
        ).join('\n'),
        'TooLarge',
      ),
  })

  test('a member that is named twice counts as JSON has it: the last one', async () => {
    const id = await createRepo(hub, 'alice', 'alice/doubled')
    const line = '{"key":"file","value":{"path":"a","path":"b","content":"x","content":"y"}}'
    expect(
      (await hub.fetch('alice', `/api/models/${id}/commit/main`, { method: 'POST', body: HEADER + line }))
        .status,
    ).toBe(200)
    expect((await hub.fetch('alice', `/${id}/resolve/main/a`)).status).toBe(404)
    expect(await (await hub.fetch('alice', `/${id}/resolve/main/b`)).text()).toBe('y')
  })
})

test('a commit that ends in an error after much content leaves no trace and holds nobody', async () => {
  const before = await headOf(hub, 'alice', 'alice/tiny')
  const content = 'x'.repeat(2 ** 20)
  const body = `${HEADER}${Array.from({ length: 30 }, (_, n) => JSON.stringify({ key: 'file', value: { path: `f${n}`, content: content + n } })).join('\n')}\n{"key":"nonsense"}`
  const held = await longestHold(() =>
    expectUnchanged(hub, async () => {
      expect((await hub.fetch('alice', PATH, { method: 'POST', body })).status).toBe(400)
    }),
  )
  expect(await headOf(hub, 'alice', 'alice/tiny')).toBe(before)
  expect(held).toBeLessThan(500)
})
