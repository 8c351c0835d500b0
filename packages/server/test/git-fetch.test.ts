/** Cloning and fetching with real git: every protocol version, every shape of clone, and who sees what. */
import { readdir, readFile } from 'node:fs/promises'
import { type ClientRequest, request } from 'node:http'
import { gzipSync } from 'node:zlib'

import { encodePacket, FLUSH } from '@cairn/protocol/git/pkt-line'
import { GitClient } from '@cairn/testkit/git-client'
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson, headOf } from './client.ts'
import { remote } from './git-remote.ts'
import { post } from './refusal.ts'

let hub: TestHub
let client: GitClient
let first: string
let head: string
const ID = 'alice/tiny'
const git = (folder: string, ...args: string[]) => client.git(folder, ...args)

beforeAll(async () => {
  client = await GitClient.open()
  hub = await startHub()
  await createRepo(hub, 'alice', ID)
  first = await commit(hub, 'alice', ID, [file('a.txt', 'one'), file('folder/b.txt', 'b')])
  await commit(hub, 'alice', ID, [file('a.txt', 'two')])
  head = await commit(hub, 'alice', ID, [file('c.txt', 'c')])
  await getJson(hub, 'alice', `/api/models/${ID}/branch/side`, post({ startingPoint: first }))
  await getJson(hub, 'alice', `/api/models/${ID}/tag/main`, post({ tag: 'v1', message: 'one' }))
  await setRef(ID, 'refs/pr/1', first)
  await setRef(ID, 'refs/cairn/keep/1', first)
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await client[Symbol.asyncDispose]()
})

/** A ref that no route makes yet, in the table and in the repository. */
async function setRef(id: string, name: string, oid: string): Promise<void> {
  const { catalog, git: store } = hub.hub.ops
  const repo = await rowOf(id)
  await catalog.tx((rows) => rows.refs.swap(repo.id, name, null, oid, 0))
  await store.projectRefs(repo.id, [{ name, oid }])
}

async function rowOf(id: string) {
  const [namespace = '', name = ''] = id.split('/')
  return (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', namespace, name))!
}

/** One POST to upload-pack, byte for byte. */
async function ask(body: Buffer | string, headers: Record<string, string> = {}): Promise<Response> {
  return hub.fetch(null, `/${ID}/git-upload-pack`, {
    method: 'POST',
    body,
    headers: { 'Content-Type': 'application/x-git-upload-pack-request', ...headers },
  })
}

/** The same in version 2, to be written piece by piece. */
function raw(id: string, headers: Record<string, string> = {}): ClientRequest {
  const type = { 'Content-Type': 'application/x-git-upload-pack-request', 'Git-Protocol': 'version=2' }
  return request(`${hub.url}/${id}/git-upload-pack`, { method: 'POST', headers: { ...type, ...headers } })
}

const packets = (...lines: (string | null)[]): Buffer =>
  Buffer.concat(
    lines.map((line) => (line === null ? FLUSH : line === '0001' ? Buffer.from(line) : encodePacket(line))),
  )

describe.each([0, 1, 2])('protocol version %i', (version) => {
  const v = ['-c', `protocol.version=${version}`]

  test('a clone has the history that the API tells, and passes fsck', async () => {
    const folder = `clone-${version}`
    await git('', ...v, 'clone', '-q', remote(hub, null, ID), folder)
    expect(await git(folder, 'rev-parse', 'HEAD')).toBe(head)
    expect(await git(folder, 'symbolic-ref', 'refs/remotes/origin/HEAD')).toBe('refs/remotes/origin/main')
    expect(await git(folder, 'rev-parse', 'origin/side')).toBe(first)
    expect(await git(folder, 'cat-file', '-t', 'v1')).toBe('tag')
    expect(await git(folder, 'fsck', '--strict', '--full')).toBe('')
    expect(await git(folder, 'log', '--format=%H')).toContain(first)
  })

  test('what is new arrives by fetch, and only that', async () => {
    const folder = `fetch-${version}`
    const id = await createRepo(hub, 'alice', `alice/fetched-${version}`)
    await commit(hub, 'alice', id, [file('old.txt', 'old')])
    await git('', ...v, 'clone', '-q', remote(hub, null, id), folder)
    const next = await commit(hub, 'alice', id, [file('new.txt', 'new')])
    const before = await git(folder, 'count-objects')
    expect(before).toBeTruthy()
    await git(folder, ...v, 'pull', '-q', '--ff-only')
    expect(await git(folder, 'rev-parse', 'HEAD')).toBe(next)
  })

  test('lists pull requests where it should, and what is hidden nowhere', async () => {
    const all = await git('', ...v, 'ls-remote', remote(hub, null, ID))
    expect(all).toContain(`${head}\tHEAD`)
    expect(all).toContain(`${head}\trefs/tags/v1^{}`)
    expect(all.includes('refs/pr/1')).toBe(version !== 2)
    expect(all).not.toContain('cairn')
    const folder = `pr-${version}`
    await git('', 'init', '-q', folder)
    await git(folder, ...v, 'fetch', '-q', remote(hub, null, ID), 'refs/pr/1:pr/1')
    expect(await git(folder, 'rev-parse', 'pr/1')).toBe(first)
    await git(folder, ...v, 'fetch', '-q', remote(hub, null, ID), '+refs/*:refs/all/*')
    const fetched = await git(folder, 'for-each-ref', '--format=%(refname)', 'refs/all')
    expect(fetched.split('\n')).toEqual([
      'refs/all/heads/main',
      'refs/all/heads/side',
      'refs/all/pr/1',
      'refs/all/tags/v1',
    ])
  })

  test('gives any commit by its id that a ref leads to, and none that no ref leads to', async () => {
    const id = await createRepo(hub, 'alice', `alice/by-id-${version}`)
    const old = await commit(hub, 'alice', id, [file('a', 'old')])
    const secret = await commit(hub, 'alice', id, [file('secret.txt', `a secret ${version}`)])
    const folder = `by-id-${version}`
    await git('', 'clone', '-q', remote(hub, null, id), folder)
    const blob = await git(folder, 'rev-parse', `${secret}:secret.txt`)
    await getJson(hub, 'alice', `/api/models/${id}/branch/main2`, post({ startingPoint: old }))
    const squash = await hub.fetch('alice', `/api/models/${id}/super-squash/main`, post({ message: 'gone' }))
    expect(squash.status).toBe(200)
    await hub.fetch('alice', `/api/models/${id}/commit/main`, {
      method: 'POST',
      body: [
        { key: 'header', value: { summary: 'remove' } },
        { key: 'deletedFile', value: { path: 'secret.txt' } },
      ]
        .map((line) => JSON.stringify(line))
        .join('\n'),
    })
    await hub.fetch('alice', `/api/models/${id}/super-squash/main`, post({ message: 'gone' }))
    const fresh = `by-id-fresh-${version}`
    await git('', 'init', '-q', fresh)
    await git(fresh, ...v, 'fetch', '-q', remote(hub, null, id), old)
    for (const gone of [secret, blob])
      expect(await client.refused(fresh, ...v, 'fetch', '-q', remote(hub, null, id), gone)).toContain(
        'not our ref',
      )
  })
})

describe('clones of a part', () => {
  test('shallow, one branch, and unshallowed', async () => {
    await git('', 'clone', '-q', '--depth=1', '--branch=main', remote(hub, null, ID), 'shallow')
    expect(await git('shallow', 'rev-list', '--count', 'HEAD')).toBe('1')
    expect(await git('shallow', 'branch', '-r')).not.toContain('side')
    await git('shallow', 'fetch', '-q', '--unshallow')
    expect(await git('shallow', 'rev-list', '--count', 'HEAD')).toBe('4')
  })

  test.each(['blob:none', 'tree:0', 'blob:limit=1'])(
    '--filter=%s, with files that come later',
    async (filter) => {
      const folder = `partial-${filter.replaceAll(/\W/g, '')}`
      const partial = ['clone', '-q', '--no-checkout', `--filter=${filter}`]
      await git('', ...partial, remote(hub, null, ID), folder)
      const objects = ['rev-list', '--objects', '--all', '--missing=print']
      const missing = (await git(folder, ...objects)).split('\n').filter((line) => line.startsWith('?'))
      expect(missing.length).toBeGreaterThan(1)
      await git(folder, 'checkout', '-q', 'main')
      expect(await git(folder, 'show', `${first}:a.txt`)).toBe('one')
      expect(await git(folder, 'log', '-p', '--all')).toContain('+two')
    },
  )

  test('an empty repository clones with its branch to be', async () => {
    const { ops } = hub.hub
    const id = await createRepo(hub, 'alice', 'alice/unborn')
    const repo = await rowOf(id)
    const oid = await headOf(hub, 'alice', id)
    await ops.catalog.tx((rows) => rows.refs.swap(repo.id, 'refs/heads/main', oid, null, 0))
    await ops.git.projectRefs(repo.id, [{ name: 'refs/heads/main', oid: null }])
    await git('', '-c', 'init.defaultBranch=other', 'clone', '-q', remote(hub, null, id), 'unborn')
    expect(await git('unborn', 'symbolic-ref', 'HEAD')).toBe('refs/heads/main')
  })
})

test('refs that a crash left behind are repaired before git sees them', async () => {
  const { ops } = hub.hub
  const id = await createRepo(hub, 'alice', 'alice/dirty')
  const next = await commit(hub, 'alice', id, [file('a', 'a')])
  const repo = await rowOf(id)
  // As if the process had died between the transaction and update-ref.
  await ops.git.projectRefs(repo.id, [
    { name: 'refs/heads/main', oid: null },
    { name: 'refs/heads/never', oid: next },
  ])
  await ops.catalog.tx((rows) => rows.repos.update(repo.id, { refsDirty: true }))
  expect(await git('', 'ls-remote', remote(hub, null, id))).toBe(`${next}\tHEAD\n${next}\trefs/heads/main`)
  expect((await rowOf(id)).refsDirty).toBe(false)
})

describe('who may', () => {
  const SECRET = 'alice/private'
  beforeAll(async () => createRepo(hub, 'alice', SECRET, { private: true }))

  test('the token is a password under any name, a name without a password, or a header', async () => {
    const bare = new URL(`${hub.url}/${SECRET}`)
    const forms = [
      [remote(hub, 'alice', SECRET)],
      [bare.href.replace('://', `://${TOKENS.alice}@`)],
      [bare.href.replace('://', `://${TOKENS.alice}:x-oauth-basic@`)],
      ['-c', `http.extraHeader=Authorization: Bearer ${TOKENS.alice}`, bare.href],
    ]
    for (const form of forms) {
      const url = form.pop()!
      expect(await git('', ...form, 'ls-remote', url)).toContain('refs/heads/main')
    }
    // A helper is asked only after a 401 that says Basic.
    const helper = `credential.helper=!f() { echo username=hf_user; echo password=${TOKENS.alice}; }; f`
    expect(await git('', '-c', helper, 'ls-remote', bare.href)).toContain('refs/heads/main')
  })

  test('others are told the same as about one that is not there', async () => {
    const names = { [SECRET]: 1, 'alice/nothing': 1 }
    for (const account of ['bob', null] as const) {
      const told = await Promise.all(
        Object.keys(names).map(async (id) => {
          const said = await client.refused('', 'ls-remote', remote(hub, account, id))
          return said.replaceAll(id, '*').replaceAll(/localhost:\d+/g, '*')
        }),
      )
      expect(told[0]).toBe(told[1])
      expect(told[0]).toContain(account === null ? 'could not read Username' : 'not found')
    }
    const anonymous = await hub.fetch(null, `/${SECRET}/info/refs?service=git-upload-pack`)
    expect(anonymous.status).toBe(401)
    expect(anonymous.headers.get('WWW-Authenticate')).toMatch(/^Basic realm=/)
  })

  test('every kind of repository, with and without .git, at its registry, and under its new name', async () => {
    for (const [type, path] of [
      ['dataset', 'datasets/alice/data'],
      ['space', 'spaces/alice/app'],
    ] as const) {
      await createRepo(hub, 'alice', path.slice(path.indexOf('/') + 1), { type, sdk: 'static' })
      for (const form of [path, `${path}.git`, `${path}/`])
        expect(await git('', 'ls-remote', remote(hub, null, form))).toContain('refs/heads/main')
    }
    await hub.hub.ops.catalog.tx(async (rows) => {
      const acme = await rows.accounts.getByName('acme')
      await rows.registries.insert({ id: 'staging', orgId: acme!.id, slug: 'staging', createdAt: 0 })
    })
    const prefix = 'acme/staging/huggingface'
    await getJson(hub, 'alice', `/${prefix}/api/repos/create`, post({ name: 'tiny', organization: 'free' }))
    for (const form of [`${prefix}/free/tiny`, `${prefix}/models/free/tiny.git`])
      expect(await git('', 'ls-remote', remote(hub, null, form))).toContain('refs/heads/main')

    const moves = [
      ['', 'alice/before', 'alice/after'],
      [`/${prefix}`, 'free/tiny', 'free/renamed'],
    ] as const
    await createRepo(hub, 'alice', 'alice/before')
    for (const [at, fromRepo, toRepo] of moves) {
      await hub.fetch('alice', `${at}/api/repos/move`, post({ fromRepo, toRepo, type: 'model' }))
      for (const suffix of ['', '.git']) {
        const folder = `moved-${at.length}${suffix}`
        await git('', 'clone', '-q', remote(hub, null, `${at.slice(1)}/${fromRepo}${suffix}`), folder)
        expect(await git(folder, 'log', '--format=%s')).toBe('initial commit')
      }
    }
  })
})

describe('requests that are not right', () => {
  test('the dumb protocol is refused in words', async () => {
    for (const path of ['info/refs', 'HEAD', 'objects/info/packs', `objects/ab/${'c'.repeat(38)}`]) {
      const answer = await hub.fetch(null, `/${ID}/${path}`)
      expect(answer.status).toBe(403)
      expect(await answer.text()).toContain('smart protocol')
    }
    const old = await client.run('', ['ls-remote', remote(hub, null, ID)], { GIT_SMART_HTTP: '0' })
    expect(old.stderr).toContain('smart protocol')
    expect((await hub.fetch(null, `/${ID}/info/refs?service=git-upload-archive`)).status).toBe(403)
  })

  test('a want that is hidden in capital letters, or behind a NUL', async () => {
    const id = await createRepo(hub, 'alice', 'alice/capitals')
    const gone = await commit(hub, 'alice', id, [file('x', 'gone')])
    await hub.fetch('alice', `/api/models/${id}/super-squash/main`, post({}))
    for (const want of [gone, gone.toUpperCase(), `${gone}\0x`, `${gone} extra`]) {
      const body = packets('command=fetch', '0001', `want ${want}`, 'done', null)
      const answer = await hub.fetch(null, `/${id}/git-upload-pack`, {
        method: 'POST',
        body,
        headers: { 'Content-Type': 'application/x-git-upload-pack-request', 'Git-Protocol': 'version=2' },
      })
      expect(await answer.text()).toBe(packets(`ERR upload-pack: not our ref ${gone}`).toString())
    }
  })

  test('a shallow end at a commit that is gone does not bring what lies behind it', async () => {
    const id = await createRepo(hub, 'alice', 'alice/ends')
    const before = await commit(hub, 'alice', id, [file('x', 'a secret')])
    const gone = await commit(hub, 'alice', id, [file('x', 'nothing')])
    await hub.fetch('alice', `/api/models/${id}/super-squash/main`, post({}))
    const kept = await headOf(hub, 'alice', id)
    const tip = await commit(hub, 'alice', id, [file('y', 'y')])
    const deepen = 'deepen 2147483647'
    const told = async (version: string, body: Buffer) => {
      const headers = {
        'Content-Type': 'application/x-git-upload-pack-request',
        'Git-Protocol': `version=${version}`,
      }
      const asked = { method: 'POST', body, headers }
      return Buffer.from(await (await hub.fetch(null, `/${id}/git-upload-pack`, asked)).arrayBuffer())
    }
    const in2 = ['command=fetch', '0001', `want ${tip}`]
    const in0 = `want ${tip} shallow`
    for (const end of [gone, gone.toUpperCase(), before]) {
      const answer2 = await told('2', packets(...in2, `shallow ${end}`, deepen, 'done', null))
      expect(answer2.includes('PACK')).toBe(true)
      expect(answer2.toString('latin1')).not.toContain('unshallow')
      const answer0 = await told('0', packets(in0, `shallow ${end}`, deepen, null, 'done'))
      expect(answer0.includes('PACK')).toBe(true)
      expect(answer0.toString('latin1')).not.toContain('unshallow')
    }
    const honest = await told(
      '2',
      packets(...in2, `shallow ${gone}`, `shallow ${kept}`, deepen, 'done', null),
    )
    expect(honest.toString('latin1')).toContain(`unshallow ${kept}`)

    const filter = `filter sparse:oid=${before}:x`
    expect((await told('2', packets(...in2, filter, 'done', null))).toString()).toContain('not supported')
    // Beginnings of ids could be tried one by one.
    expect((await hub.fetch(null, `/api/models/${id}/revision/${gone.slice(0, 12)}`)).status).toBe(404)
    expect((await hub.fetch(null, `/api/models/${id}/revision/${kept.slice(0, 12)}`)).status).toBe(200)
  })

  const V2 = { 'Git-Protocol': 'version=2' }
  test.each<[string, string | Buffer, Record<string, string>, number]>([
    ['no packet', 'hello', {}, 400],
    ['a packet longer than git allows', 'fff1want', {}, 400],
    ['a packet that is not all there', '0032want ', {}, 400],
    ['a want without an object', packets('want hello', null), {}, 400],
    ['no command', packets('want x', null), V2, 400],
    ['another command', packets('command=object-info', null), V2, 400],
    ['a body that is not gzip', 'hello', { 'Content-Encoding': 'gzip' }, 400],
    ['a gzip that ends early', gzipSync('0000').subarray(0, 12), { 'Content-Encoding': 'gzip' }, 400],
    ['another encoding', '0000', { 'Content-Encoding': 'br' }, 415],
    ['another type', '0000', { 'Content-Type': 'text/plain' }, 415],
    ['a gzip bomb', gzipSync(Buffer.alloc(64 << 20, '0')), { 'Content-Encoding': 'gzip' }, 413],
  ])('%s', async (_name, body, headers, status) => {
    const answer = await ask(body, headers)
    expect([answer.status, answer.headers.get('Content-Type')]).toEqual([status, 'text/plain; charset=utf-8'])
    expect(await answer.text()).not.toBe('')
  })

  test('a request without wants is answered, in any encoding and without a length', async () => {
    for (const encoding of ['identity', 'gzip', 'x-gzip'])
      expect(
        (await ask(encoding === 'identity' ? '0000' : gzipSync('0000'), { 'Content-Encoding': encoding }))
          .status,
      ).toBe(200)
    const status = await new Promise((resolve, reject) => {
      const asked = raw(ID, { Expect: '100-continue', 'Transfer-Encoding': 'chunked' })
      asked.on('error', reject)
      asked.on('response', (answer) => void answer.resume().on('end', () => resolve(answer.statusCode)))
      asked.on('continue', () => {
        for (const byte of packets('command=ls-refs', '0001', 'peel', null)) asked.write(Buffer.of(byte))
        asked.end()
      })
      asked.flushHeaders()
    })
    expect(status).toBe(200)
  })

  test('a client that goes away ends its git', async () => {
    const id = await createRepo(hub, 'alice', 'alice/large')
    const noise = (n: number) =>
      Buffer.from(crypto.getRandomValues(new Uint8Array(48_000 + n))).toString('latin1')
    await commit(
      hub,
      'alice',
      id,
      Array.from({ length: 100 }, (_, n) => file(`${n}`, noise(n))),
    )
    const tip = await headOf(hub, 'alice', id)
    const asked = raw(id)
    asked.end(packets('command=fetch', '0001', `want ${tip}`, 'done', null))
    await new Promise((resolve) => void asked.once('response', (answer) => answer.once('readable', resolve)))
    expect(await running('upload-pack', id)).toBeGreaterThan(0)
    asked.destroy()
    await expect.poll(() => running('upload-pack', id)).toBe(0)
  })
})

/** Processes of that name that work on the repository. */
async function running(command: string, id: string): Promise<number> {
  const repo = await rowOf(id)
  const lines = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  )
  return lines.filter((line) => line.includes(command) && line.includes(repo.id)).length
}
