/** Listings: hub-api.md §5, §5.1. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectRefusal, post, refuses } from './refusal.ts'

const ID = 'alice/tiny'
const TREE = `/api/models/${ID}/tree`
const PATHS = `/api/models/${ID}/paths-info/main`
const ODD = 'odd/a b#c%d?é+[^|].txt'

interface Entry {
  type: string
  path: string
  size: number
  oid: string
  lfs?: object
  lastCommit?: object
}

let hub: TestHub
let head: string
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', ID)
  await uploadLfs(hub, 'alice', ID, 'weights')
  await commit(hub, 'alice', ID, [file('b/c/deep.txt', 'deep'), file('a.txt', 'a'), file(ODD, 'odd')])
  head = await commit(hub, 'alice', ID, [lfsFile('model.bin', 'weights')], { summary: 'add weights' })
})
afterAll(() => hub[Symbol.asyncDispose]())

async function paths(path: string): Promise<string[]> {
  return (await getJson<Entry[]>(hub, null, path)).map((entry) => entry.path)
}

/** Follows `Link` to the end, as clients do. */
async function pages(path: string): Promise<string[][]> {
  const found: string[][] = []
  for (let next: string | null = hub.url + path; next !== null;) {
    const answer: Response = await fetch(next)
    expect(answer.status).toBe(200)
    found.push(((await answer.json()) as Entry[]).map((entry) => entry.path))
    next = /^<(http[^>]+)>; rel="next"$/.exec(answer.headers.get('Link') ?? '')?.[1] ?? null
    expect(found.length).toBeLessThan(20)
  }
  return found
}

describe('tree', () => {
  test('lists one folder, or everything below it', async () => {
    expect(await paths(`${TREE}/main`)).toEqual(['.gitattributes', 'a.txt', 'b', 'model.bin', 'odd'])
    expect(await paths(`${TREE}/main/b`)).toEqual(['b/c'])
    for (const yes of ['true', 'True', '1'])
      expect(await paths(`${TREE}/main/b?recursive=${yes}`)).toEqual(['b/c', 'b/c/deep.txt'])
    expect(await paths(`${TREE}/main?recursive=false`)).toHaveLength(5)
  })

  test('tells files, LFS files and folders apart', async () => {
    const entries = await getJson<Entry[]>(hub, null, `${TREE}/main`)
    expect(entries.find(({ path }) => path === 'a.txt')).toEqual({
      type: 'file',
      oid: '2e65efe2a145dda7ee51d1741299f848e5bf752e',
      size: 1,
      path: 'a.txt',
    })
    expect(entries.find(({ path }) => path === 'b')).toMatchObject({ type: 'directory', size: 0 })
    expect(entries.find(({ path }) => path === 'model.bin')).toMatchObject({
      type: 'file',
      size: 7,
      lfs: { oid: sha256('weights'), size: 7, pointerSize: expect.any(Number) },
    })
  })

  test('is compact JSON, for those who look for its words', async () => {
    const text = await (await hub.fetch(null, `${TREE}/main`)).text()
    expect(text).toContain('"type":"file"')
    expect(text).toContain('"path":"a.txt"')
  })

  test('takes the folder encoded as one segment or with plain slashes', async () => {
    expect(await paths(`${TREE}/main/b%2Fc`)).toEqual(['b/c/deep.txt'])
    expect(await paths(`${TREE}/refs%2Fheads%2Fmain/b/c`)).toEqual(['b/c/deep.txt'])
    expect(await paths(`${TREE}/refs/heads/main/b/c`)).toEqual(['b/c/deep.txt'])
  })

  test('with expand knows the last commit of each entry', async () => {
    const entries = await getJson<Entry[]>(hub, null, `${TREE}/main?expand=true`)
    expect(entries.find(({ path }) => path === 'model.bin')?.lastCommit).toEqual({
      id: head,
      title: 'add weights',
      date: expect.stringMatching(/Z$/),
    })
    expect(entries.every(({ lastCommit }) => lastCommit !== undefined)).toBe(true)
  })

  test('gives every entry once, over absolute links, whatever the size of a page', async () => {
    const all = await paths(`${TREE}/main?recursive=true`)
    for (const limit of [1, 2, 3, 999_999_999]) {
      const found = await pages(`${TREE}/main?recursive=true&limit=${limit}`)
      expect(found.flat()).toEqual(all)
      expect(found.every((page) => page.length <= limit)).toBe(true)
    }
  })

  test('a cursor stays on its commit while the branch moves on', async () => {
    await createRepo(hub, 'alice', 'alice/moving')
    await commit(hub, 'alice', 'alice/moving', [file('a', ''), file('b', '')])
    const base = '/api/models/alice/moving/tree/main?limit=2'
    const cursor = new URL(
      /<([^>]+)>/.exec((await hub.fetch(null, base)).headers.get('Link') ?? '')?.[1] ?? '',
    ).searchParams.get('cursor')
    await commit(hub, 'alice', 'alice/moving', [file('aa', '')])
    const answer = await hub.fetch(null, `${base}&cursor=${cursor}`)
    // Either the listing goes on where it was, or it says that it cannot; it never mixes two commits.
    if (answer.status === 200) expect(await answer.json()).toMatchObject([{ path: 'b' }])
    else await expectRefusal(answer, 'BadRequest')
  })

  refuses(() => hub, {
    'an unknown revision': { path: `${TREE}/none`, refusal: 'RevisionNotFound' },
    'an unknown folder': { path: `${TREE}/main/none`, refusal: 'EntryNotFound' },
    "a file's path": { path: `${TREE}/main/a.txt`, refusal: 'EntryNotFound' },
    'a path below a file': { path: `${TREE}/main/a.txt/x`, refusal: 'EntryNotFound' },
    'a folder above the root': { path: `${TREE}/main/b%2F..%2F..`, refusal: 'EntryNotFound' },
    'a limit of 0': { path: `${TREE}/main?limit=0`, refusal: 'BadRequest' },
    'a limit of -1': { path: `${TREE}/main?limit=-1`, refusal: 'BadRequest' },
    'a limit that is text': { path: `${TREE}/main?limit=ten`, refusal: 'BadRequest' },
    'a limit with a fraction': { path: `${TREE}/main?limit=1.5`, refusal: 'BadRequest' },
    'a limit beyond all numbers': { path: `${TREE}/main?limit=${'9'.repeat(40)}`, refusal: 'BadRequest' },
    'a forged cursor': { path: `${TREE}/main?cursor=eyJsIjoieCJ9.AAAA`, refusal: 'BadRequest' },
    'an empty cursor': { path: `${TREE}/main?cursor=`, refusal: 'BadRequest' },
    'the cursor of another listing': async () => {
      const link = (await hub.fetch(null, `${TREE}/main?limit=1`)).headers.get('Link') ?? ''
      const cursor = /cursor=([^&>]+)/.exec(link)?.[1]
      return { path: `${TREE}/main?recursive=true&cursor=${cursor}`, refusal: 'BadRequest' }
    },
    'recursive that is no boolean': { path: `${TREE}/main?recursive=deep`, refusal: 'BadRequest' },
  })
})

describe('paths-info', () => {
  const form = (text: string): RequestInit => ({
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: text,
  })

  test('takes a form as Python sends it and JSON as JavaScript does', async () => {
    const asForm = await getJson<Entry[]>(
      hub,
      null,
      PATHS,
      form('paths=a.txt&paths=b&paths=none&expand=False'),
    )
    const asJson = await getJson<Entry[]>(
      hub,
      null,
      PATHS,
      post({ paths: ['a.txt', 'b', 'none'], expand: false }),
    )
    expect(asForm).toEqual(asJson)
    expect(asJson.map(({ type, path }) => [type, path])).toEqual([
      ['file', 'a.txt'],
      ['directory', 'b'],
    ])
  })

  test('finds names with odd characters, and takes one path alone', async () => {
    expect(await getJson<Entry[]>(hub, null, PATHS, post({ paths: ODD }))).toMatchObject([{ path: ODD }])
    const encoded = encodeURIComponent(ODD)
    expect(await getJson<Entry[]>(hub, null, PATHS, form(`paths=${encoded}`))).toMatchObject([{ path: ODD }])
  })

  test('with expand knows the last commit', async () => {
    const [entry] = await getJson<Entry[]>(hub, null, PATHS, form('paths=model.bin&expand=True'))
    expect(entry?.lastCommit).toMatchObject({ id: head })
  })

  refuses(() => hub, {
    'an unknown revision': {
      path: `/api/models/${ID}/paths-info/none`,
      init: post({ paths: ['a.txt'] }),
      refusal: 'RevisionNotFound',
    },
    'more than a thousand paths': {
      path: PATHS,
      init: post({ paths: Array.from({ length: 1001 }, (_, i) => `p${i}`) }),
      refusal: 'TooLarge',
    },
    'no paths': { path: PATHS, init: post({}), refusal: 'BadRequest' },
    'paths of another type': { path: PATHS, init: post({ paths: [1] }), refusal: 'BadRequest' },
    'broken JSON': { path: PATHS, init: { method: 'POST', body: '{"paths":[' }, refusal: 'BadRequest' },
    'expand that is no boolean': {
      path: PATHS,
      init: post({ paths: ['a.txt'], expand: 'maybe' }),
      refusal: 'BadRequest',
    },
    'a body beyond its limit': {
      path: PATHS,
      init: { method: 'POST', body: 'x'.repeat(5 * 1024 * 1024) },
      refusal: 'TooLarge',
    },
  })

  test('a path out of the repository is simply not there', async () => {
    for (const path of ['../x', '/etc/passwd', 'b/../a.txt', '.git/config', 'b\\c'])
      expect(await getJson<Entry[]>(hub, null, PATHS, post({ paths: [path] }))).toEqual([])
  })
})
