/** Downloads: hub-api.md §6, clients.md §0.4–0.9. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectRefusal, post, refuses } from './refusal.ts'

const ID = 'alice/tiny'
const TEXT = '0123456789'
const WEIGHTS = 'the weights of a model'
const ODD_NAMES = [
  'a b.txt',
  'hash#1.txt',
  '100%.txt',
  'q?.txt',
  'plus+.txt',
  '[x]^|.txt',
  'größe-😀.txt',
  'it\'s;"q".txt',
]

let hub: TestHub
let head: string
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', ID)
  await uploadLfs(hub, 'alice', ID, WEIGHTS)
  head = await commit(hub, 'alice', ID, [
    file('digits.txt', TEXT),
    file('empty.txt', ''),
    file('sub/page.html', '<script>'),
    lfsFile('model.bin', WEIGHTS),
    ...ODD_NAMES.map((name) => file(`odd/${name}`, name)),
  ])
  await getJson(hub, 'alice', `/api/models/${ID}/branch/feature%2Fx`, post({}))
  await getJson(hub, 'alice', `/api/models/${ID}/tag/main`, post({ tag: 'v1' }))
})
afterAll(() => hub[Symbol.asyncDispose]())

const at = (path: string, revision = 'main') => `/${ID}/resolve/${revision}/${path}`
const get = (path: string, headers: Record<string, string> = {}) => hub.fetch(null, path, { headers })

describe('a regular file', () => {
  test('answers HEAD and GET with the same headers', async () => {
    const found = await get(at('digits.txt'))
    const head_ = await hub.fetch(null, at('digits.txt'), { method: 'HEAD' })
    for (const answer of [found, head_]) {
      expect(answer.status).toBe(200)
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        etag: '"ad471007bd7f5983d273b9584e5629230150fd54"',
        'x-repo-commit': head,
        'accept-ranges': 'bytes',
        'content-length': '10',
        'content-disposition': `inline; filename*=UTF-8''digits.txt; filename="digits.txt";`,
      })
      expect(answer.headers.get('X-Linked-ETag')).toBeNull()
    }
    expect(await found.text()).toBe(TEXT)
    expect(await head_.text()).toBe('')
  })

  test('is found at branch, tag, whole and short id, full ref, encoded or not', async () => {
    const revisions = [
      'main',
      'v1',
      head,
      head.slice(0, 7),
      'refs%2Fheads%2Fmain',
      'refs/heads/main',
      'feature%2Fx',
      'feature/x',
    ]
    for (const revision of revisions)
      expect([revision, await (await get(at('digits.txt', revision))).text()]).toEqual([revision, TEXT])
  })

  test.each(ODD_NAMES)('keeps the name %s', async (name) => {
    const answer = await get(at(`odd/${encodeURIComponent(name)}`))
    expect(await answer.text()).toBe(name)
    expect(answer.headers.get('Content-Disposition')).toMatch(/filename="[^"]*";$/)
  })

  test('is not sent again to who has it', async () => {
    const etag = (await get(at('digits.txt'))).headers.get('ETag') ?? ''
    expect((await get(at('digits.txt'), { 'If-None-Match': etag })).status).toBe(304)
    expect((await get(at('digits.txt'), { 'If-None-Match': '"other"' })).status).toBe(200)
  })

  test('cannot run as a page of the hub', async () => {
    const answer = await get(at('sub/page.html'))
    expect(answer.headers.get('Content-Type')).toMatch(/^text\/plain/)
    expect(answer.headers.get('X-Content-Type-Options')).toBe('nosniff')
    expect(answer.headers.get('Content-Security-Policy')).toContain('sandbox')
    const saved = await get(`${at('sub/page.html')}?download=true`)
    expect(saved.headers.get('Content-Disposition')).toMatch(/^attachment;/)
  })
})

describe('an LFS file', () => {
  test('is known by its sha256 and its real size', async () => {
    const answer = await hub.fetch(null, at('model.bin'), { method: 'HEAD' })
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      etag: `"${sha256(WEIGHTS)}"`,
      'x-linked-etag': `"${sha256(WEIGHTS)}"`,
      'x-linked-size': String(WEIGHTS.length),
      'content-length': String(WEIGHTS.length),
      'x-repo-commit': head,
    })
    expect(await (await get(at('model.bin'))).text()).toBe(WEIGHTS)
  })

  test('as raw is its pointer', async () => {
    const answer = await get(`/${ID}/raw/main/model.bin`)
    const pointer = await answer.text()
    expect(pointer).toContain(`oid sha256:${sha256(WEIGHTS)}`)
    expect(answer.headers.get('Content-Length')).toBe(String(pointer.length))
  })

  test('that is asked for Xet says what it is instead: plain bytes', async () => {
    const answer = await get(at('model.bin'), {
      Accept: 'application/vnd.xet-fileinfo+json, */*',
      Range: 'bytes=0-0',
    })
    expect(answer.status).toBe(206)
    expect(answer.headers.get('Content-Type')).toBe('application/octet-stream')
  })
})

describe.each([
  ['digits.txt', TEXT],
  ['model.bin', WEIGHTS],
])('a range of %s', (path, content) => {
  const size = content.length
  test.each([
    ['bytes=0-0', 0, 0],
    ['bytes=2-4', 2, 4],
    ['bytes=3-', 3, size - 1],
    ['bytes=-3', size - 3, size - 1],
    ['bytes=-999', 0, size - 1],
    ['bytes=1-99999999999999999999', 1, size - 1],
  ])('%s', async (range, start, end) => {
    const answer = await get(at(path), { Range: range })
    expect([answer.status, answer.headers.get('Content-Range'), await answer.text()]).toEqual([
      206,
      `bytes ${start}-${end}/${size}`,
      content.slice(start, end + 1),
    ])
  })

  test.each(['bytes=5-2', 'bytes=x-', 'lines=1-2', 'bytes=0-1,3-4', 'bytes=-'])(
    '%s is ignored',
    async (range) => {
      const answer = await get(at(path), { Range: range })
      expect([answer.status, await answer.text()]).toEqual([200, content])
    },
  )

  test.each([`bytes=${size}-`, `bytes=${size + 5}-${size + 9}`, 'bytes=-0'])(
    '%s is refused',
    async (range) => {
      const answer = await get(at(path), { Range: range })
      expect(answer.headers.get('Content-Range')).toBe(`bytes */${size}`)
      await expectRefusal(answer, 'RangeNotSatisfiable')
    },
  )
})

test('an empty file has a size for those who ask for its first byte', async () => {
  const answer = await get(at('empty.txt'), { Range: 'bytes=0-0' })
  expect([answer.status, answer.headers.get('Content-Range'), await answer.text()]).toEqual([
    200,
    'bytes */0',
    '',
  ])
})

test('a missing file says in which commit it is missing', async () => {
  const answer = await hub.fetch(null, at('none.txt'), { method: 'HEAD' })
  expect([answer.status, answer.headers.get('X-Error-Code'), answer.headers.get('X-Repo-Commit')]).toEqual([
    404,
    'EntryNotFound',
    head,
  ])
})

test('datasets and spaces have a word before their name', async () => {
  for (const type of ['dataset', 'space']) {
    await createRepo(hub, 'alice', 'alice/other', { type, sdk: 'static' })
    expect((await get(`/${type}s/alice/other/resolve/main/.gitattributes`)).status).toBe(200)
  }
  await expectRefusal(await get('/alice/other/resolve/main/.gitattributes'), {
    code: 'RepoNotFound',
    status: 401,
  })
})

describe.each(['resolve', 'raw'])('%s', (verb) => {
  const path = (rest: string) => `/${ID}/${verb}/${rest}`
  refuses(() => hub, {
    'an unknown revision': { path: path('none/digits.txt'), refusal: 'RevisionNotFound' },
    'an unknown path': { path: path('main/none.txt'), refusal: 'EntryNotFound' },
    'a folder': { path: path('main/sub'), refusal: 'EntryNotFound' },
    'no path': { path: path('main'), refusal: 'EntryNotFound' },
    'a path below a file': { path: path('main/digits.txt/x'), refusal: 'EntryNotFound' },
    'a path with ..': { path: path('main/sub%2F..%2Fdigits.txt'), refusal: 'EntryNotFound' },
    'a path to the disk': { path: path('main/..%2F..%2F..%2Fetc%2Fpasswd'), refusal: 'EntryNotFound' },
    "git's own files": { path: path('main/.git/config'), refusal: 'EntryNotFound' },
    'a path with a backslash': { path: path('main/sub%5Cpage.html'), refusal: 'EntryNotFound' },
    'a path with NUL': { path: path('main/digits.txt%00'), refusal: 'EntryNotFound' },
    'a path that is decoded twice': { path: path('main/digits%252Etxt'), refusal: 'EntryNotFound' },
    'a path with a line break': { path: path('main/a%0D%0AX-Evil:1'), refusal: 'EntryNotFound' },
    'a revision that is a path': { path: path('..%2F..%2Fother/x'), refusal: 'RevisionNotFound' },
  })
})
