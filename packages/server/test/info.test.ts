/** Info of a repository: hub-api.md §4.1. */
import { REPO_TYPES } from '@cairn/protocol/repo-id'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson, headOf, lfsFile, sha256, uploadLfs } from './client.ts'
import { refuses } from './refusal.ts'

const CARD = `---
license: mit
language: en
library_name: transformers
pipeline_tag: text-generation
tags: [tiny]
---
# Tiny
`

let hub: TestHub
let first: string
let second: string
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', 'alice/Tiny')
  await uploadLfs(hub, 'alice', 'alice/Tiny', 'weights')
  first = await headOf(hub, 'alice', 'alice/Tiny')
  second = await commit(hub, 'alice', 'alice/Tiny', [
    file('README.md', CARD),
    file('sub/b.txt', 'b'),
    lfsFile('model.bin', 'weights'),
  ])
})
afterAll(() => hub[Symbol.asyncDispose]())

const INFO = '/api/models/alice/Tiny'

test('a model has what clients of all generations require', async () => {
  expect(await getJson(hub, null, INFO)).toMatchObject({
    _id: expect.stringMatching(/^[0-9a-f]{24}$/),
    id: 'alice/Tiny',
    modelId: 'alice/Tiny',
    author: 'alice',
    sha: second,
    private: false,
    disabled: false,
    gated: false,
    downloads: 0,
    likes: 0,
    library_name: 'transformers',
    pipeline_tag: 'text-generation',
    cardData: { license: 'mit', tags: ['tiny'] },
    lastModified: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  })
})

test('tags come from the card', async () => {
  const { tags } = await getJson<{ tags: string[] }>(hub, null, INFO)
  expect(tags).toEqual(expect.arrayContaining(['tiny', 'transformers', 'license:mit', 'en']))
})

test('siblings are the files, with their sizes only when asked for', async () => {
  expect((await getJson(hub, null, INFO))['siblings']).toEqual(
    ['.gitattributes', 'README.md', 'model.bin', 'sub/b.txt'].map((rfilename) => ({ rfilename })),
  )
  const { siblings } = await getJson<{ siblings: { rfilename: string }[] }>(hub, null, `${INFO}?blobs=True`)
  expect(siblings.find(({ rfilename }) => rfilename === 'model.bin')).toEqual({
    rfilename: 'model.bin',
    blobId: expect.stringMatching(/^[0-9a-f]{40}$/),
    size: 7,
    lfs: { sha256: sha256('weights'), size: 7, pointerSize: expect.any(Number) },
  })
  expect(siblings.find(({ rfilename }) => rfilename === 'sub/b.txt')).toEqual({
    rfilename: 'sub/b.txt',
    blobId: '63d8dbd40c23542e740659a7168a0ce3138ea748',
    size: 1,
  })
})

test('a revision has its own files and its own card', async () => {
  const then = await getJson(hub, null, `${INFO}/revision/${first}`)
  expect(then).toMatchObject({ sha: first, siblings: [{ rfilename: '.gitattributes' }] })
  expect(then).not.toHaveProperty('cardData')
  expect(await getJson(hub, null, `${INFO}/revision/${second.slice(0, 8)}`)).toMatchObject({ sha: second })
  expect(await getJson(hub, null, `${INFO}/revision/refs%2Fheads%2Fmain`)).toMatchObject({ sha: second })
  expect(await getJson(hub, null, `${INFO}/revision/refs/heads/main`)).toMatchObject({ sha: second })
})

test('expand gives what is asked for and nothing else, in each of its spellings', async () => {
  for (const query of ['expand=sha&expand=author', 'expand[]=sha&expand[]=author'])
    expect(Object.keys(await getJson(hub, null, `${INFO}?${query}`)).toSorted()).toEqual([
      '_id',
      'author',
      'id',
      'modelId',
      'sha',
    ])
  expect(await getJson(hub, null, `${INFO}?expand=xetEnabled`)).toMatchObject({ xetEnabled: true })
})

test('a name is found in whatever case and keeps its own', async () => {
  expect(await getJson(hub, null, '/api/models/ALICE/tiny')).toMatchObject({ id: 'alice/Tiny' })
})

test('a broken card does not hide the repository', async () => {
  await createRepo(hub, 'alice', 'alice/broken')
  await commit(hub, 'alice', 'alice/broken', [file('README.md', '---\n[\n---\n')])
  const info = await getJson(hub, null, '/api/models/alice/broken')
  expect(info).not.toHaveProperty('cardData')
})

test.each(REPO_TYPES)('a %s is not found under another type', async (type) => {
  await createRepo(hub, 'alice', `alice/only-${type}`, { type, sdk: 'static' })
  for (const asked of REPO_TYPES) {
    const { status } = await hub.fetch('alice', `/api/${asked}s/alice/only-${type}`)
    expect(status).toBe(asked === type ? 200 : 404)
  }
})

describe('refusals', () => {
  refuses(() => hub, {
    'an unknown revision': { path: `${INFO}/revision/none`, refusal: 'RevisionNotFound' },
    'an id of no commit': { path: `${INFO}/revision/${'0'.repeat(40)}`, refusal: 'RevisionNotFound' },
    'an id of a blob': {
      path: `${INFO}/revision/63d8dbd40c23542e740659a7168a0ce3138ea748`,
      refusal: 'RevisionNotFound',
    },
    'a revision that looks like an option': {
      path: `${INFO}/revision/--output=x`,
      refusal: 'RevisionNotFound',
    },
    'a revision with NUL': { path: `${INFO}/revision/a%00b`, refusal: 'RevisionNotFound' },
    'a revision with revision syntax': { path: `${INFO}/revision/main~1`, refusal: 'RevisionNotFound' },
    'an unknown property to expand': { path: `${INFO}?expand=everything`, refusal: 'BadRequest' },
    "another type's property": { path: `${INFO}?expand=runtime`, refusal: 'BadRequest' },
    'expand together with blobs': { path: `${INFO}?expand=sha&blobs=true`, refusal: 'BadRequest' },
    'blobs that is no boolean': { path: `${INFO}?blobs=maybe`, refusal: 'BadRequest' },
    'more properties than a list may have': {
      path: `${INFO}?${'expand=sha&'.repeat(1001)}`,
      refusal: 'TooLarge',
    },
    'a security status that is not known': { path: `${INFO}?securityStatus=1`, refusal: 'NotImplemented' },
  })
})
