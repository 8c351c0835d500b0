/** What a hub logs while it is used: enough to find a request again, and nothing that would open anything. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'

import { GitClient } from '@cairn/testkit/git-client'
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { batch, commit, createRepo, file, lfsFile, sha256, uploadLfs } from './client.ts'
import { remote } from './git-remote.ts'
import { casAccess } from './xet-client.ts'

let hub: TestHub
let lines: string[] = []
beforeAll(async () => {
  hub = await startHub({ flags: { logLevel: 'trace' }, writeLog: (line) => lines.push(line) })
})
afterAll(() => hub[Symbol.asyncDispose]())
beforeEach(() => {
  lines = []
})
const parsed = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>)

test('a request is a line with its id, its path without a query, and its status', async () => {
  const answer = await hub.fetch('alice', '/api/models/alice/absent?token=secret', {
    headers: { 'X-Request-Id': 'mine-1' },
  })
  expect(answer.headers.get('X-Request-Id')).toBe('mine-1')
  await answer.text()
  await expect
    .poll(() => parsed())
    .toEqual([
      expect.objectContaining({
        level: 'info',
        msg: 'request',
        requestId: 'mine-1',
        method: 'GET',
        path: '/api/models/alice/absent',
        status: 404,
        from: '127.0.0.1',
      }),
    ])
})

test('a failure’s line has the id that the client got, and the client gets no more than that', async () => {
  const id = await createRepo(hub, 'alice', 'alice/broken')
  await commit(hub, 'alice', id, [file('a.txt', 'a')])
  const row = (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'broken'))!
  await rm(join(hub.dataDir, 'repos', row.id.slice(-2).toLowerCase(), `${row.id}.git`), { recursive: true })
  hub.hub.ops.caches.forget(row.id)
  const answer = await hub.fetch('alice', `/${id}/resolve/main/a.txt`)
  const text = await answer.text()
  expect(answer.status).toBe(500)
  expect(text).not.toContain(row.id)
  const failure = parsed().find(({ level }) => level === 'error')
  expect(failure).toMatchObject({ msg: 'request failed', requestId: answer.headers.get('X-Request-Id') })
  expect(failure).toHaveProperty('err.stack')
})

test('what an operation logs belongs to its request, too', async () => {
  const id = await createRepo(hub, 'alice', 'alice/lagging')
  lines = []
  const { git } = hub.hub.ops
  const projectRefs = git.projectRefs.bind(git)
  git.projectRefs = () => Promise.reject(new Error(`broken by ${TOKENS.alice}`))
  try {
    await commit(hub, 'alice', id, [file('a.txt', 'a')])
  } finally {
    git.projectRefs = projectRefs
  }
  const requestId = parsed().find(({ msg }) => msg === 'request')?.['requestId']
  const warning = parsed().find(({ level }) => level === 'warn')
  expect(requestId).toBeTruthy()
  expect(warning).toMatchObject({ msg: expect.stringContaining('refs landed'), requestId })
})

test('no token, credential or signature is in any line, whatever is done with them', async () => {
  await using git = await GitClient.open()
  const id = await createRepo(hub, 'alice', 'alice/quiet', { private: true })
  await uploadLfs(hub, 'alice', id, 'large')
  await commit(hub, 'alice', id, [lfsFile('large.bin', 'large')])
  const { objects } = await batch(hub, 'alice', id, 'download', [{ oid: sha256('large'), size: 5 }])
  const signed = new URL(objects[0]!.actions!['download']!.href)
  await (await fetch(signed)).text()
  const signature = signed.searchParams.get('signature')!
  signed.searchParams.set('signature', `${signature.slice(0, -4)}0000`)
  await (await fetch(signed)).text()
  const cas = await casAccess(hub, 'alice', id, 'write')
  await (await cas.fetch('/v1/shards', { method: 'POST', body: 'no shard' })).text()
  await git.git('', 'clone', '-q', remote(hub, 'alice', id), 'work')
  const basic = Buffer.from(`user:${TOKENS.bob}`).toString('base64')
  for (const headers of [
    { Authorization: `Basic ${basic}` },
    { Authorization: `Bearer ${TOKENS.alice.slice(0, -1)}x` },
    { Cookie: `token=${TOKENS.alice}` },
  ] as Record<string, string>[])
    await (await fetch(`${hub.url}/api/whoami-v2?access_token=${TOKENS.root}`, { headers })).text()
  await (await hub.fetch('alice', `/api/models/${TOKENS.bob}/x`)).text()
  const text = lines.join('')
  expect(lines.length).toBeGreaterThan(10)
  for (const secret of [
    ...Object.values(TOKENS),
    TOKENS.alice.slice(0, -1),
    basic,
    signature.slice(0, 20),
    cas.accessToken,
  ])
    expect(text).not.toContain(secret)
  expect(text).toContain('hf_[redacted]')
})
