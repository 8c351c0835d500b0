/** Contract of counts, facts, lists and searches. */
import { expect, test } from 'vitest'

import type { Catalog, IndexEntry, RepoFilter, RepoSort } from '../catalog.ts'
import { repo, user, withTwoOwners, xetFile, xorb } from './fixtures.ts'
import type { MakeCatalog } from './fixtures.ts'

const WEEK = 7 * 24 * 3600_000

function entry(repoId: string, more: Partial<IndexEntry> = {}): IndexEntry {
  return {
    repoId,
    commitOid: 'c1',
    pipelineTag: null,
    numParameters: null,
    text: '',
    tags: [],
    links: [],
    facts: '{}',
    files: '[]',
    ...more,
  }
}

function models(more: Partial<RepoFilter> = {}): RepoFilter {
  return {
    registryId: 'default',
    type: 'model',
    visibility: { ownerIds: [] },
    words: [],
    namespace: null,
    tags: [],
    anyTags: [],
    pipelineTag: null,
    parameters: null,
    links: [],
    linked: false,
    ...more,
  }
}

async function idsOf(
  catalog: Catalog,
  filter: RepoFilter,
  {
    sort = 'likes',
    descending = true,
    size = 100,
  }: { sort?: RepoSort; descending?: boolean; size?: number } = {},
): Promise<string[]> {
  const ids: string[] = []
  for (let after: string | null = null, pages = 0; pages < 100; pages += 1) {
    const { repos, next } = await catalog.rows.listing.page(
      filter,
      { sort, descending, after, limit: size },
      1,
    )
    expect(repos.length).toBeLessThanOrEqual(size)
    ids.push(...repos.map(({ repo: { id } }) => id))
    if (next === null) return ids
    expect(repos).toHaveLength(size)
    after = next
  }
  throw new Error('The list has no end')
}

/** Twelve models of Ann's, `m00` first and oldest, and one of each other kind that must not show among them. */
async function withModels(make: MakeCatalog): Promise<Catalog> {
  const catalog = await make()
  await catalog.tx(async (rows) => {
    for (const id of ['ann', 'bob']) await rows.accounts.insert(user(id))
    await rows.registries.insert({ id: 'other', orgId: 'bob', slug: 'other', createdAt: 1 })
    for (let index = 0; index < 12; index += 1) {
      const id = `m${String(index).padStart(2, '0')}`
      const times = { createdAt: 100 + index, lastModified: 200 + (index % 4) }
      await rows.repos.insert(repo(id, 'ann', { namespace: 'Ann', ...times }))
      await rows.index.addCounts(id, { likes: index % 3, downloads: 12 - index }, WEEK)
    }
    await rows.repos.insert(repo('set', 'ann', { type: 'dataset' }))
    await rows.repos.insert(repo('elsewhere', 'ann', { registryId: 'other' }))
    await rows.repos.insert(repo('gone', 'ann'))
    await rows.repos.markDeleted('gone', 5)
    await rows.repos.insert(repo('secret', 'bob', { private: true }))
  })
  return catalog
}

const MODELS = Array.from({ length: 12 }, (_, index) => `m${String(index).padStart(2, '0')}`)

export function listingContract(make: MakeCatalog): void {
  test.each<[RepoSort, (index: number) => number]>([
    ['createdAt', (index) => index],
    ['lastModified', (index) => index % 4],
    ['likes', (index) => index % 3],
    ['downloads', (index) => -index],
  ])('a list by %s is the same in pages of any size, and turned round the other way', async (sort, value) => {
    await using catalog = await withModels(make)
    const expected = MODELS.map((id, index) => ({ id, value: value(index) }))
      .toSorted((a, b) => b.value - a.value || (a.id < b.id ? 1 : -1))
      .map(({ id }) => id)
    for (const size of [1, 5, 12, 100])
      expect(await idsOf(catalog, models(), { sort, size })).toEqual(expected)
    expect(await idsOf(catalog, models(), { sort, size: 5, descending: false })).toEqual(
      expected.toReversed(),
    )
  })

  test('private repositories are listed for whom they are visible to, deleted ones for nobody', async () => {
    await using catalog = await withModels(make)
    const seen = async (visibility: RepoFilter['visibility']) =>
      (await idsOf(catalog, models({ visibility }))).filter((id) => !MODELS.includes(id))
    expect(await seen({ ownerIds: [] })).toEqual([])
    expect(await seen({ ownerIds: ['ann'] })).toEqual([])
    expect(await seen({ ownerIds: ['ann', 'bob'] })).toEqual(['secret'])
    expect(await seen('all')).toEqual(['secret'])
    expect(await catalog.rows.listing.count(models(), 5)).toBe(5)
    expect(await catalog.rows.listing.count(models(), 100)).toBe(12)
  })

  test('a row carries head, facts and counts', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.refs.swap('tiny', 'refs/heads/main', null, 'c2', 1)
      await rows.index.put(entry('tiny', { facts: '{"a":1}', files: null }))
      await rows.index.addCounts('tiny', { likes: 2, downloads: 3, downloadsAllTime: 4 }, 5)
      await rows.index.addCounts('tiny', { likes: -1 }, 5)
      await rows.index.addCounts('nobody', { likes: 1 }, 5)
      await rows.index.put(entry('nobody'))
    })
    const { repos } = await catalog.rows.listing.page(
      models(),
      { sort: 'likes', descending: true, after: null, limit: 9 },
      5,
    )
    const none = { likes: 0, downloads: 0, downloadsAllTime: 0, trendingScore: 0 }
    expect(repos).toEqual([
      {
        repo: await catalog.rows.repos.get('tiny'),
        head: 'c2',
        facts: { commitOid: 'c1', facts: '{"a":1}', files: null },
        counts: { likes: 1, downloads: 3, downloadsAllTime: 4, trendingScore: 13 },
      },
      { repo: await catalog.rows.repos.get('huge'), head: null, facts: null, counts: none },
    ])
    expect(await catalog.rows.index.counts('huge', 5)).toEqual(none)
    expect(await catalog.rows.index.facts('tiny')).toEqual({ commitOid: 'c1', facts: '{"a":1}', files: null })
    expect(await catalog.rows.index.facts('huge')).toBeNull()
  })

  test('what trends fades: half of a score is left after a week, and newer events win', async () => {
    await using catalog = await withTwoOwners(make)
    const at = 2900 * WEEK
    const count = (id: string, likes: number, when: number) =>
      catalog.tx((rows) => rows.index.addCounts(id, { likes }, when))
    await count('tiny', 4, at)
    expect(await catalog.rows.index.counts('tiny', at)).toMatchObject({ trendingScore: 40 })
    expect(await catalog.rows.index.counts('tiny', at + WEEK)).toMatchObject({ trendingScore: 20 })
    await count('huge', 3, at + WEEK)
    expect(await idsOf(catalog, models(), { sort: 'trendingScore' })).toEqual(['huge', 'tiny'])
    await count('huge', -3, at + WEEK)
    expect(await idsOf(catalog, models(), { sort: 'trendingScore' })).toEqual(['tiny', 'huge'])
  })

  test('filters hold together, without regard to case', async () => {
    await using catalog = await withModels(make)
    await catalog.tx(async (rows) => {
      await rows.index.put(
        entry('m01', { tags: ['PyTorch', 'license:mit'], pipelineTag: 'x', numParameters: 7e9 }),
      )
      await rows.index.put(entry('m02', { tags: ['pytorch', 'gguf'], numParameters: 5 }))
      await rows.index.put(entry('m03', { links: [{ kind: 'base_model', target: 'Ann/M01' }] }))
      await rows.index.put(entry('m04', { links: [{ kind: 'dataset', target: 'ann/set' }] }))
    })
    const all = (more: Partial<RepoFilter>) =>
      idsOf(catalog, models(more), { sort: 'createdAt', descending: false })
    expect(await all({ tags: ['pytorch'] })).toEqual(['m01', 'm02'])
    expect(await all({ tags: ['PYTORCH', 'License:MIT'] })).toEqual(['m01'])
    expect(await all({ tags: ['py'] })).toEqual([])
    expect(await all({ anyTags: [['gguf', 'license:mit']] })).toEqual(['m01', 'm02'])
    expect(await all({ anyTags: [['gguf'], []] })).toEqual([])
    expect(await all({ pipelineTag: 'x' })).toEqual(['m01'])
    expect(await all({ parameters: { min: 5, max: 6 } })).toEqual(['m02'])
    expect(await all({ parameters: { min: 6, max: null } })).toEqual(['m01'])
    expect(await all({ parameters: { min: null, max: 4 } })).toEqual([])
    expect(await all({ namespace: 'aNN' })).toEqual(MODELS)
    expect(await all({ namespace: 'an' })).toEqual([])
    expect(await all({ links: [{ kind: 'base_model', target: 'ANN/m01' }] })).toEqual(['m03'])
    expect(await all({ linked: true })).toEqual(['m04'])
    await catalog.tx((rows) => rows.index.put(entry('m05', { tags: ['a\0b', '\ud83e'], pipelineTag: '\0' })))
    expect(await all({ tags: ['A\0B', '\ud83e'], pipelineTag: '\0' })).toEqual(['m05'])
    expect(await all({ namespace: '\0' })).toEqual([])
    await catalog.tx((rows) => rows.index.put(entry('m01')))
    expect(await all({ tags: ['pytorch'] })).toEqual(['m02'])
  })

  const words = [
    'm0',
    'm01',
    'ann/m',
    '/',
    'n',
    'ann',
    'crème',
    'brûlée',
    '名前',
    '名',
    '🦉',
    '🦉🦉🦉',
    'owl 🦉',
    '%',
    '_',
    '\\',
    "'",
    '"',
    '""',
    '*',
    'm01*',
    'a and b',
    'near(a b)',
    '-x',
    ':',
    '(',
    'search_text:m01',
    'or',
    'not',
    'and b',
    "'; drop table repos; --",
    'x\ny',
    '100%',
    'a_c',
    'abc',
    'ABC'.toLowerCase(),
    'no such',
  ]

  test('a search finds each part of name and text and nothing else, whatever it looks like', async () => {
    await using catalog = await withModels(make)
    const texts = [
      'Crème Brûlée',
      '名前は🦉🦉🦉',
      '100% a_c \\ "quoted" \'single\'',
      'a AND b OR c NOT d',
      'NEAR(a b) search_text:m01 (x) -x *',
      'abc',
      '',
    ]
    await catalog.tx(async (rows) => {
      for (const [index, text] of texts.entries()) await rows.index.put(entry(`m0${index}`, { text }))
    })
    const full = MODELS.map((id, index) => ({ id, text: `ann/${id}\n${(texts[index] ?? '').toLowerCase()}` }))
    for (const word of words) {
      const expected = full.filter(({ text }) => text.includes(word)).map(({ id }) => id)
      const found = await idsOf(catalog, models({ words: [word] }), { sort: 'createdAt', descending: false })
      expect(found, word).toEqual(expected)
    }
    const both = await idsOf(catalog, models({ words: ['crème', 'm00', 'é'] }))
    expect(both).toEqual(['m00'])
    expect(await idsOf(catalog, models({ words: ['crème', 'm01'] }))).toEqual([])
  })

  test('a search follows what is put and purged', async () => {
    await using catalog = await withModels(make)
    await catalog.tx((rows) => rows.index.put(entry('m00', { text: 'first words' })))
    expect(await idsOf(catalog, models({ words: ['first words'] }))).toEqual(['m00'])
    await catalog.tx((rows) => rows.index.put(entry('m00', { text: 'other' })))
    expect(await idsOf(catalog, models({ words: ['first'] }))).toEqual([])
    expect(await idsOf(catalog, models({ words: ['other'] }))).toEqual(['m00'])
    await catalog.tx((rows) => rows.repos.purge('m00'))
    expect(await idsOf(catalog, models({ words: ['other'] }))).toEqual([])
    await catalog.tx((rows) => rows.repos.insert(repo('m00', 'ann')))
    expect(await idsOf(catalog, models({ words: ['m00'] }))).toEqual(['m00'])
  })

  test('a word that most have is found in all of them', async () => {
    await using catalog = await make()
    const ids = Array.from({ length: 6000 }, (_, index) => `r${String(index).padStart(4, '0')}`)
    await catalog.tx((rows) => rows.accounts.insert(user('ann')))
    for (let start = 0; start < ids.length; start += 1000)
      await catalog.tx(async (rows) => {
        for (const id of ids.slice(start, start + 1000)) await rows.repos.insert(repo(id, 'ann'))
      })
    expect((await idsOf(catalog, models({ words: ['ann/r'] }), { size: 1000 })).length).toBe(6000)
    expect((await idsOf(catalog, models({ words: ['ann/r', '77'] }), { size: 1000 })).toSorted()).toEqual(
      ids.filter((id) => id.includes('77')),
    )
  }, 30_000)

  test('tags are counted over what is visible, and links lead back', async () => {
    await using catalog = await withModels(make)
    await catalog.tx(async (rows) => {
      await rows.index.put(
        entry('m00', { tags: ['A', 'b'], links: [{ kind: 'base_model', target: 'x/Base' }] }),
      )
      await rows.index.put(
        entry('m01', { tags: ['b', 'c'], links: [{ kind: 'base_model', target: 'X/base' }] }),
      )
      await rows.index.put(
        entry('secret', { tags: ['hidden'], links: [{ kind: 'base_model', target: 'x/base' }] }),
      )
    })
    const { listing } = catalog.rows
    expect(await listing.tags('default', 'model', { ownerIds: [] }, 10)).toEqual(['b', 'A', 'c'])
    expect(await listing.tags('default', 'model', 'all', 10)).toContain('hidden')
    expect(await listing.tags('default', 'dataset', 'all', 10)).toEqual([])
    const linking = (limit: number) =>
      listing.linking('default', 'model', { ownerIds: [] }, 'base_model', ['x/BASE', 'x/none'], limit)
    expect(await linking(10)).toEqual(new Map([['x/BASE', { count: 2, ids: ['Ann/m00', 'Ann/m01'] }]]))
    expect(await linking(1)).toEqual(new Map([['x/BASE', { count: 2, ids: ['Ann/m00'] }]]))
  })

  test('content that came as LFS and as Xet is stored once', async () => {
    await using catalog = await withTwoOwners(make)
    await catalog.tx(async (rows) => {
      await rows.blobs.insertLfs({ domainId: 'ann', oid: 'sha1', sizeBytes: 100, createdAt: 1 })
      await rows.blobs.insertLfs({ domainId: 'ann', oid: 'sha2', sizeBytes: 5, createdAt: 1 })
      for (const oid of ['sha1', 'sha2']) await rows.blobs.linkLfs('tiny', oid, 1)
      await rows.xet.insertXorb(xorb('x1', 'ann'))
      await rows.xet.insertFile('tiny', xetFile('f1', 'ann', { claimedSha256: 'sha1' }), ['x1'])
      await rows.xet.insertFile('tiny', xetFile('f2', 'ann', { sizeBytes: 30 }), ['x1'])
    })
    expect(await catalog.rows.index.storedBytes(['tiny', 'huge'])).toEqual(new Map([['tiny', 135]]))
    expect(await catalog.rows.index.storedBytes([])).toEqual(new Map())
  })
}
