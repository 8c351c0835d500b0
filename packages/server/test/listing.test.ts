/** Lists, searches and what pages ask for besides: hub-api.md §4.2. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson } from './client.ts'
import { expectRefusal, post } from './refusal.ts'

interface Item {
  id: string
  [field: string]: unknown
}

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', 'alice/Tiny-Bert')
  await commit(hub, 'alice', 'alice/Tiny-Bert', [
    file(
      'README.md',
      '---\nlicense: mit\npipeline_tag: fill-mask\nlibrary_name: transformers\nlanguage: en\n---\n# Tiny\nAn Ornithopter model.\n',
    ),
    file('config.json', '{"architectures":["BertForMaskedLM"],"model_type":"bert"}'),
    file('tokenizer_config.json', '{"mask_token":"[MASK]"}'),
    file('model.safetensors', safetensors({ a: [2, 3], b: [4] })),
  ])
  await createRepo(hub, 'alice', 'acme/tuned', { private: true })
  await commit(hub, 'alice', 'acme/tuned', [file('README.md', '---\nbase_model: Alice/tiny-bert\n---\n')])
  await createRepo(hub, 'bob', 'bob/other')
  await commit(hub, 'bob', 'bob/other', [file('README.md', '---\nbase_model: alice/Tiny-Bert\n---\n')])
  await createRepo(hub, 'bob', 'bob/words', { type: 'dataset' })
  await createRepo(hub, 'bob', 'bob/demo', {
    type: 'space',
    sdk: 'static',
    files: [
      {
        path: 'README.md',
        encoding: 'base64',
        content: base64('---\nsdk: static\nmodels: [alice/tiny-bert]\n---\n'),
      },
    ],
  })
})
afterAll(() => hub[Symbol.asyncDispose]())

function base64(text: string): string {
  return Buffer.from(text).toString('base64')
}

function safetensors(tensors: Record<string, number[]>): string {
  const entries = Object.entries(tensors).map(([name, shape]) => [
    name,
    { dtype: 'F32', shape, data_offsets: [0, 0] },
  ])
  const json = JSON.stringify(Object.fromEntries(entries))
  const prefix = Buffer.alloc(8)
  prefix.writeBigUInt64LE(BigInt(json.length))
  return prefix.toString('latin1') + json
}

const list = (account: Parameters<TestHub['fetch']>[0], path: string) => getJson<Item[]>(hub, account, path)
const ids = async (account: Parameters<TestHub['fetch']>[0], path: string) =>
  (await list(account, path)).map(({ id }) => id).toSorted()

describe('who sees what', () => {
  test('private repositories are listed for those who may read them, under any filter', async () => {
    const open = ['alice/Tiny-Bert', 'bob/other']
    expect(await ids(null, '/api/models')).toEqual(open)
    expect(await ids('bob', '/api/models')).toEqual(open)
    for (const account of ['alice', 'reader', 'root'] as const)
      expect(await ids(account, '/api/models')).toEqual(['acme/tuned', ...open])
    expect(await ids('bob', '/api/models?author=acme')).toEqual([])
    expect(await ids('bob', '/api/models?search=tuned')).toEqual([])
    expect(await ids('alice', '/api/models?search=tuned')).toEqual(['acme/tuned'])
    expect(await ids('bob', '/api/models?filter=base_model:Alice/tiny-bert')).toEqual(['bob/other'])
  })

  test('a page is full although private repositories lie between', async () => {
    const answer = await hub.fetch(null, '/api/models?limit=1&sort=createdAt')
    expect(((await answer.json()) as Item[]).map(({ id }) => id)).toEqual(['bob/other'])
    const link = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
    expect(link.startsWith(`${hub.url}/api/models?`)).toBe(true)
    const next = await fetch(link)
    expect(((await next.json()) as Item[]).map(({ id }) => id)).toEqual(['alice/Tiny-Bert'])
    expect(next.headers.get('link')).toBeNull()
  })
})

describe('filters', () => {
  test.each([
    ['filter=fill-mask', 1],
    ['filter=fill-mask&filter=license:mit', 1],
    ['filter=fill-mask,en', 1],
    ['filter=license:apache-2.0', 0],
    ['author=ALICE', 1],
    ['search=tiny', 1],
    ['search=ORNITHOPTER', 1],
    ['search=alice/Tiny', 1],
    ['search=tiny&search=nothing', 0],
    ['pipeline_tag=fill-mask', 1],
    ['pipeline_tag=text-generation', 0],
    ['num_parameters=min:10,max:10', 1],
    ['num_parameters=min:1K', 0],
    ['gated=false', 2],
    ['gated=True', 0],
    ['inference=warm', 0],
    ['inference_provider=all', 0],
    ['apps=vllm', 1],
    ['apps=llama.cpp', 0],
    ['apps=__proto__', 0],
  ])('%s finds %d', async (query, count) => {
    expect(await ids(null, `/api/models?${query}`)).toHaveLength(count)
  })

  test('spaces are found by what they use', async () => {
    for (const query of ['models=Alice/Tiny-bert', 'linked=true', 'filter=static', ''])
      expect(await ids(null, `/api/spaces?${query}`)).toEqual(['bob/demo'])
    expect(await ids(null, '/api/spaces?datasets=bob/words')).toEqual([])
    expect(await ids(null, '/api/datasets')).toEqual(['bob/words'])
  })

  test.each([
    "' or 1=1 --",
    '" OR "',
    '*',
    '%',
    '_',
    'tiny*',
    'NEAR(a,b)',
    'search_text:tiny',
    '-tiny',
    '(',
    '\0',
  ])('syntax is only text: %j', async (text) => {
    expect(await ids(null, `/api/models?search=${encodeURIComponent(text)}`)).toEqual(
      text === '\0' ? ['alice/Tiny-Bert', 'bob/other'] : [],
    )
    expect(await ids(null, `/api/models?filter=${encodeURIComponent(text)}`)).toEqual([])
    expect(await ids(null, `/api/models?author=${encodeURIComponent(text)}`)).toEqual([])
  })

  test.each([
    'sort=stars',
    'expand=password',
    'limit=-1',
    'limit=0',
    'limit=many',
    'cursor=forged',
    'direction=up',
    'num_parameters=big',
    `search=${'x'.repeat(300)}`,
    `search=${Array.from({ length: 20 }, (_, index) => `w${index}`).join('+')}`,
  ])('%s is refused', async (query) => {
    await expectRefusal(await hub.fetch(null, `/api/models?${query}`), 'BadRequest')
  })

  test('a limit beyond measure is as good as the largest', async () => {
    expect(await ids(null, '/api/models?limit=999999999')).toHaveLength(2)
  })

  test('a cursor fits only its own question', async () => {
    const answer = await hub.fetch(null, '/api/models?limit=1')
    const cursor = new URL(/<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? '').searchParams.get(
      'cursor',
    )
    const again = (query: string) =>
      hub.fetch(null, `/api/models?${query}&cursor=${encodeURIComponent(cursor ?? '')}`)
    expect((await again('limit=2')).status).toBe(200)
    await expectRefusal(await again('limit=1&sort=likes'), 'BadRequest')
    await expectRefusal(await again('limit=1&author=bob'), 'BadRequest')
  })
})

describe('what an item says', () => {
  test('by default what old clients require, and no files', async () => {
    const [item] = await list(null, '/api/models?search=tiny-bert')
    expect(item).toMatchObject({
      id: 'alice/Tiny-Bert',
      modelId: 'alice/Tiny-Bert',
      private: false,
      downloads: 0,
      likes: 0,
      library_name: 'transformers',
      pipeline_tag: 'fill-mask',
      tags: expect.arrayContaining(['license:mit', 'en', 'safetensors']),
    })
    expect(item).not.toHaveProperty('siblings')
    expect(item).not.toHaveProperty('cardData')
  })

  test('full, cardData and config add; expand leaves nothing else', async () => {
    const [item] = await list(null, '/api/models?search=tiny-bert&full=True&cardData=true&config=1')
    expect(item).toMatchObject({
      sha: expect.stringMatching(/^[0-9a-f]{40}$/),
      author: 'alice',
      cardData: { license: 'mit' },
      config: { model_type: 'bert', tokenizer_config: { mask_token: '[MASK]' } },
    })
    expect(item?.['siblings']).toContainEqual({ rfilename: 'config.json' })
    const [bare] = await list(null, '/api/models?search=tiny-bert&expand=likes&expand[]=sha')
    expect(Object.keys(bare ?? {}).toSorted()).toEqual(['_id', 'id', 'likes', 'modelId', 'sha'])
  })

  test('info and lists say the same of a repository', async () => {
    const fields = [
      'author',
      'baseModels',
      'cardData',
      'childrenModelCount',
      'config',
      'createdAt',
      'downloads',
      'gated',
      'likes',
      'lastModified',
      'library_name',
      'mask_token',
      'pipeline_tag',
      'private',
      'safetensors',
      'sha',
      'siblings',
      'spaces',
      'tags',
      'transformersInfo',
      'trendingScore',
      'usedStorage',
      'downloadsAllTime',
      'disabled',
    ]
    const expand = fields.map((field) => `expand=${field}`).join('&')
    for (const account of [null, 'alice'] as const) {
      const [item] = await list(account, `/api/models?search=tiny-bert&${expand}`)
      const info = await getJson(hub, account, `/api/models/ALICE/tiny-BERT?${expand}`)
      expect(item).toEqual(info)
      expect(Object.keys(info).toSorted()).toEqual(['_id', 'id', 'modelId', ...fields].toSorted())
      expect(info).toMatchObject({
        safetensors: { parameters: { F32: 10 }, total: 10 },
        mask_token: '[MASK]',
        transformersInfo: {
          auto_model: 'AutoModelForMaskedLM',
          pipeline_tag: 'fill-mask',
          processor: 'AutoTokenizer',
        },
        spaces: ['bob/demo'],
        childrenModelCount: account === null ? 1 : 2,
        baseModels: [],
      })
    }
  })
})

test('a registry has lists of its own', async () => {
  const prefix = '/acme/models/huggingface'
  await hub.hub.ops.catalog.tx(async (rows) => {
    const acme = await rows.accounts.getByName('acme')
    await rows.registries.insert({ id: 'models', orgId: acme?.id ?? '', slug: 'models', createdAt: 0 })
  })
  await getJson(hub, 'alice', `${prefix}/api/repos/create`, post({ name: 'apart', organization: 'team' }))
  await getJson(hub, 'alice', `${prefix}/api/repos/create`, post({ name: 'second', organization: 'team' }))
  expect(await ids(null, '/api/models?search=apart')).toEqual([])
  expect(await ids(null, `${prefix}/api/models?search=apart`)).toEqual(['team/apart'])
  const answer = await hub.fetch(null, `${prefix}/api/models?limit=1&sort=createdAt`)
  const link = /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
  expect(link.startsWith(`${hub.url}${prefix}/api/models?`)).toBe(true)
  expect(((await (await fetch(link)).json()) as Item[]).map(({ id }) => id)).toEqual(['team/apart'])
  const cursor = new URL(link).searchParams.get('cursor') ?? ''
  await expectRefusal(
    await hub.fetch(null, `/api/models?limit=1&cursor=${encodeURIComponent(cursor)}`),
    'BadRequest',
  )
})

test('what is counted shows, and sorts', async () => {
  const repo = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'bob', 'other')
  const add = (likes: number) =>
    hub.hub.ops.catalog.tx((rows) =>
      rows.index.addCounts(repo?.id ?? '', { likes, downloads: 5 * likes }, Date.now()),
    )
  await add(3)
  for (const sort of ['likes', 'downloads', 'trendingScore']) {
    const found = await list(null, `/api/models?sort=${sort}&limit=1`)
    expect(found).toMatchObject([{ id: 'bob/other', likes: 3, downloads: 15 }])
    const turned = await list(null, `/api/models?sort=${sort}&direction=1&limit=1`)
    expect(turned).toMatchObject([{ id: 'alice/Tiny-Bert' }])
  }
  expect(await getJson(hub, null, '/api/models/bob/other')).toMatchObject({ likes: 3, downloads: 15 })
  await add(-3)
})

test('a list is right as soon as the commit is acknowledged', async () => {
  await createRepo(hub, 'bob', 'bob/fresh')
  for (const tag of ['first', 'second', 'third']) {
    const head = await commit(hub, 'bob', 'bob/fresh', [file('README.md', `---\ntags: [${tag}]\n---\n`)])
    expect(await list(null, `/api/models?filter=${tag}&full=true`)).toMatchObject([
      { id: 'bob/fresh', sha: head },
    ])
    expect((await getJson(hub, null, '/api/models/bob/fresh'))['tags']).toContain(tag)
  }
  expect(await ids(null, '/api/models?filter=first')).toEqual([])
  expect(
    (
      await hub.fetch('bob', '/api/repos/delete', {
        ...post({ name: 'fresh', organization: 'bob' }),
        method: 'DELETE',
      })
    ).status,
  ).toBe(200)
  expect(await ids(null, '/api/models?filter=third')).toEqual([])
})

test('a revision keeps its own facts', async () => {
  await createRepo(hub, 'bob', 'bob/grows')
  const weights = (shape: number[]) => file('model.safetensors', safetensors({ a: shape }))
  const small = await commit(hub, 'bob', 'bob/grows', [weights([2])])
  await commit(hub, 'bob', 'bob/grows', [weights([7])])
  const totalAt = async (path: string) =>
    (await getJson<{ safetensors: { total: number } }>(hub, null, `/api/models/bob/grows${path}`)).safetensors
      .total
  expect(await totalAt('')).toBe(7)
  expect(await totalAt(`/revision/${small}`)).toBe(2)
  await commit(hub, 'bob', 'bob/grows', [file('model.safetensors', 'no weights at all')])
  expect(await getJson(hub, null, '/api/models/bob/grows')).not.toHaveProperty('safetensors')
})

describe('besides lists', () => {
  test('tags by type, of what is visible', async () => {
    const tags = await getJson<Record<string, Item[]>>(hub, null, '/api/models-tags-by-type')
    expect(tags['pipeline_tag']).toEqual([{ id: 'fill-mask', label: 'fill-mask', type: 'pipeline_tag' }])
    expect(tags['license']).toEqual([{ id: 'license:mit', label: 'mit', type: 'license' }])
    expect(await getJson(hub, null, '/api/datasets-tags-by-type')).toEqual({})
  })

  test('a quick search looks at all types and counts', async () => {
    expect(await getJson(hub, null, '/api/quicksearch?q=bob')).toMatchObject({
      datasets: [{ id: 'bob/words' }],
      datasetsCount: 1,
      spacesCount: 1,
    })
    expect(await getJson(hub, null, '/api/quicksearch?q=tuned&type=model')).toEqual({
      q: 'tuned',
      models: [],
      modelsCount: 0,
    })
    expect(await getJson(hub, 'alice', '/api/quicksearch?q=tuned&type=models')).toMatchObject({
      modelsCount: 1,
    })
    await expectRefusal(await hub.fetch(null, '/api/quicksearch?q=x&type=user'), 'BadRequest')
  })

  test('trends, tasks and metrics', async () => {
    const { recentlyTrending } = await getJson<{ recentlyTrending: Item[] }>(
      hub,
      null,
      '/api/trending?limit=3',
    )
    expect(recentlyTrending).toHaveLength(3)
    expect(await getJson(hub, null, '/api/tasks')).toMatchObject({ 'fill-mask': { widgetModels: [] } })
    expect(await getJson(hub, null, '/api/metrics')).toEqual([])
  })
})

test('ids without a namespace are repositories that are not there', async () => {
  for (const path of [
    '/api/models/gpt2',
    '/api/datasets/squad/revision/main',
    '/gpt2/resolve/main/config.json',
    '/datasets/squad/resolve/main/a/b',
  ]) {
    await expectRefusal(await hub.fetch(null, path), { code: 'RepoNotFound', status: 401 })
    await expectRefusal(await hub.fetch('alice', path), 'RepoNotFound')
  }
})
