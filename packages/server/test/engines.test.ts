/**
 * The same requests answer the same bytes on SQLite and on PostgreSQL: two hubs with the same clock, the same
 * randomness and the same public address walk side by side.
 */
import { createHash } from 'node:crypto'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { testPostgres, withSchema } from '@cairn/testkit/test-postgres'
import { expect, test } from 'vitest'

import { commitBody, file } from './client.ts'
import { post } from './refusal.ts'

type Account = Parameters<TestHub['fetch']>[0]
type Request = [account: Account, path: string, init?: RequestInit]

const postgres = await testPostgres()
/** What the engine has no part in. */
const UNCOMPARED = new Set(['date', 'connection', 'keep-alive'])

test.skipIf(postgres === null)('a walk through the API answers alike on both engines', async () => {
  await using sqlite = await startTwin(null)
  await using other = await startTwin(withSchema(postgres!))
  const statuses = new Set<number>()
  for (const [index, request] of WALK.entries()) {
    now += 1000
    const [mine, theirs] = [await answerOf(sqlite, index, request), await answerOf(other, index, request)]
    expect(theirs, `${request[2]?.method ?? 'GET'} ${request[1]}`).toEqual(mine)
    statuses.add(mine.status)
  }
  // A walk that only met refusals would compare nothing.
  for (const status of [200, 206, 400, 401, 403, 404, 409, 412, 416, 501]) expect(statuses).toContain(status)
})

/** A second for each request: jobs look at the clock too, at times of their own. */
let now = Date.UTC(2026, 0, 1)

async function startTwin(database: string | null): Promise<TestHub> {
  let drawn = 0
  return startHub({
    database,
    flags: { publicUrl: 'https://hub.example' },
    clock: () => now,
    random(sizeBytes) {
      const blocks: Buffer[] = []
      for (let made = 0; made < sizeBytes; made += 32)
        blocks.push(createHash('sha256').update(`${drawn++}`).digest())
      return Buffer.concat(blocks).subarray(0, sizeBytes)
    },
  })
}

async function answerOf(
  hub: TestHub,
  index: number,
  [account, path, init = {}]: Request,
): Promise<{ status: number; headers: unknown; body: string }> {
  const headers = new Headers(init.headers)
  headers.set('X-Request-Id', `walk-${index}`)
  const answer = await hub.fetch(account, path, { ...init, headers, redirect: 'manual' })
  return {
    status: answer.status,
    headers: [...answer.headers].filter(([name]) => !UNCOMPARED.has(name)),
    body: Buffer.from(await answer.arrayBuffer()).toString('base64'),
  }
}

const send = (body: unknown, method = 'POST'): RequestInit => ({ ...post(body), method })
const card = '---\nlicense: mit\ntags: [alpha, beta]\npipeline_tag: text-classification\n---\n# Tiny\n'
const create = (name: string, more: object = {}): Request => [
  'alice',
  '/api/repos/create',
  send({ name, ...more }),
]

const WALK: readonly Request[] = [
  ['alice', '/api/whoami-v2'],
  [null, '/api/whoami-v2'],
  create('tiny'),
  create('Tiny'),
  create('data', { type: 'dataset', organization: 'acme', private: true }),
  create('app', { type: 'space', sdk: 'static' }),
  create('no--good'),
  ['bob', '/api/repos/create', send({ name: 'x', organization: 'acme' })],
  [
    'alice',
    '/api/models/alice/tiny/preupload/main',
    send({ files: [{ path: 'a.bin', size: 3, sample: 'AAEC' }] }),
  ],
  [
    'alice',
    '/api/models/alice/tiny/commit/main',
    commitBody([file('README.md', card), file('b/c d.txt', 'hello')]),
  ],
  [
    'alice',
    '/api/models/alice/tiny/commit/main',
    commitBody([file('README.md', card)], { parentCommit: '0123456' }),
  ],
  ['bob', '/api/models/alice/tiny/commit/main', commitBody([file('x', 'y')])],
  ['reader', '/api/models/alice/tiny/commit/main', commitBody([file('x', 'y')])],
  ['alice', '/api/models/alice/tiny/commit/main?create_pr=1', commitBody([file('x', 'y')])],
  [
    'alice',
    '/api/models/alice/tiny/commit/main',
    commitBody([{ key: 'deletedFile', value: { path: 'absent' } }]),
  ],
  [null, '/api/models/alice/tiny'],
  [null, '/api/models/ALICE/Tiny?blobs=true'],
  [null, '/api/models/alice/tiny?expand=tags&expand=cardData'],
  [null, '/api/models/alice/tiny?expand=nonsense'],
  [null, '/api/models/alice/tiny/tree/main?recursive=true&limit=1'],
  [null, '/api/models/alice/tiny/tree/main?recursive=true&expand=true'],
  [null, '/api/models/alice/tiny/tree/main?cursor=forged'],
  [null, '/api/models/alice/tiny/tree/nowhere'],
  [
    null,
    '/api/models/alice/tiny/paths-info/main',
    send({ paths: ['README.md', 'b', 'absent'], expand: true }),
  ],
  ['alice', '/api/models/alice/tiny/branch/dev', send({})],
  ['alice', '/api/models/alice/tiny/branch/dev', send({})],
  ['alice', '/api/models/alice/tiny/tag/main', send({ tag: 'v1', message: 'first' })],
  ['alice', '/api/models/alice/tiny/tag/dev', send({ tag: 'v2' })],
  [null, '/api/models/alice/tiny/refs?include_prs=1'],
  [null, '/api/models/alice/tiny/commits/main?expand[]=formatted'],
  [null, '/api/models/alice/tiny/revision/v1'],
  [null, '/alice/tiny/resolve/main/b/c%20d.txt'],
  [null, '/alice/tiny/resolve/v1/b/c%20d.txt', { headers: { Range: 'bytes=1-3' } }],
  [null, '/alice/tiny/resolve/main/b/c%20d.txt', { headers: { Range: 'bytes=99-' } }],
  [null, '/alice/tiny/resolve/main/absent'],
  [null, '/alice/tiny/raw/main/README.md', { method: 'HEAD' }],
  [
    'alice',
    '/alice/tiny.git/info/lfs/objects/batch',
    send({ operation: 'upload', transfers: ['basic'], objects: [{ oid: 'ab'.repeat(32), size: 4 }] }),
  ],
  ['bob', '/datasets/acme/data/resolve/main/.gitattributes'],
  [null, '/api/datasets/acme/data'],
  ['alice', '/api/datasets/acme/data'],
  ['alice', '/api/models/alice/tiny/xet-write-token/main'],
  ['alice', '/api/models/alice/tiny/tag/v2', { method: 'DELETE' }],
  ['alice', '/api/models/alice/tiny/branch/main', { method: 'DELETE' }],
  ['root', '/api/admin', send({ resource: 'user', verb: 'list' })],
  ['root', '/api/admin', send({ resource: 'registry', verb: 'create', args: { registry: 'acme/llm' } })],
  ['alice', '/acme/llm/huggingface/api/repos/create', send({ name: 'free', organization: 'Any.Body' })],
  ['alice', '/acme/llm/huggingface/api/models/any.body/free'],
  [null, '/api/models?full=true&config=true'],
  [null, '/api/models?search=TINY&sort=likes&limit=1'],
  [null, '/api/models?filter=alpha&expand=tags&expand=downloads'],
  [null, '/api/models?search=%27%3B%20drop%20table%20repos%3B--%20%22*%25_'],
  [null, '/api/models?sort=nonsense'],
  [null, '/api/datasets'],
  ['alice', '/api/datasets?author=acme&full=true'],
  [null, '/api/spaces?sort=createdAt&direction=-1'],
  [null, '/api/models-tags-by-type'],
  [null, '/api/quicksearch?q=tin'],
  [null, '/api/trending'],
  ['bob', '/api/models/alice/tiny/like', { method: 'POST' }],
  [null, '/api/models/alice/tiny/likers'],
  [null, '/api/users/bob/likes'],
  [null, '/api/models/alice/tiny/compare/v1..main'],
  [null, '/api/models/alice/tiny/compare/v1..main?raw=true'],
  ['alice', '/api/models/alice/tiny/lfs-files'],
  ['alice', '/api/models/alice/tiny/super-squash/dev', send({ message: 'one' })],
  [null, '/api/users/alice/overview'],
  ['bob', '/api/organizations/acme/members'],
  ['alice', '/api/settings/repositories'],
  ['alice', '/api/repos/move', send({ fromRepo: 'alice/tiny', toRepo: 'acme/small', type: 'model' })],
  [null, '/api/models/alice/tiny?blobs=true'],
  [null, '/alice/tiny/resolve/main/README.md'],
  [null, '/api/models?search=small'],
  ['alice', '/api/models/acme/small/duplicate', send({ repository: 'alice/again' })],
  ['alice', '/api/models/alice/again/settings', send({ private: true }, 'PUT')],
  ['root', '/api/admin', send({ resource: 'audit', verb: 'list', args: { limit: 20 } })],
  ['alice', '/api/repos/delete', send({ name: 'app', type: 'space' }, 'DELETE')],
  ['alice', '/api/spaces/alice/app'],
]
