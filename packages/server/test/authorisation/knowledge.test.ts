/**
 * Knowledge gives nothing: bob has every hash of alice's private repository, and the addresses that she was handed, and
 * gets neither a byte nor a word about it.
 */
import { decodeChunkTable } from '@cairn/protocol/xet/chunk-table'
import { formatXetHash } from '@cairn/protocol/xet/hash'
import { formatShard } from '@cairn/protocol/xet/shard'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  batch,
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
import { expectRefusal, post } from '../refusal.ts'
import { casAccess, makeXetFile, postBytes, uploadXet, xetLine } from '../xet-client.ts'

type Account = Parameters<TestHub['fetch']>[0]

const SECRET = 'alice/secret'
const OWN = 'bob/own'
const WEIGHTS = 'secret weights of alice'
const OBJECT = { oid: sha256(WEIGHTS), size: WEIGHTS.length }
const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${OBJECT.oid}\nsize ${OBJECT.size}\n`
const FILE = makeXetFile(31)
const CHUNK = formatXetHash(decodeChunkTable(FILE.xorb.chunks).hash(0))
const UNKNOWN = 'f'.repeat(64)

let hub: TestHub
/** Commits, trees and blobs of the secret repository. */
const known: Record<string, string> = {}
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', SECRET, { private: true })
  await uploadLfs(hub, 'alice', SECRET, WEIGHTS)
  await uploadXet(await casAccess(hub, 'alice', SECRET, 'write'), FILE)
  known['parent'] = await headOf(hub, 'alice', SECRET)
  known['commit'] = await commit(hub, 'alice', SECRET, [
    file('dir/notes.txt', 'secret notes'),
    lfsFile('model.bin', WEIGHTS),
    xetLine('model.safetensors', FILE),
  ])
  const tree = await getJson<{ path: string; oid: string }[]>(
    hub,
    'alice',
    `/api/models/${SECRET}/tree/main?recursive=1`,
  )
  known['tree'] = tree.find(({ path }) => path === 'dir')?.oid ?? ''
  known['blob'] = tree.find(({ path }) => path === 'dir/notes.txt')?.oid ?? ''
  await createRepo(hub, 'bob', OWN)
  await createRepo(hub, 'alice', 'alice/open')
  await createRepo(hub, 'alice', 'alice/other', { private: true })
})
afterAll(() => hub[Symbol.asyncDispose]())

describe('of git objects', () => {
  /** As a revision in a repository of his own, whole and abbreviated; compared with one that nobody has. */
  const addresses: Record<string, (oid: string) => [string, RequestInit?]> = {
    resolve: (oid) => [`/${OWN}/resolve/${oid}/dir/notes.txt`],
    raw: (oid) => [`/${OWN}/raw/${oid}/dir/notes.txt`],
    revision: (oid) => [`/api/models/${OWN}/revision/${oid}`],
    tree: (oid) => [`/api/models/${OWN}/tree/${oid}`],
    treesize: (oid) => [`/api/models/${OWN}/treesize/${oid}`],
    commits: (oid) => [`/api/models/${OWN}/commits/${oid}`],
    'compare from': (oid) => [`/api/models/${OWN}/compare/${oid}..main`],
    'compare to': (oid) => [`/api/models/${OWN}/compare/main...${oid}?raw=true`],
    'paths-info': (oid) => [`/api/models/${OWN}/paths-info/${oid}`, post({ paths: ['dir/notes.txt'] })],
    branch: (oid) => [`/api/models/${OWN}/branch/stolen`, post({ startingPoint: oid })],
    tag: (oid) => [`/api/models/${OWN}/tag/${oid}`, post({ tag: 'stolen' })],
    'xet-read-token': (oid) => [`/api/models/${OWN}/xet-read-token/${oid}`],
    preupload: (oid) => [
      `/api/models/${OWN}/preupload/${oid}`,
      post({ files: [{ path: 'a', size: 1, sample: '' }] }),
    ],
    'git fetch': (oid) => [`/${OWN}.git/git-upload-pack`, fetchBody(oid)],
    commit: (oid) => [`/api/models/${OWN}/commit/${oid}`, commitBody([file('a', 'a')])],
    squash: (oid) => [`/api/models/${OWN}/super-squash/${oid}`, post({})],
  }

  test.each(Object.entries(addresses))('%s', async (what, address) => {
    const answer = async (oid: string) => {
      const [path, init] = address(oid)
      const response = await hub.fetch('bob', path, init)
      return { status: response.status, text: (await response.text()).replaceAll(oid, '*') }
    }
    await expectUnchanged(hub, async () => {
      for (const oid of Object.values(known))
        for (const length of [40, 12]) {
          const foreign = await answer(oid.slice(0, length))
          // git says it in its own words, to a request that it understands.
          const refused = foreign.text.includes('ERR upload-pack: not our ref') ? 404 : foreign.status
          expect(refused).toBe(length === 12 && what === 'git fetch' ? 400 : 404)
          expect(foreign).toEqual(await answer(UNKNOWN.slice(0, length)))
        }
    })
  })

  test('a parent of a commit', async () => {
    const onto = commitBody([file('a', 'a')], { parentCommit: known['commit'] })
    await expectRefusal(await hub.fetch('bob', `/api/models/${OWN}/commit/main`, onto), 'StaleParent')
  })
})

describe('of contents', () => {
  test('a batch knows nothing to download, and takes nothing for present', async () => {
    const wanted = [OBJECT, { oid: FILE.sha256, size: FILE.content.length }, { oid: UNKNOWN, size: 14 }]
    const down = await batch(hub, 'bob', OWN, 'download', wanted)
    expect(down.objects.map(({ error }) => error?.code)).toEqual([404, 404, 404])
    const up = await batch(hub, 'bob', OWN, 'upload', wanted)
    expect(up.objects.map(({ actions }) => Object.keys(actions ?? {}))).toEqual([
      ['upload', 'verify'],
      ['upload', 'verify'],
      ['upload', 'verify'],
    ])
  })

  test('verify', async () => {
    const init = post(OBJECT)
    await expectRefusal(await hub.fetch('bob', `/${OWN}.git/info/lfs/verify`, init), 'NotFound')
  })

  test('a pull by digest', async () => {
    const pull = async (sha: string) => {
      const answer = await hub.fetch('bob', `/v2/${OWN}/blobs/sha256:${sha}`)
      return { status: answer.status, text: (await answer.text()).replaceAll(sha, '*') }
    }
    const unknown = await pull(UNKNOWN)
    expect(unknown.status).toBe(404)
    for (const sha of [OBJECT.oid, FILE.sha256]) expect(await pull(sha)).toEqual(unknown)
  })

  test('the address of an upload takes the bytes, not the hash', async () => {
    const { objects } = await batch(hub, 'bob', OWN, 'upload', [OBJECT])
    const href = objects[0]?.actions?.['upload']?.href ?? ''
    for (const body of ['', 'x'.repeat(OBJECT.size)])
      await expectRefusal(await fetch(href, { method: 'PUT', body }), 'Invalid')
    const { objects: after } = await batch(hub, 'bob', OWN, 'download', [OBJECT])
    expect(after[0]?.error?.code).toBe(404)
  })

  test.each([
    ['an LFS file', () => lfsFile('x', WEIGHTS)],
    ['a Xet file', () => xetLine('x', FILE)],
    ['the text of a pointer', () => file('x', POINTER)],
  ])('a commit of %s', async (_what, line) => {
    await expectUnchanged(hub, async () => {
      const answer = await hub.fetch('bob', `/api/models/${OWN}/commit/main`, commitBody([line()]))
      expect(answer.status).toBe(400)
      expect(await answer.text()).toContain('upload')
    })
  })

  test('contents cannot be duplicated out of it, nor into it', async () => {
    const files = [{ sha256: OBJECT.oid }]
    const into = (name: string) => post({ target: { type: 'model', name }, files })
    await expectUnchanged(hub, async () => {
      const out = await hub.fetch('bob', `/api/models/${SECRET}/lfs-files/duplicate`, into(OWN))
      await expectRefusal(out, 'RepoNotFound')
      const back = await hub.fetch('bob', `/api/models/${OWN}/lfs-files/duplicate`, into(SECRET))
      await expectRefusal(back, 'RepoNotFound')
      const open = await hub.fetch('bob', '/api/models/alice/open/lfs-files/duplicate', into(OWN))
      expect(await open.json()).toMatchObject({ failed: [{ sha256: OBJECT.oid }] })
    })
  })
})

/** A fetch of one object, in git's first protocol. */
function fetchBody(oid: string): RequestInit {
  const line = `want ${oid}\n`
  const packet = (line.length + 4).toString(16).padStart(4, '0') + line
  const headers = { 'Content-Type': 'application/x-git-upload-pack-request' }
  return { method: 'POST', headers, body: `${packet}00000009done\n` }
}

/** What the CAS says to these hashes and to ones that nobody has; the same is expected. */
async function casAnswers(
  as: Account,
  id: string,
  scope: 'read' | 'write',
): Promise<[string, object, object][]> {
  const cas = await casAccess(hub, as, id, scope)
  const ask = async (path: string, init: RequestInit = {}) => {
    const response = await cas.fetch(path, init)
    return { status: response.status, text: await response.text() }
  }
  const garbage = () => postBytes(new Uint8Array(100))
  const pairs: [string, string, string, (() => RequestInit)?][] = [
    ['reconstruction', `/v1/reconstructions/${FILE.hash}`, `/v1/reconstructions/${UNKNOWN}`],
    ['reconstruction, version 2', `/v2/reconstructions/${FILE.hash}`, `/v2/reconstructions/${UNKNOWN}`],
    ['size of the file', `/v1/files/${FILE.hash}`, `/v1/files/${UNKNOWN}`],
    [
      'size of the xorb',
      `/v1/xorbs/default/${FILE.xorb.hash}`,
      `/v1/xorbs/default/${UNKNOWN}`,
      () => ({ method: 'HEAD' }),
    ],
    ['chunk', `/v1/chunks/default/${CHUNK}`, `/v1/chunks/default/${UNKNOWN}`],
    ['range of the xorb', `/fetch/${FILE.xorb.hash}?range=0-9`, `/fetch/${UNKNOWN}?range=0-9`],
    ['xorb by its name', `/v1/xorbs/default/${FILE.xorb.hash}`, `/v1/xorbs/default/${UNKNOWN}`, garbage],
  ]
  const found: [string, object, object][] = []
  for (const [what, path, other, init] of pairs)
    found.push([what, await ask(path, init?.()), await ask(other, init?.())])
  return found
}

describe('of Xet hashes', () => {
  test.each<[string, Account, string, 'read' | 'write']>([
    ['in a repository of his own', 'bob', OWN, 'write'],
    ['in a public one of the same owner', 'bob', 'alice/open', 'read'],
    ['in a public one of the same owner, without a token', null, 'alice/open', 'read'],
  ])('%s', async (_what, as, id, scope) => {
    for (const [what, foreign, unknown] of await casAnswers(as, id, scope))
      expect([what, foreign]).toEqual([what, unknown])
  })

  test('with a token for another repository of the same owner', async () => {
    const { token } = await getJson<{ token: 'alice' }>(
      hub,
      'alice',
      '/api/settings/tokens',
      post({ name: 'narrow', role: 'fineGrained', scopes: ['alice/other=repo.write'] }),
    )
    for (const [what, foreign, unknown] of await casAnswers(token, 'alice/other', 'write'))
      expect([what, foreign]).toEqual([what, unknown])
    // Who has the bytes may send them: the answer is about those.
    const cas = await casAccess(hub, token, 'alice/other', 'write')
    const sent = await cas.fetch(`/v1/xorbs/default/${FILE.xorb.hash}`, postBytes(FILE.xorb.bytes))
    expect(await sent.json()).toEqual({ was_inserted: false })
    // The hashes of chunks are not proof enough without what is made of them.
    const [first] = FILE.shard.files
    const forged = {
      ...FILE.shard,
      files: first === undefined ? [] : [{ ...first, verification: new Uint8Array(32) }],
    }
    await expectRefusal(await cas.fetch('/v1/shards', postBytes(formatShard(forged))), 'BadRequest')
    await expectRefusal(await cas.fetch(`/v1/reconstructions/${FILE.hash}`), 'NotFound')
  })

  test('a shard that names her xorbs, with every proof', async () => {
    const cas = await casAccess(hub, 'bob', OWN, 'write')
    await expectUnchanged(hub, async () => {
      for (const version of ['v1', 'v2'])
        await expectRefusal(
          await cas.fetch(`/${version}/shards`, postBytes(formatShard(FILE.shard))),
          'BadRequest',
        )
    })
    await expectRefusal(await cas.fetch(`/v1/reconstructions/${FILE.hash}`), 'NotFound')
  })

  test('her CAS address takes no token of his', async () => {
    const hers = await casAccess(hub, 'alice', SECRET, 'write')
    const his = await casAccess(hub, 'bob', OWN, 'write')
    const headers = { Authorization: `Bearer ${his.accessToken}` }
    for (const path of [`/v1/reconstructions/${FILE.hash}`, `/v1/chunks/default/${CHUNK}`])
      await expectRefusal(await fetch(hers.casUrl + path, { headers }), 'Forbidden')
  })
})

test('the positions in a list tell no id of what is hidden', async () => {
  await createRepo(hub, 'alice', 'alice/shown')
  for (const id of [SECRET, 'alice/shown', 'alice/other'])
    expect((await hub.fetch('alice', `/api/models/${id}/like`, { method: 'POST' })).status).toBe(200)
  const ids = new Set<string>()
  for (const id of [SECRET, 'alice/other'])
    ids.add(String((await getJson(hub, 'alice', `/api/models/${id}`))['_id']))
  const seen: string[] = []
  for (const path of [
    '/api/users/alice/likes?limit=1',
    '/api/models?limit=1',
    '/api/models?limit=1&sort=likes',
  ])
    for (let next: string | null = path; next !== null;) {
      const page: Response = await hub.fetch('bob', next)
      const link = page.headers.get('Link')
      const url = link === null ? null : new URL(/<([^>]+)>/.exec(link)?.[1] ?? '')
      const cursor = url?.searchParams.get('cursor') ?? ''
      seen.push(await page.text(), Buffer.from(cursor.split('.')[0] ?? '', 'base64url').toString())
      next = url === null ? null : url.pathname + url.search
    }
  expect(seen.length).toBeGreaterThan(6)
  for (const id of ids) expect(seen.join('\n')).not.toContain(id)
  expect(seen.join('\n')).toContain('alice/shown')
})
