/** Which way each file should travel: hub-api.md §7.1, clients.md §0.12. */
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, createRepo, file, getJson, headOf, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { announce, expectRefusal, post, refuses } from './refusal.ts'

const ID = 'alice/tiny'
const PATH = `/api/models/${ID}/preupload/main`

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', ID)
  await uploadLfs(hub, 'alice', ID, 'weights')
  await commit(hub, 'alice', ID, [
    file('a.txt', 'a'),
    lfsFile('model.bin', 'weights'),
    file('.gitignore', '*.log\n'),
  ])
})
afterAll(() => hub[Symbol.asyncDispose]())

const b64 = (text: string | Uint8Array) => Buffer.from(text).toString('base64')
const entry = (path: string, sample: string | Uint8Array = 'text', size?: number) => ({
  path,
  sample: b64(sample),
  size: size ?? Buffer.from(sample).length,
})

interface Reply {
  commitOid: string
  files: { path: string; uploadMode: string; shouldIgnore: boolean; oid?: string }[]
}
const ask = (files: object[], more: object = {}): Promise<Reply> =>
  getJson<Reply>(hub, 'alice', PATH, post({ files, ...more }))

test('answers in the order of the request, for the commit that it looked at', async () => {
  const { files, commitOid } = await ask([entry('z'), entry('a'), entry('m')])
  expect(files.map(({ path }) => path)).toEqual(['z', 'a', 'm'])
  expect(commitOid).toBe(await headOf(hub, null, ID))
})

test('text goes into git, weights and large or binary files do not', async () => {
  const { files } = await ask([
    entry('b.txt'),
    entry('b.safetensors'),
    entry('zeros', new Uint8Array(10)),
    entry('latin', new Uint8Array([0x61, 0xe9])),
    entry('large.txt', 'text', 11 * 1024 * 1024),
    entry('empty.bin', ''),
    entry('.gitattributes'),
  ])
  expect(files.map(({ uploadMode }) => uploadMode)).toEqual([
    'regular',
    'lfs',
    'lfs',
    'lfs',
    'lfs',
    'regular',
    'regular',
  ])
})

test('says what lies there now: sha256 of LFS files, git ids of others', async () => {
  const { files } = await ask([entry('a.txt'), entry('model.bin'), entry('new.txt')])
  expect(files.map(({ oid }) => oid)).toEqual([
    '2e65efe2a145dda7ee51d1741299f848e5bf752e',
    sha256('weights'),
    undefined,
  ])
})

test('ignores what the repository ignores, and what the commit will', async () => {
  const { files } = await ask([entry('x.log'), entry('x.tmp'), entry('x.txt')], { gitIgnore: '*.tmp' })
  expect(files.map(({ shouldIgnore }) => shouldIgnore)).toEqual([true, true, false])
})

test("the commit's own .gitattributes stand in for the repository's", async () => {
  const { files } = await ask([entry('x.special'), entry('x.bin')], {
    gitAttributes: '*.special filter=lfs diff=lfs merge=lfs -text\n',
  })
  expect(files.map(({ uploadMode }) => uploadMode)).toEqual(['lfs', 'regular'])
})

describe('refusals', () => {
  const good = { files: [entry('a')] }
  const wrong = (body: unknown) => ({ path: PATH, init: post(body), refusal: 'BadRequest' as const })
  refuses(() => hub, {
    'an unknown revision': {
      path: `/api/models/${ID}/preupload/none`,
      init: post(good),
      refusal: 'RevisionNotFound',
    },
    'a pull request': { path: `${PATH}?create_pr=1`, init: post(good), refusal: 'NotImplemented' },
    'a pull request as old clients spell it': {
      path: `${PATH}?create_pr=True`,
      init: post(good),
      refusal: 'NotImplemented',
    },
    'create_pr that is no boolean': {
      path: `${PATH}?create_pr=perhaps`,
      init: post(good),
      refusal: 'BadRequest',
    },
    'a stranger': { as: 'bob', path: PATH, init: post(good), refusal: 'Forbidden' },
    'a token that may only read': { as: 'reader', path: PATH, init: post(good), refusal: 'Forbidden' },
    nobody: { as: null, path: PATH, init: post(good), refusal: 'Unauthenticated' },
    'broken JSON': { path: PATH, init: { method: 'POST', body: '{"files"' }, refusal: 'BadRequest' },
    'no files': wrong({}),
    'files that are no list': wrong({ files: {} }),
    'a negative size': wrong({ files: [entry('a', 'x', -1)] }),
    'a size with a fraction': wrong({ files: [entry('a', 'x', 0.5)] }),
    'a size that is text': wrong({ files: [{ ...entry('a'), size: '1' }] }),
    'a path of another type': wrong({ files: [{ ...entry('a'), path: 1 }] }),
    'a path beyond its limit': wrong({ files: [entry('x'.repeat(5000))] }),
    'a sample that is not base64': wrong({ files: [{ ...entry('a'), sample: '***' }] }),
    'a sample beyond its limit': wrong({ files: [entry('a', 'x'.repeat(600))] }),
    'more files than a request may name': {
      path: PATH,
      init: post({ files: Array.from({ length: 1001 }, (_, i) => entry(`f${i}`)) }),
      refusal: 'TooLarge',
    },
  })

  test('refuses a body that is too large', async () => {
    const answer = await expectUnchanged(hub, () => announce(hub, TOKENS.alice, PATH, 2 ** 30))
    await expectRefusal(answer, 'TooLarge')
  })
})
