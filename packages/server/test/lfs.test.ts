/** LFS: hub-api.md §8. Addresses are signed and get no credential. */
import { startHub, TOKENS, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import {
  batch,
  batchBody,
  commit,
  commitBody,
  createRepo,
  file,
  lfsFile,
  sha256,
  uploadLfs,
} from './client.ts'
import { expectUnchanged } from './hub-state.ts'
import { announce, expectRefusal, post, refuses, type Refusal } from './refusal.ts'

const ID = 'alice/tiny'
const BATCH = `/${ID}.git/info/lfs/objects/batch`
const BASIC_MAX = 100
const PART = 40

let now = Date.UTC(2026, 0, 1)
let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ clock: () => now, lfs: { basicMaxBytes: BASIC_MAX, partBytes: PART } })
  await createRepo(hub, 'alice', ID)
})
afterAll(() => hub[Symbol.asyncDispose]())

const object = (content: string) => ({ oid: sha256(content), size: content.length })

async function addressFor(content: string): Promise<string> {
  const { objects } = await batch(hub, 'alice', ID, 'upload', [object(content)])
  return objects[0]?.actions?.['upload']?.href ?? ''
}

function upload(href: string, body: string): Promise<Response> {
  return fetch(href, { method: 'PUT', body })
}

describe('basic', () => {
  test('an object goes up, is verified, goes into a commit and comes down', async () => {
    const content = 'basic weights'
    const { transfer, objects } = await batch(hub, 'alice', ID, 'upload', [object(content)])
    expect(transfer).toBe('basic')
    const { upload: put, verify } = objects[0]?.actions ?? {}
    expect(put?.href.startsWith(`${hub.url}/`)).toBe(true)
    expect((await upload(put?.href ?? '', content)).status).toBe(200)
    const verified = await fetch(verify?.href ?? '', {
      ...post(object(content)),
      headers: { Authorization: `Basic ${btoa(`USER:${TOKENS.alice}`)}` },
    })
    expect(verified.status).toBe(200)
    await commit(hub, 'alice', ID, [lfsFile('basic.bin', content)])
    const down = await batch(hub, null, ID, 'download', [object(content)])
    const answer = await fetch(down.objects[0]?.actions?.['download']?.href ?? '')
    expect(await answer.text()).toBe(content)
  })

  test('what is there already needs no action', async () => {
    await uploadLfs(hub, 'alice', ID, 'known')
    const { objects } = await batch(hub, 'alice', ID, 'upload', [object('known')])
    expect(objects).toEqual([object('known')])
  })

  test('an address takes a range', async () => {
    await uploadLfs(hub, 'alice', ID, 'ranged content')
    const { objects } = await batch(hub, null, ID, 'download', [object('ranged content')])
    const href = objects[0]?.actions?.['download']?.href ?? ''
    const answer = await fetch(href, { headers: { Range: 'bytes=2-4' } })
    expect([answer.status, answer.headers.get('Content-Range'), await answer.text()]).toEqual([
      206,
      'bytes 2-4/14',
      'nge',
    ])
    await expectRefusal(await fetch(href, { headers: { Range: 'bytes=14-' } }), 'RangeNotSatisfiable')
  })

  test('an empty object is an object', async () => {
    const oid = await uploadLfs(hub, 'alice', ID, '')
    const { objects } = await batch(hub, null, ID, 'download', [{ oid, size: 0 }])
    expect(await (await fetch(objects[0]?.actions?.['download']?.href ?? '')).text()).toBe('')
  })
})

describe('multipart', () => {
  async function begin(content: string) {
    const { transfer, objects } = await batch(hub, 'alice', ID, 'upload', [object(content)])
    expect(transfer).toBe('multipart')
    const { href = '', header = {} } = objects[0]?.actions?.['upload'] ?? {}
    const parts = Object.keys(header)
      .filter((key) => /^\d+$/.test(key))
      .toSorted()
      .map((key) => header[key] ?? '')
    expect(header['chunk_size']).toBe(String(PART))
    expect(parts).toHaveLength(Math.ceil(content.length / PART))
    return { href, parts }
  }

  async function send(content: string, parts: readonly string[]) {
    const etags: { partNumber: number; etag: string }[] = []
    for (const [index, href] of parts.entries()) {
      const answer = await upload(href, content.slice(index * PART, (index + 1) * PART))
      expect(answer.status).toBe(200)
      etags.push({ partNumber: index + 1, etag: answer.headers.get('ETag') ?? '' })
    }
    return etags
  }

  test('an object goes up in parts', async () => {
    const content = 'multipart '.repeat(13)
    const { href, parts } = await begin(content)
    const etags = await send(content, parts)
    const done = await fetch(href, post({ oid: sha256(content), parts: etags }))
    expect(done.status).toBe(200)
    const { objects } = await batch(hub, null, ID, 'download', [object(content)])
    expect(await (await fetch(objects[0]?.actions?.['download']?.href ?? '')).text()).toBe(content)
  })

  test('parts that are missing, in doubt or wrong make no object', async () => {
    const content = 'incomplete'.repeat(13)
    const { href, parts } = await begin(content)
    const complete = (etags: object[]) => fetch(href, post({ oid: sha256(content), parts: etags }))
    const etags = await send(content, parts)
    await expectUnchanged(hub, async () => {
      await expectRefusal(await complete(etags.slice(1)), 'Invalid')
      await expectRefusal(await complete(etags.slice(0, -1)), 'Invalid')
      await expectRefusal(await complete([]), 'Invalid')
      await expectRefusal(await complete([...etags, ...etags]), 'Invalid')
      await expectRefusal(await complete(etags.map((part) => ({ ...part, etag: '"x"' }))), 'Invalid')
      await expectRefusal(await complete([{ partNumber: -1, etag: 'x' }]), 'BadRequest')
      await expectRefusal(await fetch(href, { method: 'POST', body: '{' }), 'BadRequest')
      await send('other text'.repeat(13), parts.slice(0, 1))
      await expectRefusal(await complete(etags), 'Invalid')
    })
  })

  test('bytes of another sha256 make no object', async () => {
    const content = 'promised! '.repeat(13)
    const { href, parts } = await begin(content)
    const etags = await send('delivered!'.repeat(13), parts)
    const answer = await expectUnchanged(hub, () => fetch(href, post({ oid: sha256(content), parts: etags })))
    await expectRefusal(answer, 'Invalid')
  })

  test('a part may be as long as promised and no longer', async () => {
    const { parts } = await begin('oversized!'.repeat(13))
    await expectUnchanged(hub, async () =>
      expectRefusal(await upload(parts[0] ?? '', 'x'.repeat(PART + 1)), 'TooLarge'),
    )
  })
})

describe('a batch', () => {
  const [good] = [object('anything')]
  const wrong = (body: unknown, refusal: Refusal = 'Invalid') => ({ path: BATCH, init: post(body), refusal })
  refuses(() => hub, {
    'broken JSON': { path: BATCH, init: { method: 'POST', body: '{' }, refusal: 'BadRequest' },
    'no objects': wrong({ operation: 'upload' }),
    'objects that are no list': wrong({ operation: 'upload', objects: {} }),
    'an unknown operation': wrong({ operation: 'delete', objects: [good] }),
    'another hash algorithm': wrong(
      { operation: 'upload', objects: [good], hash_algo: 'sha512' },
      'Conflict',
    ),
    'more objects than a batch may have': wrong(
      { operation: 'upload', objects: Array.from({ length: 1001 }, () => good) },
      'TooLarge',
    ),
    'an upload by a stranger': {
      as: 'bob',
      path: BATCH,
      init: batchBody('upload', [good]),
      refusal: 'Forbidden',
    },
    'an upload with a token that may only read': {
      as: 'reader',
      path: BATCH,
      init: batchBody('upload', [good]),
      refusal: 'Forbidden',
    },
    'an upload by nobody': {
      as: null,
      path: BATCH,
      init: batchBody('upload', [good]),
      refusal: 'Unauthenticated',
    },
  })

  test('tells which of its objects cannot be, and serves the others', async () => {
    await expectUnchanged(hub, async () => {
      const { objects } = await batch(hub, 'alice', ID, 'upload', [
        good,
        { oid: 'A'.repeat(64), size: 1 },
        { oid: '../../etc', size: 1 },
        { oid: sha256('x'), size: -1 },
        { oid: sha256('x'), size: 0.5 },
        { oid: sha256('x'), size: 2 ** 60 },
      ])
      expect(objects.map(({ error }) => error?.code)).toEqual([undefined, 422, 422, 422, 422, 422])
      expect(objects[0]?.actions).toHaveProperty('upload')
    })
  })

  test('an object that is not there, or in another size, does not come down', async () => {
    await uploadLfs(hub, 'alice', ID, 'present')
    const { objects } = await batch(hub, null, ID, 'download', [
      object('absent'),
      { oid: sha256('present'), size: 99 },
    ])
    expect(objects.map(({ error, actions }) => [error?.code, actions])).toEqual([
      [404, undefined],
      [422, undefined],
    ])
  })

  test('refuses a body beyond its limit', async () => {
    const answer = await expectUnchanged(hub, () => announce(hub, TOKENS.alice, BATCH, 2 ** 30))
    await expectRefusal(answer, 'TooLarge')
  })

  test('speaks the dialect of git-lfs, also when it refuses', async () => {
    const answer = await hub.fetch(null, BATCH, batchBody('upload', [good]))
    expect(answer.headers.get('Content-Type')).toBe('application/vnd.git-lfs+json')
    expect(answer.headers.get('WWW-Authenticate')).toMatch(/^Basic /)
    expect(await answer.json()).toMatchObject({ message: expect.any(String), request_id: expect.any(String) })
  })
})

describe('verify', () => {
  const path = `/${ID}.git/info/lfs/verify`

  // git-lfs takes `authenticated` to mean that no address of the object needs a credential.
  test('needs no credential at the address of a batch, in a private repository either', async () => {
    await createRepo(hub, 'alice', 'alice/hidden', { private: true })
    const { objects } = await batch(hub, 'alice', 'alice/hidden', 'upload', [object('hidden')])
    expect(objects[0]?.authenticated).toBe(true)
    const { upload: put, verify } = objects[0]?.actions ?? {}
    const verified = () => fetch(verify?.href ?? '', post(object('hidden')))
    await expectRefusal(await verified(), 'NotFound')
    expect((await upload(put?.href ?? '', 'hidden')).status).toBe(200)
    expect((await verified()).status).toBe(200)
    await expectRefusal(await fetch(verify?.href ?? '', post(object('other'))), 'Forbidden')
    const plain = await hub.fetch(null, '/alice/hidden.git/info/lfs/verify', post(object('hidden')))
    await expectRefusal(plain, { code: 'RepoNotFound', status: 401 })
  })

  refuses(() => hub, {
    'an object that is not there': { path, init: post(object('absent')), refusal: 'NotFound' },
    'another size': async () => {
      const oid = await uploadLfs(hub, 'alice', ID, 'verified')
      return { path, init: post({ oid, size: 1 }), refusal: 'Invalid' }
    },
    'an oid that is none': { path, init: post({ oid: 'x', size: 1 }), refusal: 'BadRequest' },
    'broken JSON': { path, init: { method: 'POST', body: '' }, refusal: 'BadRequest' },
  })
})

describe('an address', () => {
  const changed = (href: string, change: (url: URL) => void): string => {
    const url = new URL(href)
    change(url)
    return url.href
  }
  const forgeries: Record<string, (url: URL) => void> = {
    'without a signature': (url) => url.searchParams.delete('signature'),
    'with an empty signature': (url) => url.searchParams.set('signature', ''),
    'with another signature': (url) => url.searchParams.set('signature', 'A'.repeat(32)),
    'for another size': (url) => url.searchParams.set('size', '99'),
    'with a later expiry': (url) => url.searchParams.set('expires', '99999999999'),
    'with an expiry that is no number': (url) => url.searchParams.set('expires', 'never'),
    'for another object': (url) => void (url.pathname = url.pathname.replace(/[0-9a-f]{64}/, sha256('b'))),
    'for another repository': (url) => void (url.pathname = url.pathname.replace('tiny', 'other')),
    'for a missing repository': (url) => void (url.pathname = url.pathname.replace('tiny', 'none')),
  }

  test.each(Object.entries(forgeries))('%s is refused', async (_how, forge) => {
    if ((await hub.fetch(null, '/api/models/alice/other')).status !== 200)
      await createRepo(hub, 'alice', 'alice/other')
    const href = await addressFor('forged')
    await expectUnchanged(hub, async () =>
      expectRefusal(await upload(changed(href, forge), 'forged'), 'Forbidden'),
    )
  })

  test.each([
    ['negative', '-1'],
    ['text', 'x'],
  ])('with a size that is %s is refused', async (_what, size) => {
    const href = changed(await addressFor('forged'), (url) => url.searchParams.set('size', size))
    await expectUnchanged(hub, async () => expectRefusal(await upload(href, 'forged'), 'BadRequest'))
  })

  test('to write does not read, and the other way round', async () => {
    await uploadLfs(hub, 'alice', ID, 'both ways')
    const { objects } = await batch(hub, null, ID, 'download', [object('both ways')])
    const down = objects[0]?.actions?.['download']?.href ?? ''
    await expectUnchanged(hub, async () => {
      await expectRefusal(await upload(down, 'both ways'), 'Forbidden')
      await expectRefusal(await fetch(await addressFor('one way')), 'Forbidden')
    })
  })

  test('ends after a day', async () => {
    const href = await addressFor('late')
    now += 24 * 3600_000
    await expectUnchanged(hub, async () => expectRefusal(await upload(href, 'late'), 'Forbidden'))
  })

  test('takes the bytes that it is for and no others', async () => {
    const href = await addressFor('promised')
    await expectUnchanged(hub, async () => {
      await expectRefusal(await upload(href, 'promiser'), 'Invalid')
      await expectRefusal(await upload(href, 'short'), 'Invalid')
      await expectRefusal(await upload(href, ''), 'Invalid')
      await expectRefusal(await upload(href, 'promised and more'), 'TooLarge')
      await expectRefusal(await announce(hub, null, href, 2 ** 40, 'PUT'), 'TooLarge')
    })
    expect((await upload(href, 'promised')).status).toBe(200)
  })

  test('of a deleted repository is worth nothing', async () => {
    await createRepo(hub, 'alice', 'alice/gone')
    const { objects } = await batch(hub, 'alice', 'alice/gone', 'upload', [object('gone')])
    await hub.fetch('alice', '/api/repos/delete', post({ name: 'gone' }, 'DELETE'))
    await createRepo(hub, 'alice', 'alice/gone')
    const answer = await upload(objects[0]?.actions?.['upload']?.href ?? '', 'gone')
    await expectRefusal(answer, 'Forbidden')
  })
})

test('a hash that another repository has is no way to its bytes', async () => {
  await uploadLfs(hub, 'alice', ID, 'mine alone')
  for (const [as, id] of [
    ['alice', 'alice/second'],
    ['bob', 'bob/thief'],
  ] as const) {
    await createRepo(hub, as, id)
    const { objects } = await batch(hub, as, id, 'download', [object('mine alone')])
    expect(objects[0]?.error?.code).toBe(404)
    const up = await batch(hub, as, id, 'upload', [object('mine alone')])
    expect(up.objects[0]?.actions).toHaveProperty('upload')
    await expectRefusal(
      await hub.fetch(as, `/api/models/${id}/commit/main`, commitBody([lfsFile('x.bin', 'mine alone')])),
      'BadRequest',
    )
  }
})

test('a pointer committed as text needs its object like any other', async () => {
  await createRepo(hub, 'bob', 'bob/pointer')
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256('mine alone')}\nsize 10\n`
  await expectUnchanged(hub, async () => {
    const answer = await hub.fetch(
      'bob',
      '/api/models/bob/pointer/commit/main',
      commitBody([file('x.bin', pointer)]),
    )
    await expectRefusal(answer, 'BadRequest')
  })
})
