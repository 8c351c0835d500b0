/** Commits over HTTP: hub-api.md §7.2. */
import { execFileSync } from 'node:child_process'

import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  commit,
  commitBody,
  createRepo,
  file,
  getJson,
  headOf,
  lfsFile,
  sha256,
  uploadLfs,
} from './client.ts'
import { expectUnchanged, hubState } from './hub-state.ts'
import { announce, expectRefusal, post, refuses, type Refusal } from './refusal.ts'

const ID = 'alice/tiny'
const PATH = `/api/models/${ID}/commit/main`

let hub: TestHub
let first: string
let head: string
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', ID)
  first = await headOf(hub, 'alice', ID)
  head = await commit(hub, 'alice', ID, [file('a.txt', 'a'), file('dir/b.txt', 'b')])
  await getJson(hub, 'alice', `/api/models/${ID}/tag/main`, post({ tag: 'v1' }))
})
afterAll(() => hub[Symbol.asyncDispose]())

/** A repository of its own for stories that change it. */
async function fresh(name: string): Promise<string> {
  const id = await createRepo(hub, 'alice', `alice/${name}`)
  await commit(hub, 'alice', id, [file('a.txt', 'a'), file('dir/b.txt', 'b'), file('dir/c.txt', 'c')])
  return id
}

async function files(id: string, revision = 'main'): Promise<string[]> {
  const entries = await getJson<{ path: string; type: string }[]>(
    hub,
    null,
    `/api/models/${id}/tree/${revision}?recursive=true`,
  )
  return entries.filter(({ type }) => type === 'file').map(({ path }) => path)
}

describe('operations', () => {
  test('one commit puts, replaces, deletes and moves', async () => {
    const id = await fresh('all-operations')
    await commit(hub, 'alice', id, [
      file('a.txt', 'new'),
      { key: 'file', value: { path: 'utf8.txt', content: 'größe', encoding: 'utf-8' } },
      { key: 'deletedFile', value: { path: 'dir/b.txt' } },
      { key: 'file', value: { path: 'moved.txt', content: '', encoding: 'utf-8', oldPath: 'dir/c.txt' } },
    ])
    expect(await files(id)).toEqual(['.gitattributes', 'a.txt', 'moved.txt', 'utf8.txt'])
    expect(await (await hub.fetch(null, `/${id}/resolve/main/utf8.txt`)).text()).toBe('größe')
  })

  test.each(['dir', 'dir/'])('a folder goes as %s', async (path) => {
    const id = await fresh(`folder-${path.length}`)
    await commit(hub, 'alice', id, [{ key: 'deletedFolder', value: { path } }])
    expect(await files(id)).toEqual(['.gitattributes', 'a.txt'])
  })

  test('an LFS file becomes a pointer, and .gitattributes learn of it', async () => {
    const id = await fresh('pointers')
    await uploadLfs(hub, 'alice', id, 'weights')
    await commit(hub, 'alice', id, [lfsFile('odd name.txt', 'weights')])
    const pointer = await (await hub.fetch(null, `/${id}/raw/main/odd%20name.txt`)).text()
    expect(pointer).toBe(
      `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256('weights')}\nsize 7\n`,
    )
    const attributes = await (await hub.fetch(null, `/${id}/raw/main/.gitattributes`)).text()
    expect(attributes.trimEnd().split('\n').at(-1)).toMatch(/filter=lfs/)
  })

  test('a copy needs no size', async () => {
    const id = await fresh('copies')
    await uploadLfs(hub, 'alice', id, 'weights')
    await commit(hub, 'alice', id, [lfsFile('one.bin', 'weights')])
    const value = { path: 'two.bin', algo: 'sha256', oid: sha256('weights') }
    await commit(hub, 'alice', id, [{ key: 'lfsFile', value }])
    expect(await (await hub.fetch(null, `/${id}/resolve/main/two.bin`)).text()).toBe('weights')
  })

  test('a commit that changes nothing answers with the head', async () => {
    const id = await fresh('unchanged')
    const before = await headOf(hub, null, id)
    expect(await commit(hub, 'alice', id, [file('a.txt', 'a')])).toBe(before)
  })

  test('the answer has the addresses that clients cut apart', async () => {
    const id = await fresh('answer')
    const reply = await getJson(hub, 'alice', `/api/models/${id}/commit/main`, commitBody([file('x', 'x')]))
    expect(reply).toEqual({
      success: true,
      commitOid: expect.stringMatching(/^[0-9a-f]{40}$/),
      commitUrl: `${hub.url}/${id}/commit/${String(reply['commitOid'])}`,
      hookOutput: '',
    })
  })
})

test('commits are those that git would make', async () => {
  const id = await fresh('real-git')
  const oid = await commit(hub, 'alice', id, [file('deep/er/x.txt', 'x')], {
    summary: 'A summary',
    description: 'and\nmore',
  })
  const repo = await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'real-git')
  const gitDir = `${hub.dataDir}/repos/${repo?.id.slice(-2)}/${repo?.id}.git`
  const git = (...args: string[]) => execFileSync('git', ['--git-dir', gitDir, ...args], { encoding: 'utf8' })
  expect(git('rev-parse', 'main').trim()).toBe(oid)
  expect(git('log', '-1', '--format=%an|%ae|%B', oid).trim()).toBe(
    'alice|alice@users.noreply.cairn|A summary\n\nand\nmore',
  )
  const raw = execFileSync('git', ['--git-dir', gitDir, 'cat-file', 'commit', oid])
  expect(
    execFileSync('git', ['hash-object', '-t', 'commit', '--stdin'], { input: raw, encoding: 'utf8' }).trim(),
  ).toBe(oid)
  expect(await hub.hub.ops.git.fsck(repo?.id ?? '')).toEqual([])
})

describe('parentCommit', () => {
  test('may be given whole or short', async () => {
    const id = await fresh('parents')
    const one = await commit(hub, 'alice', id, [file('x', '1')], {
      parentCommit: await headOf(hub, null, id),
    })
    const two = await commit(hub, 'alice', id, [file('x', '2')], { parentCommit: one.slice(0, 7) })
    expect(await headOf(hub, null, id)).toBe(two)
  })

  test('sent again after success answers the same commit', async () => {
    const id = await fresh('repeated')
    const parentCommit = await headOf(hub, null, id)
    const send = () => commit(hub, 'alice', id, [file('x', '1')], { parentCommit })
    const oid = await send()
    const before = await hubState(hub)
    expect(await send()).toBe(oid)
    expect(await hubState(hub)).toEqual(before)
  })

  test('the same parent with another change, message or author is not a repetition', async () => {
    const id = await createRepo(hub, 'alice', 'acme/not-repeated')
    await hub.hub.ops.catalog.tx(async (rows) => {
      const [acme, bob] = [await rows.accounts.getByName('acme'), await rows.accounts.getByName('bob')]
      await rows.accounts.setMember({ orgId: acme?.id ?? '', userId: bob?.id ?? '', role: 'write' })
    })
    const parentCommit = await headOf(hub, null, id)
    await commit(hub, 'alice', id, [file('x', '1')], { parentCommit })
    const send = (as: 'alice' | 'bob', content: string, summary: string) =>
      hub.fetch(
        as,
        `/api/models/${id}/commit/main`,
        commitBody([file('x', content)], { parentCommit, summary }),
      )
    await expectUnchanged(hub, async () => {
      await expectRefusal(await send('alice', '2', 'change'), 'StaleParent')
      await expectRefusal(await send('alice', '1', 'another summary'), 'StaleParent')
      await expectRefusal(await send('bob', '1', 'change'), 'StaleParent')
    })
  })
})

describe('refusals', () => {
  const wrong = (operation: { key: string; value: unknown }, refusal: Refusal, header = {}) => ({
    path: PATH,
    init: commitBody([file('fine.txt', 'fine'), operation], header),
    refusal,
  })
  const text = (body: string) => ({ path: PATH, init: { method: 'POST', body } })
  const put = (path: unknown) => ({ key: 'file', value: { path, content: '', encoding: 'base64' } })
  const header = '{"key":"header","value":{"summary":"s","description":""}}'

  refuses(() => hub, {
    'a stale parent': () => wrong(file('x', 'x'), 'StaleParent', { parentCommit: first }),
    'a parent that never was': wrong(file('x', 'x'), 'StaleParent', { parentCommit: '0'.repeat(40) }),
    'a parent that is no id': wrong(file('x', 'x'), 'BadRequest', { parentCommit: 'main' }),
    'a parent that is too short': wrong(file('x', 'x'), 'BadRequest', { parentCommit: 'abc' }),
    'a pull request': { ...wrong(file('x', 'x'), 'NotImplemented'), path: `${PATH}?create_pr=1` },
    'a hot reload': { ...wrong(file('x', 'x'), 'NotImplemented'), path: `${PATH}?hot_reload=1` },
    'an unknown branch': {
      ...wrong(file('x', 'x'), 'RevisionNotFound'),
      path: `/api/models/${ID}/commit/none`,
    },
    'a tag': { ...wrong(file('x', 'x'), 'RevisionNotFound'), path: `/api/models/${ID}/commit/v1` },
    'an id': () => ({
      ...wrong(file('x', 'x'), 'RevisionNotFound'),
      path: `/api/models/${ID}/commit/${head}`,
    }),
    'a stranger': { ...wrong(file('x', 'x'), 'Forbidden'), as: 'bob' },
    'a token that may only read': { ...wrong(file('x', 'x'), 'Forbidden'), as: 'reader' },
    nobody: { ...wrong(file('x', 'x'), 'Unauthenticated'), as: null },

    'an empty body': { ...text(''), refusal: 'BadRequest' },
    'a header alone that is cut short': { ...text(header.slice(0, -3)), refusal: 'BadRequest' },
    'a line that is no JSON': { ...text(`${header}\n{"key":"file",`), refusal: 'BadRequest' },
    'a line that is no object': { ...text(`${header}\n[]`), refusal: 'BadRequest' },
    'no header': { ...text(JSON.stringify(file('x', 'x'))), refusal: 'BadRequest' },
    'two headers': { ...text(`${header}\n${header}`), refusal: 'BadRequest' },
    'an empty summary': wrong(file('x', 'x'), 'BadRequest', { summary: ' ' }),
    'a summary of another type': wrong(file('x', 'x'), 'BadRequest', { summary: 7 }),
    'a summary with NUL': wrong(file('x', 'x'), 'BadRequest', { summary: 'a\0b' }),
    'a summary beyond its limit': wrong(file('x', 'x'), 'BadRequest', { summary: 'x'.repeat(10_000) }),
    'bytes that are not UTF-8': {
      path: PATH,
      init: { method: 'POST', body: Buffer.concat([Buffer.from(header), Buffer.from([10, 0xff, 0xfe])]) },
      refusal: 'BadRequest',
    },
    'an unknown operation': wrong({ key: 'copyFile', value: { path: 'x' } }, 'BadRequest'),
    'an operation named like a member of objects': wrong({ key: '__proto__', value: {} }, 'BadRequest'),
    'content that is not base64': wrong(
      { key: 'file', value: { path: 'x', content: '!', encoding: 'base64' } },
      'BadRequest',
    ),
    'an unknown encoding': wrong(
      { key: 'file', value: { path: 'x', content: '', encoding: 'hex' } },
      'BadRequest',
    ),
    'content of another type': wrong({ key: 'file', value: { path: 'x', content: 7 } }, 'BadRequest'),
    'a path of another type': wrong(put(7), 'BadRequest'),
    'an inline file beyond its limit': wrong(file('x', 'x'.repeat(11 * 1024 * 1024)), 'TooLarge'),
    'a line beyond its limit': wrong(file('x', 'x'.repeat(13 * 1024 * 1024)), 'TooLarge'),

    ...Object.fromEntries(
      [
        '',
        '..',
        '../x',
        'a/../x',
        './x',
        '/x',
        'x/',
        'a//x',
        '.git',
        '.git/config',
        'a/.GIT/hooks/x',
        'git~1/x',
        '.g\u200cit/x',
        'a\\b',
        'a\0b',
        'a\nb',
        'x'.repeat(256),
        'a/'.repeat(130) + 'x',
        'ü/'.repeat(2000) + 'x',
      ].map((path) => [`the path ${JSON.stringify(path).slice(0, 24)}`, wrong(put(path), 'Invalid')]),
    ),
    'an old path out of the repository': wrong(
      { key: 'file', value: { path: 'x', content: '', oldPath: '../a.txt' } },
      'Invalid',
    ),
    'a file where a folder is': wrong(file('dir', 'x'), 'Invalid'),
    'a file below a file': wrong(file('a.txt/x', 'x'), 'Invalid'),
    'a file and a folder of one name': wrong(file('fine.txt/x', 'x'), 'Invalid'),

    'the deletion of a missing file': wrong({ key: 'deletedFile', value: { path: 'none' } }, 'EntryNotFound'),
    'the deletion of a folder as a file': wrong(
      { key: 'deletedFile', value: { path: 'dir' } },
      'EntryNotFound',
    ),
    'the deletion of a missing folder': wrong(
      { key: 'deletedFolder', value: { path: 'none' } },
      'EntryNotFound',
    ),
    'the deletion of a file as a folder': wrong(
      { key: 'deletedFolder', value: { path: 'a.txt' } },
      'EntryNotFound',
    ),
    'the deletion of everything': wrong({ key: 'deletedFolder', value: { path: '/' } }, 'Invalid'),

    'an LFS object that was never uploaded': wrong(lfsFile('x.bin', 'never uploaded'), 'BadRequest'),
    'an oid in capitals': wrong(
      { key: 'lfsFile', value: { path: 'x', algo: 'sha256', oid: 'A'.repeat(64), size: 1 } },
      'BadRequest',
    ),
    'another hash': wrong(
      { key: 'lfsFile', value: { path: 'x', algo: 'md5', oid: 'a'.repeat(64), size: 1 } },
      'BadRequest',
    ),
    'a negative size': wrong(
      { key: 'lfsFile', value: { path: 'x', algo: 'sha256', oid: 'a'.repeat(64), size: -1 } },
      'BadRequest',
    ),
    'an LFS object in another size': async () => {
      const oid = await uploadLfs(hub, 'alice', ID, 'seven77')
      return wrong({ key: 'lfsFile', value: { path: 'x', algo: 'sha256', oid, size: 8 } }, 'BadRequest')
    },
  })

  test('the deletion of a missing file has the words that clients look for', async () => {
    const answer = await hub.fetch(
      'alice',
      PATH,
      commitBody([{ key: 'deletedFile', value: { path: 'none.txt' } }]),
    )
    expect(answer.headers.get('X-Error-Message')).toContain("A file with this name doesn't exist")
    await expectRefusal(answer, 'EntryNotFound')
  })

  test('refuses a body beyond its limit before it is sent', async () => {
    const answer = await expectUnchanged(hub, () => announce(hub, TOKENS.alice, PATH, 2 ** 42))
    await expectRefusal(answer, 'TooLarge')
  })
})
