/** Comparisons, squashes, branches and tags, and the last commits of listings. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { makeRepo, type HistoryRepo } from './history-repo.ts'

let hub: TestHub
beforeAll(async () => void (hub = await startHub()))
afterAll(() => hub[Symbol.asyncDispose]())

interface Commit {
  id: string
  title: string
  message: string
  authors: { user: string }[]
  formatted?: { title: string; message: string }
}
interface Refs {
  branches: { name: string; ref: string; targetCommit: string }[]
  tags: { name: string; ref: string; targetCommit: string }[]
  converts: { name: string; ref: string; targetCommit: string }[]
}

const code = (response: Response) => [response.status, response.headers.get('x-error-code')]

describe('comparing', () => {
  let repo: HistoryRepo
  let first: string
  let second: string

  beforeAll(async () => {
    repo = await makeRepo(hub, 'alice/compared')
    const large = await repo.upload('large '.repeat(1000))
    first = await repo.commit({
      'a.txt': 'one\ntwo\nthree\nfour\nfive\n',
      'gone.txt': 'bye\n',
      'm.bin': large,
    })
    await repo.call('POST', '/branch/side', { startingPoint: first })
    second = await repo.commit({
      'a.txt': null,
      'b.txt': 'one\ntwo\nthree\nfour\nfive!\n',
      'gone.txt': null,
      'm.bin': await repo.upload('other '.repeat(1000)),
    })
    await repo.commit({ 'side.txt': 'side\n' }, { revision: 'side' })
  })

  test('a list says what became of each file', async () => {
    const files = await repo.json<object[]>(`/compare/${first}..main`)
    expect(files).toMatchObject([
      { path: 'b.txt', oldPath: 'a.txt', status: 'renamed' },
      { path: 'gone.txt', status: 'deleted' },
      { path: 'm.bin', status: 'modified' },
    ])
  })

  test('a raw diff is what git says, pointers as pointers', async () => {
    const response = await repo.call('GET', `/compare/${first.slice(0, 10)}..${second}?raw=true`)
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8')
    const diff = await response.text()
    expect(diff).toContain('rename from a.txt\nrename to b.txt')
    expect(diff).toContain('-five\n+five!\n')
    expect(diff).toMatch(/-oid sha256:[0-9a-f]{64}\n\+oid sha256:[0-9a-f]{64}\n/)
    expect(diff).not.toContain('large large')
  })

  test('three dots begin where the two parted, a caret at the parent, the first commit at nothing', async () => {
    const paths = async (comparison: string) =>
      (await repo.json<{ path: string }[]>(`/compare/${comparison}`)).map(({ path }) => path)
    expect(await paths('main...side')).toEqual(['side.txt'])
    expect(await paths('main..side')).toEqual(['a.txt', 'gone.txt', 'm.bin', 'side.txt'])
    expect(await paths(`${second}^..${second}`)).toEqual(['b.txt', 'gone.txt', 'm.bin'])
    const commits = await repo.json<Commit[]>('/commits/main')
    expect(await paths(`${commits.at(-1)?.id}^..${commits.at(-1)?.id}`)).toEqual(['.gitattributes'])
    expect(await paths('main..main')).toEqual([])
  })

  test('names with slashes work encoded and not', async () => {
    await repo.call('POST', '/branch/dev%2Fone', {})
    await repo.commit({ 'dev.txt': 'dev\n' }, { revision: 'dev/one' })
    for (const comparison of [
      'main..dev%2Fone',
      'main..dev/one',
      'refs/heads/main..refs%2Fheads%2Fdev%2Fone',
    ])
      expect(await repo.json(`/compare/${comparison}`)).toMatchObject([{ path: 'dev.txt', status: 'added' }])
  })

  test('a large file is said to differ, a large diff is refused', async () => {
    const text = (letter: string) => `${letter.repeat(63)}\n`.repeat(50_000)
    const before = await repo.commit({ 'big.txt': text('a') })
    const after = await repo.commit({ 'big.txt': text('b') })
    const small = await (await repo.call('GET', `/compare/${before}..${after}?raw=1`)).text()
    expect(small).toContain('Binary files a/big.txt and b/big.txt differ')
    expect(small.length).toBeLessThan(1000)
    const many = Object.fromEntries(
      Array.from({ length: 10 }, (_, index) => [
        `many/${index}.txt`,
        `${index}${text('c').slice(0, 2_000_000)}`,
      ]),
    )
    const filled = await repo.commit(many)
    expect(code(await repo.call('GET', `/compare/${after}..${filled}?raw=1`))).toEqual([413, 'TooLarge'])
    expect(await repo.json<object[]>(`/compare/${after}..${filled}`)).toHaveLength(10)
  })

  test.each([
    ['no dots', 'main', 400, 'BadRequest'],
    ['no left side', '..main', 400, 'BadRequest'],
    ['no right side', 'main..', 400, 'BadRequest'],
    ['an unknown side', 'main..nowhere', 404, 'RevisionNotFound'],
    ['an option for a name', '--output=x..main', 404, 'RevisionNotFound'],
    ['a long name', `main..${'x'.repeat(5000)}`, 404, 'RevisionNotFound'],
    ['four dots', 'main....main', 404, 'RevisionNotFound'],
    ['a climb', '..%2F..%2Fetc..main', 404, 'RevisionNotFound'],
  ])('%s is refused', async (_, comparison, status, errorCode) => {
    for (const query of ['', '?raw=true'])
      expect(code(await repo.call('GET', `/compare/${comparison}${query}`))).toEqual([status, errorCode])
  })

  test('sizes of folders count the contents behind pointers', async () => {
    const sized = await makeRepo(hub, 'alice/sized')
    const large = await sized.upload('x'.repeat(5000))
    await sized.commit({ 'in/a.txt': '12345', 'in/deep/m.bin': large, 'out.txt': '1' })
    const attributes = await sized.json<{ size: number }>('/treesize/main/.gitattributes')
    expect(await sized.json('/treesize/main/in')).toEqual({ path: '/in', size: 5005 })
    expect(await sized.json('/treesize/main')).toEqual({ path: '/', size: 5006 + attributes.size })
    expect(code(await sized.call('GET', '/treesize/main/none'))).toEqual([404, 'EntryNotFound'])
    expect(code(await sized.call('GET', '/treesize/none/in'))).toEqual([404, 'RevisionNotFound'])
  })
})

describe('super-squash', () => {
  test('a branch becomes one commit, its files and other refs stay', async () => {
    const repo = await makeRepo(hub, 'alice/squashed')
    const old = await repo.commit({ 'a.txt': 'a\n' })
    await repo.call('POST', '/tag/main', { tag: 'v1' })
    await repo.commit({ 'b.txt': 'b\n' })
    const tree = await repo.json('/tree/main')
    expect((await repo.call('POST', '/super-squash/main', { message: 'All in one' })).status).toBe(200)
    const commits = await repo.json<Commit[]>('/commits/main')
    expect(commits).toMatchObject([{ title: 'All in one', authors: [{ user: 'alice' }] }])
    expect(await repo.json('/tree/main')).toEqual(tree)
    expect((await repo.json<Commit[]>('/commits/v1'))[0]?.id).toBe(old)
  })

  test('special refs and branches with slashes, encoded or not', async () => {
    const repo = await makeRepo(hub, 'alice/squashed-refs')
    await repo.commit({ 'a.txt': 'a\n' })
    for (const name of ['refs%2Fconvert%2Fparquet', 'dev%2Fone', 'dev%2Ftwo'])
      expect((await repo.call('POST', `/branch/${name}`, {})).status).toBe(200)
    for (const path of ['refs%2Fconvert%2Fparquet', 'dev/one', 'refs/heads/dev/two']) {
      expect((await repo.call('POST', `/super-squash/${path}`, { message: 'm' })).status).toBe(200)
      expect(await repo.json(`/commits/${encodeURIComponent(decodeURIComponent(path))}`)).toHaveLength(1)
    }
    expect(await repo.json('/commits/main')).toHaveLength(2)
  })

  test('a tag, an id, a missing branch and a stranger are refused', async () => {
    const repo = await makeRepo(hub, 'alice/squash-refused')
    const oid = await repo.commit({ 'a.txt': 'a\n' })
    await repo.call('POST', '/tag/main', { tag: 'v1' })
    const squash = async (branch: string, account?: 'bob' | 'reader' | null, message: unknown = 'm') =>
      code(await repo.call('POST', `/super-squash/${branch}`, { message }, account))
    expect(await squash('v1')).toEqual([400, 'BadRequest'])
    expect(await squash(oid)).toEqual([404, 'RevisionNotFound'])
    expect(await squash('nowhere')).toEqual([404, 'RevisionNotFound'])
    expect(await squash('main', undefined, 7)).toEqual([400, 'BadRequest'])
    expect(await squash('main', undefined, 'x'.repeat(100_000))).toEqual([413, 'TooLarge'])
    expect(await squash('main', 'bob')).toEqual([403, 'Forbidden'])
    expect(await squash('main', 'reader')).toEqual([403, 'Forbidden'])
    expect((await squash('main', null))[0]).toBe(401)
    expect((await repo.json<Commit[]>('/commits/main'))[0]?.id).toBe(oid)
  })
})

describe('branches and tags', () => {
  test('a tag and a branch share a name, and each is deleted alone', async () => {
    const repo = await makeRepo(hub, 'alice/namesakes')
    await repo.call('POST', '/branch/same', {})
    expect((await repo.call('POST', '/tag/main', { tag: 'same', message: 'Annotated' })).status).toBe(200)
    expect(code(await repo.call('POST', '/branch/same', {}))).toEqual([409, 'Conflict'])
    expect(code(await repo.call('POST', '/tag/main', { tag: 'same' }))).toEqual([409, 'Conflict'])
    expect((await repo.call('DELETE', '/tag/same')).status).toBe(200)
    expect(code(await repo.call('DELETE', '/tag/same'))).toEqual([404, 'RevisionNotFound'])
    const { branches, tags } = await repo.json<Refs>('/refs')
    expect([branches.map(({ name }) => name), tags]).toEqual([['main', 'same'], []])
    expect(code(await repo.call('DELETE', '/tag/main'))).toEqual([404, 'RevisionNotFound'])
    expect((await repo.call('DELETE', '/branch/same')).status).toBe(200)
    expect(code(await repo.call('DELETE', '/branch/same'))).toEqual([404, 'RevisionNotFound'])
    expect(code(await repo.call('DELETE', '/branch/main'))).toEqual([403, 'Forbidden'])
  })

  test('names that git or the hub keep for themselves are refused', async () => {
    const repo = await makeRepo(hub, 'alice/forbidden-names')
    const names = [
      'refs/pr/5',
      'refs/something',
      'refs/convert/a/b',
      'refs/heads/x',
      'a..b',
      'a b',
      '-x',
      'HEAD',
    ]
    for (const name of [...names, 'x.lock', 'a~1', 'x'.repeat(300), 'f'.repeat(40), '@{', '.hidden', 'end/'])
      for (const [path, body] of [
        [`/branch/${encodeURIComponent(name)}`, {}],
        ['/tag/main', { tag: name }],
      ] as const) {
        if (path.startsWith('/tag') && name.startsWith('refs/')) continue
        expect(code(await repo.call('POST', path, body)), `${path} ${name}`).toEqual([400, 'BadRequest'])
      }
    expect((await repo.json<Refs>('/refs')).branches).toHaveLength(1)
  })

  test('every spelling of a revision leads to the same commit', async () => {
    const repo = await makeRepo(hub, 'alice/spellings')
    const oid = await repo.commit({ 'a.txt': 'a\n' })
    await repo.call('POST', '/branch/refs%2Fconvert%2Fparquet', {})
    await repo.call('POST', '/tag/main', { tag: 'v1', message: 'Annotated' })
    expect((await repo.json<Refs>('/refs')).converts).toEqual([
      { name: 'parquet', ref: 'refs/convert/parquet', targetCommit: oid },
    ])
    const revisions = ['main', 'refs/heads/main', 'v1', 'refs/tags/v1', 'refs/convert/parquet', oid]
    for (const revision of [...revisions, oid.slice(0, 7), oid.toUpperCase()])
      for (const spelled of new Set([revision, encodeURIComponent(revision)])) {
        expect((await repo.json<{ sha: string }>(`/revision/${spelled}`)).sha, spelled).toBe(oid)
        expect((await repo.json<Commit[]>(`/commits/${spelled}`))[0]?.id, spelled).toBe(oid)
        expect(await repo.json<object[]>(`/tree/${spelled}`), spelled).toHaveLength(2)
        expect(await repo.json(`/treesize/${spelled}/a.txt`), spelled).toEqual({ path: '/a.txt', size: 2 })
        expect((await hub.fetch(null, `/alice/spellings/resolve/${spelled}/a.txt`)).status, spelled).toBe(200)
      }
    await repo.commit({ 'p.txt': 'p\n' }, { revision: 'refs/convert/parquet' })
    expect(await repo.json<object[]>('/tree/refs%2Fconvert%2Fparquet')).toHaveLength(3)
    expect(await repo.json<object[]>('/tree/main')).toHaveLength(2)
    expect((await repo.call('DELETE', '/branch/refs%2Fconvert%2Fparquet')).status).toBe(200)
    for (const revision of ['main..main', 'x'.repeat(4000), 'main%00', '%2e%2e%2f%2e%2e', 'refs', 'refs%2F'])
      for (const kind of ['revision', 'commits', 'tree'])
        expect((await repo.call('GET', `/${kind}/${revision}`)).status, revision).toBe(404)
  })
})

describe('commits', () => {
  test('pages follow one another, whatever is pushed in between; forged ones are refused', async () => {
    const repo = await makeRepo(hub, 'alice/paged')
    for (let index = 0; index < 4; index += 1)
      await repo.commit(
        { 'a.txt': `${index}` },
        { summary: `No. <${index}>\n\nBody\n\nCo-authored-by: Bo B <bo@example.com>` },
      )
    const first = await repo.call('GET', '/commits/main?limit=2&expand[]=formatted')
    expect(first.headers.get('x-total-count')).toBe('5')
    const next = /^<([^>]+)>; rel="next"$/.exec(first.headers.get('link') ?? '')?.[1] ?? ''
    expect((await first.json()) as Commit[]).toMatchObject([
      {
        title: 'No. <3>',
        authors: [{ user: 'alice' }, { user: 'Bo B' }],
        formatted: { title: 'No. &lt;3&gt;' },
      },
      { title: 'No. <2>' },
    ])
    await repo.commit({ 'a.txt': 'later' })
    expect((await (await fetch(next)).json()) as Commit[]).toMatchObject([
      { title: 'No. <1>' },
      { title: 'No. <0>' },
    ])
    const cursor = new URL(next).searchParams.get('cursor') ?? ''
    const other = await makeRepo(hub, 'alice/paged-too')
    for (const path of [
      '/commits/main?cursor=bm9uZQ',
      `/commits/main?cursor=${encodeURIComponent(`x${cursor}`)}`,
      `/tree/main?cursor=${encodeURIComponent(cursor)}`,
      `/lfs-files?cursor=${encodeURIComponent(cursor)}`,
      '/commits/main?limit=-1',
      '/commits/main?limit=0',
      '/commits/main?limit=many',
      '/lfs-files?limit=1e3',
    ])
      expect(code(await repo.call('GET', path)), path).toEqual([400, 'BadRequest'])
    expect(code(await other.call('GET', `/commits/main?cursor=${encodeURIComponent(cursor)}`))).toEqual([
      400,
      'BadRequest',
    ])
    expect(await repo.json('/commits/main?limit=999999999')).toHaveLength(6)
  })
})

describe('last commits', () => {
  interface Entry {
    path: string
    lastCommit: { id: string; title: string }
  }
  const titles = (entries: Entry[]) => Object.fromEntries(entries.map((e) => [e.path, e.lastCommit.title]))

  test('each entry names the commit that changed it last, on every page and after a push', async () => {
    const repo = await makeRepo(hub, 'alice/dated')
    await repo.commit({ 'a/x.txt': '1', 'a/y.txt': '1', 'b/z.txt': '1', 'top.txt': '1' }, { summary: 'one' })
    await repo.commit({ 'a/x.txt': '2' }, { summary: 'two' })
    await repo.commit({ 'b/new.txt': '1' }, { summary: 'three' })
    const expected = {
      '.gitattributes': 'initial commit',
      a: 'two',
      'a/x.txt': 'two',
      'a/y.txt': 'one',
      b: 'three',
      'b/new.txt': 'three',
      'b/z.txt': 'one',
      'top.txt': 'one',
    }
    expect(titles(await repo.json<Entry[]>('/tree/main?recursive=true&expand=true'))).toEqual(expected)
    const found: Record<string, string> = {}
    let url: string | undefined = '/tree/main?recursive=true&expand=true&limit=3'
    while (url !== undefined) {
      const response: Response = await repo.call('GET', url)
      Object.assign(found, titles((await response.json()) as Entry[]))
      const link: string | undefined = /<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1]
      url = link === undefined ? undefined : link.slice(hub.url.length)
    }
    expect(found).toEqual(expected)
    await repo.commit({ 'a/y.txt': '2' }, { summary: 'four' })
    expect(titles(await repo.json<Entry[]>('/tree/main/a?expand=True'))).toEqual({
      'a/x.txt': 'two',
      'a/y.txt': 'four',
    })
    const asked = await repo.call('POST', '/paths-info/main', {
      paths: ['a', 'top.txt', 'none'],
      expand: true,
    })
    expect(titles((await asked.json()) as Entry[])).toEqual({ a: 'four', 'top.txt': 'one' })
  })
})
