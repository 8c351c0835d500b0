/**
 * A list and a search among 100,000 repositories beside the same among 1,000, through HTTP, in one run: the first page by
 * likes, and a term that one in a hundred has, by likes; others to know about. With CAIRN_TEST_DATABASE=postgres on PostgreSQL.
 */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { offerPostgres } from '@cairn/testkit/test-postgres'

import { benchmark, inTurns } from './harness/benchmark.ts'

const SMALL = 1_000
const LARGE = 100_000
/** They take a millisecond each. */
const ROUNDS = 101
const WARM_ROUNDS = 20
const RATIO_MAX = 3
/** A transaction holds at most 2,000 rows; each repository makes eight. */
const REPOS_PER_TRANSACTION = 200

const questions = [
  { name: 'first page by likes', path: '/api/models?sort=likes&limit=10', judged: true },
  {
    name: 'search of 1 % by likes',
    path: '/api/models?search=ornithopter&sort=likes&limit=10',
    judged: true,
  },
  { name: 'first page of 100 by likes', path: '/api/models?sort=likes&limit=100' },
  {
    name: 'search of 1 % by likes, signed in',
    path: '/api/models?search=ornithopter&sort=likes&limit=10',
    account: 'alice' as const,
  },
  { name: 'search that all match', path: '/api/models?search=model&sort=likes&limit=10' },
  { name: 'tag of 2 %', path: '/api/models?filter=t17&sort=likes&limit=10' },
  { name: 'search that none matches', path: '/api/models?search=xylophone', least: 0 },
  { name: 'two letters that none has', path: '/api/models?search=zq', least: 0 },
  { name: 'tag that all have', path: '/api/models?filter=transformers&sort=likes&limit=10' },
  { name: 'author of all', path: '/api/models?author=bob&sort=likes&limit=10' },
  { name: 'author with nothing', path: '/api/models?author=alice', least: 0 },
]

async function fill(hub: TestHub, count: number): Promise<void> {
  const { catalog } = hub.hub.ops
  const owner = (await catalog.rows.accounts.getByName('bob'))?.id ?? ''
  for (let start = 0; start < count; start += REPOS_PER_TRANSACTION)
    await catalog.tx(async (rows) => {
      for (let index = start; index < Math.min(count, start + REPOS_PER_TRANSACTION); index += 1) {
        const id = index.toString(16).padStart(24, '0')
        const at = 1_700_000_000_000 + index * 1000
        await rows.repos.insert({
          id,
          registryId: 'default',
          ownerId: owner,
          domainId: owner,
          type: 'model',
          namespace: 'bob',
          name: `model-${(index * 7919) % 1_000_003}`,
          private: index % 10 === 3,
          disabled: false,
          defaultRef: 'refs/heads/main',
          sdk: null,
          createdBy: owner,
          createdAt: at,
          lastModified: at,
          refsDirty: false,
          deletedAt: null,
          lfsMultipartAboveBytes: null,
        })
        const commitOid = id.padStart(40, '0')
        await rows.refs.swap(id, 'refs/heads/main', null, commitOid, at)
        await rows.index.put(entry(id, commitOid, index))
        await rows.index.addCounts(id, { likes: (index * 104_729) % 10_007, downloads: index % 977 }, at)
      }
    })
}

function entry(repoId: string, commitOid: string, index: number) {
  const task = ['text-generation', 'fill-mask'][index % 2] ?? ''
  const tags = ['transformers', 'safetensors', task, 'license:mit', `t${index % 50}`]
  const facts = {
    version: 1,
    tags,
    pipelineTag: task,
    libraryName: 'transformers',
    license: 'mit',
    languages: [],
    datasets: [],
    baseModels: [],
    sdk: null,
    card: { license: 'mit', tags },
    excerpt: '',
    config: null,
    transformersInfo: null,
    maskToken: null,
    safetensors: null,
    gguf: null,
  }
  const word = index % 100 === 17 ? 'ornithopter' : `word${index % 1000}`
  return {
    repoId,
    commitOid,
    pipelineTag: task,
    numParameters: index * 1000,
    text: `A model of the ${word} kind, number ${index}, for trying how long lists and searches take when there are many.`,
    tags,
    links: [],
    facts: JSON.stringify(facts),
    files: '["README.md","config.json","model.safetensors"]',
  }
}

async function timeOf(hub: TestHub, path: string, account: 'alice' | null, least: number): Promise<number> {
  const start = performance.now()
  const answer = await hub.fetch(account, path)
  const items = (await answer.json()) as unknown[]
  if (answer.status !== 200 || items.length < least)
    throw new Error(`${path}: ${answer.status}, ${items.length} items`)
  return performance.now() - start
}

if (process.env['CAIRN_TEST_DATABASE'] === 'postgres') {
  const end = await offerPostgres()
  process.once('beforeExit', () => void end())
}

await benchmark('lists and searches', async ({ add }) => {
  await using small = await startHub()
  await using large = await startHub()
  await fill(small, SMALL)
  await fill(large, LARGE)
  for (const { name, path, account = null, judged = false, least = 9 } of questions) {
    const ask = (hub: TestHub) => () => timeOf(hub, path, account, least)
    await inTurns(WARM_ROUNDS, { large: ask(large), small: ask(small) })
    const found = await inTurns(ROUNDS, { large: ask(large), small: ask(small) })
    add({
      what: `${name}, among ${LARGE}`,
      unit: 'ms',
      ours: found.large,
      reference: { name: `among ${SMALL}`, values: found.small },
      ...(judged ? { bound: { on: 'ratio', atMost: RATIO_MAX } } : {}),
    })
  }
})
