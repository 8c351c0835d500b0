/** Pulling GGUF files as Ollama does (clients.md §3), and the question of older llama.cpp. */
import { generateGguf } from '@cairn/testkit/gguf-content'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { commit, commitBody, createRepo, file, getJson, lfsFile, sha256, uploadLfs } from './client.ts'
import { expectRefusal, post, refuses } from './refusal.ts'
import { casAccess, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

interface Layer {
  digest: string
  mediaType: string
  size: number
}
interface Manifest {
  schemaVersion: number
  mediaType: string
  config: Layer
  layers: Layer[]
}

const ID = 'alice/llama-GGUF'
const BIG = generateGguf({ architecture: 'llama', seed: 1, weightCount: 50_000 })
const SMALL = generateGguf({ architecture: 'llama', seed: 2, weightCount: 100 })
const XET = makeXetFile(7)
const TEMPLATE = '{{ .Prompt }}\n'
const LLAMA_CPP = { 'User-Agent': 'llama-cpp', Accept: 'application/json' }
const digestOf = (bytes: Uint8Array | string) => `sha256:${sha256(bytes)}`
const lines = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1')

async function upload(id: string, path: string, bytes: Uint8Array) {
  await uploadLfs(hub, 'alice', id, bytes)
  return lfsFile(path, bytes)
}

let hub: TestHub
beforeAll(async () => {
  hub = await startHub()
  await createRepo(hub, 'alice', ID)
  await uploadXet(await casAccess(hub, 'alice', ID, 'write'), XET)
  await commit(hub, 'alice', ID, [
    await upload(ID, 'llama-Q4_K_M.gguf', BIG),
    xetLine('llama-Q8_0.gguf', XET),
    {
      key: 'file',
      value: { path: 'llama-Q2_K.gguf', content: Buffer.from(SMALL).toString('base64'), encoding: 'base64' },
    },
    await upload(ID, 'mmproj-F16.gguf', Buffer.from('sees')),
    await upload(ID, 'notes.bin', Buffer.from('no layer')),
    file('template', TEMPLATE),
    file('params', '{"temperature":0.5}'),
    file('system', 'Be brief.'),
    file('LICENSE', 'MIT'),
    file('README.md', 'a card'),
  ])
})
afterAll(() => hub[Symbol.asyncDispose]())

const at = (path: string, id = ID) => `/v2/${id}/${path}`
const manifest = (tag: string, id = ID) => getJson<Manifest>(hub, null, at(`manifests/${tag}`, id))
const layerOf = ({ layers }: Manifest, kind: string) =>
  layers.find(({ mediaType }) => mediaType === `application/vnd.ollama.image.${kind}`)?.digest

describe('a manifest', () => {
  test('names every layer with type, digest and size', async () => {
    const answer = await hub.fetch(null, at('manifests/Q4_K_M'))
    const text = await answer.text()
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/vnd.docker.distribution.manifest.v2+json',
      'docker-content-digest': digestOf(text),
    })
    const layer = (kind: string, bytes: Uint8Array | string) => ({
      digest: digestOf(bytes),
      mediaType: `application/vnd.ollama.image.${kind}`,
      size: Buffer.byteLength(bytes),
    })
    expect((JSON.parse(text) as Manifest).layers).toEqual([
      layer('model', BIG),
      layer('projector', 'sees'),
      layer('template', TEMPLATE),
      layer('system', 'Be brief.'),
      layer('params', '{"temperature":0.5}'),
      layer('license', 'MIT'),
    ])
  })

  test('HEAD answers as GET without the body', async () => {
    const got = await hub.fetch(null, at('manifests/latest'))
    const head = await hub.fetch(null, at('manifests/latest'), { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    for (const name of ['Content-Length', 'Content-Type', 'Docker-Content-Digest', 'ETag'])
      expect(head.headers.get(name)).toBe(got.headers.get(name))
    expect(Number(head.headers.get('Content-Length'))).toBe((await got.arrayBuffer()).byteLength)
  })

  test.each([
    ['latest', BIG],
    ['q4_k_m', BIG],
    ['llama-Q4_K_M.gguf', BIG],
    ['Q8_0', XET.content],
    ['LLAMA-q8_0', XET.content],
    ['Q2_K', SMALL],
  ])('of the tag %s names the right model', async (tag, bytes) => {
    expect(layerOf(await manifest(tag), 'model')).toBe(digestOf(bytes))
  })

  test('names a config that says what the head of the file says', async () => {
    const { config, layers } = await manifest('latest')
    const blob = await hub.fetch(null, at(`blobs/${config.digest}`))
    const text = await blob.text()
    expect([digestOf(text), text.length]).toEqual([config.digest, config.size])
    expect(JSON.parse(text)).toMatchObject({
      model_family: 'llama',
      model_type: '50K',
      file_type: 'Q4_K_M',
      rootfs: { diff_ids: layers.map(({ digest }) => digest) },
    })
  })

  test('follows the repository', async () => {
    const id = await createRepo(hub, 'alice', 'alice/moving')
    await commit(hub, 'alice', id, [await upload(id, 'a-Q4_0.gguf', SMALL), file('system', 'old')])
    const before = await manifest('latest', id)
    await commit(hub, 'alice', id, [file('system', 'new')])
    const after = await manifest('latest', id)
    expect([layerOf(before, 'system'), layerOf(after, 'system')]).toEqual([digestOf('old'), digestOf('new')])
    expect(layerOf(after, 'model')).toBe(layerOf(before, 'model'))
    await expectRefusal(await hub.fetch(null, at(`blobs/${digestOf('old')}`, id)), 'EntryNotFound')
    await expectRefusal(await hub.fetch(null, at(`blobs/${before.config.digest}`, id)), 'EntryNotFound')
  })

  test('is the same from a hub that has just started', async () => {
    const before = await manifest('Q2_K')
    hub.hub.ops.caches.pulls.clear()
    // The config is asked for before any manifest made it.
    const blob = await hub.fetch(null, at(`blobs/${before.config.digest}`))
    expect(digestOf(await blob.text())).toBe(before.config.digest)
    expect(await manifest('Q2_K')).toEqual(before)
  })
})

describe('a blob', () => {
  test.each([
    ['in LFS', BIG],
    ['in Xet', XET.content],
    ['in git', SMALL],
    ['a text', Buffer.from(TEMPLATE)],
    ['a projector', Buffer.from('sees')],
  ])('%s comes whole and in ranges', async (_, bytes) => {
    const path = at(`blobs/${digestOf(bytes)}`)
    const head = await hub.fetch(null, path, { method: 'HEAD' })
    expect(Object.fromEntries(head.headers)).toMatchObject({
      'content-length': String(bytes.length),
      'accept-ranges': 'bytes',
      'docker-content-digest': digestOf(bytes),
      'content-type': 'application/octet-stream',
      location: hub.url + path,
    })
    const whole = await hub.fetch(null, path)
    expect(lines(new Uint8Array(await whole.arrayBuffer()))).toBe(lines(bytes))
    const [start, end] = [1, bytes.length - 2]
    const part = await hub.fetch(null, path, { headers: { Range: `bytes=${start}-${end}` } })
    expect([part.status, part.headers.get('Content-Range')]).toEqual([
      206,
      `bytes ${start}-${end}/${bytes.length}`,
    ])
    expect(lines(new Uint8Array(await part.arrayBuffer()))).toBe(lines(bytes.subarray(start, end + 1)))
  })

  test('is there only if a manifest of this repository names it', async () => {
    const card = digestOf('a card')
    const aside = digestOf('no layer')
    for (const digest of [card, aside, digestOf('nothing')])
      await expectRefusal(await hub.fetch('alice', at(`blobs/${digest}`)), 'EntryNotFound')
    const other = await createRepo(hub, 'alice', 'alice/other-GGUF')
    await uploadLfs(hub, 'alice', other, 'never committed')
    await commit(hub, 'alice', other, [await upload(other, 'x-Q4_0.gguf', Buffer.from('other'))])
    for (const bytes of [BIG, 'never committed', TEMPLATE])
      await expectRefusal(await hub.fetch('alice', at(`blobs/${digestOf(bytes)}`, other)), 'EntryNotFound')
  })

  test('counts as a download once, and its texts do not', async () => {
    const id = await createRepo(hub, 'alice', 'alice/counted')
    await commit(hub, 'alice', id, [await upload(id, 'x.gguf', SMALL), file('system', 'hi')])
    const drain = async (digest: string, init: RequestInit = {}) =>
      (await hub.fetch(null, at(`blobs/${digest}`, id), init)).arrayBuffer()
    const counted = async () => {
      await hub.hub.ops.downloads.flush()
      return (await getJson(hub, null, `/api/models/${id}`))['downloads']
    }
    await drain(digestOf('hi'))
    await drain(digestOf(SMALL), { method: 'HEAD' })
    expect(await counted()).toBe(0)
    await drain(digestOf(SMALL))
    await drain(digestOf(SMALL), { headers: { Range: 'bytes=0-99' } })
    expect(await counted()).toBe(1)
  })
})

describe('llama.cpp that asks for names', () => {
  const names = async (tag: string, id = ID) => {
    const answer = await getJson<
      Record<string, { rfilename: string; size: number; sha256: string } | undefined>
    >(hub, null, at(`manifests/${tag}`, id), { headers: LLAMA_CPP })
    return [answer['ggufFile']?.rfilename, answer['mmprojFile']?.rfilename]
  }

  test('is told the files for a tag', async () => {
    expect(await names('latest')).toEqual(['llama-Q4_K_M.gguf', 'mmproj-F16.gguf'])
    expect(await names('q8_0')).toEqual(['llama-Q8_0.gguf', 'mmproj-F16.gguf'])
    const newer = await hub.fetch(null, at('manifests/latest'), {
      headers: { 'User-Agent': 'llama-cpp/b7123' },
    })
    expect(await newer.json()).toMatchObject({
      ggufFile: { rfilename: 'llama-Q4_K_M.gguf', size: BIG.length, sha256: sha256(BIG) },
    })
  })

  test('is told the first part of a split model, which Ollama is refused', async () => {
    const id = await createRepo(hub, 'alice', 'alice/split')
    const part = (index: number) => `BF16/big-0000${index}-of-00002.gguf`
    await commit(hub, 'alice', id, [
      await upload(id, part(1), Buffer.from('one')),
      await upload(id, part(2), Buffer.from('two')),
    ])
    expect(await names('bf16', id)).toEqual([part(1), undefined])
    expect(await names('latest', id)).toEqual([part(1), undefined])
    const refused = await expectRefusal(await hub.fetch(null, at('manifests/latest', id)), 'BadRequest')
    expect(refused['errors']).toEqual([
      { code: 'MANIFEST_UNKNOWN', message: expect.stringContaining('2 parts') },
    ])
    await expectRefusal(await hub.fetch(null, at(`blobs/${digestOf('one')}`, id)), 'EntryNotFound')
  })

  test('also under the prefix of a registry', async () => {
    await hub.hub.ops.catalog.tx(async (rows) => {
      const acme = await rows.accounts.getByName('acme')
      await rows.registries.insert({ id: 'lab', orgId: acme?.id ?? '', slug: 'lab', createdAt: 0 })
    })
    const prefix = '/acme/lab/huggingface'
    await getJson(hub, 'alice', `${prefix}/api/repos/create`, post({ name: 'm', organization: 'any' }))
    const path = `${prefix}/api/models/any/m/commit/main`
    await getJson(hub, 'alice', path, commitBody([file('m-Q5_0.gguf', SMALL)]))
    expect(
      await getJson(hub, null, `${prefix}/v2/any/m/manifests/Q5_0`, { headers: LLAMA_CPP }),
    ).toMatchObject({
      ggufFile: { rfilename: 'm-Q5_0.gguf' },
    })
    await expectRefusal(await hub.fetch('alice', '/v2/any/m/manifests/Q5_0'), 'RepoNotFound')
    const refused = await hub.fetch(null, `${prefix}/v2/any/none/manifests/Q5_0`)
    expect(refused.headers.get('WWW-Authenticate')).toContain(`realm="${hub.url}${prefix}/v2/token"`)
  })
})

describe('a refusal', () => {
  test('has the form of a container registry', async () => {
    const errors = async (path: string, as: 'alice' | null = 'alice') =>
      (
        (await (await hub.fetch(as, path)).json()) as { errors: { code: string; message: string }[] }
      ).errors.map(({ code }) => code)
    expect(await errors(at('manifests/latest', 'alice/none'))).toEqual(['NAME_UNKNOWN'])
    expect(await errors(at('manifests/latest', 'alice/none'), null)).toEqual(['UNAUTHORIZED'])
    expect(await errors(at('manifests/Q3_K_S'))).toEqual(['MANIFEST_UNKNOWN'])
    expect(await errors(at(`blobs/${digestOf('x')}`))).toEqual(['BLOB_UNKNOWN'])
    expect(await errors(at('tags/list'))).toEqual(['UNSUPPORTED'])
    expect(await errors('/v2/token')).toEqual(['UNSUPPORTED'])
    expect(await (await hub.fetch(null, '/v2/')).json()).toEqual({})
  })

  test('of a tag names those that are there', async () => {
    const { errors } = (await (await hub.fetch(null, at('manifests/nope'))).json()) as {
      errors: { message: string }[]
    }
    expect(errors[0]?.message).toBe(`${ID} has no tag 'nope'; it has Q2_K, Q4_K_M, Q8_0`)
  })

  test('of a client without a token leads to an address on this host that says why', async () => {
    const answer = await hub.fetch(null, at('manifests/latest', 'alice/none'))
    const challenge = answer.headers.get('WWW-Authenticate') ?? ''
    const realm = /^Bearer realm="([^"]+)",service="cairn",scope="repository:alice\/none:pull"$/.exec(
      challenge,
    )?.[1]
    expect(realm).toBe(`${hub.url}/v2/token`)
    // As Ollama signs it: a key and a signature, of no scheme that HTTP knows.
    const asked = await fetch(`${realm}?service=cairn&nonce=x`, {
      headers: { Authorization: 'AAAAC3Nz:c2ln' },
    })
    await expectRefusal(asked, 'NotImplemented')
  })

  refuses(() => hub, {
    'a digest of another algorithm': {
      path: at(`blobs/sha512:${'a'.repeat(128)}`),
      refusal: 'EntryNotFound',
    },
    'a digest in upper case': { path: at(`blobs/${digestOf(BIG).toUpperCase()}`), refusal: 'EntryNotFound' },
    'a digest that climbs': { path: at('blobs/sha256:..%2f..%2fsecrets.json'), refusal: 'EntryNotFound' },
    'a tag that is a pattern': { path: at('manifests/.*'), refusal: 'BadRequest' },
    'a tag with a line break': { path: at('manifests/a%0d%0aX: y'), refusal: 'BadRequest' },
    'a repository without GGUF files': async () => ({
      path: at('manifests/latest', await createRepo(hub, 'alice', 'alice/plain')),
      refusal: 'BadRequest',
    }),
    'a range behind the end': {
      path: at(`blobs/${digestOf(TEMPLATE)}`),
      init: { headers: { Range: 'bytes=1000-' } },
      refusal: 'RangeNotSatisfiable',
    },
  })

  test.each([
    ['params that are no JSON object', 'params', '[1]'],
    ['params that are no JSON', 'params', 'temperature 1'],
    ['a template of more than a megabyte', 'template', 'x'.repeat(1024 * 1024 + 1)],
  ])('meets %s', async (_, path, content) => {
    const id = await createRepo(hub, 'alice', `alice/wrong-${path}-${content.length}`)
    await commit(hub, 'alice', id, [await upload(id, 'x.gguf', SMALL), file(path, content)])
    await expectRefusal(await hub.fetch(null, at('manifests/latest', id)), 'BadRequest')
    // llama.cpp has no use for them.
    expect(await getJson(hub, null, at('manifests/latest', id), { headers: LLAMA_CPP })).toMatchObject({
      ggufFile: { rfilename: 'x.gguf' },
    })
  })
})

test('a private repository opens to its tokens, and its digests to nobody else', async () => {
  const id = await createRepo(hub, 'alice', 'alice/hidden', { private: true })
  await commit(hub, 'alice', id, [await upload(id, 'x-Q4_0.gguf', BIG)])
  const { config } = await getJson<Manifest>(hub, 'reader', at('manifests/latest', id))
  for (const digest of [config.digest, digestOf(BIG)]) {
    expect((await hub.fetch('reader', at(`blobs/${digest}`, id), { method: 'HEAD' })).status).toBe(200)
    await expectRefusal(await hub.fetch('bob', at(`blobs/${digest}`, id)), 'RepoNotFound')
    await expectRefusal(await hub.fetch(null, at(`blobs/${digest}`, id)), {
      code: 'RepoNotFound',
      status: 401,
    })
  }
})

test('a renamed repository leads to its new name', async () => {
  await createRepo(hub, 'alice', 'alice/before')
  await commit(hub, 'alice', 'alice/before', [await upload('alice/before', 'x-Q4_0.gguf', BIG)])
  const move = post({ fromRepo: 'alice/before', toRepo: 'alice/after', type: 'model' })
  expect((await hub.fetch('alice', '/api/repos/move', move)).status).toBe(200)
  const answer = await hub.fetch(null, at('manifests/latest', 'alice/before'), { redirect: 'manual' })
  expect([answer.status, answer.headers.get('Location')]).toEqual([307, '/v2/alice/after/manifests/latest'])
  expect(layerOf(await manifest('latest', 'alice/before'), 'model')).toBe(digestOf(BIG))
})
