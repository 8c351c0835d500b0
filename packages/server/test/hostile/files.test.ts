/**
 * Files that lie about themselves. They are files all the same: they can be committed and fetched, and neither the
 * repository's page nor a list of others suffers from what is in them.
 */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { commit, createRepo, file, getJson } from '../client.ts'
import { longestHold } from './event-loop.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub()
})

afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

function content(path: string, bytes: Uint8Array): { key: string; value: unknown } {
  return { key: 'file', value: { path, content: Buffer.from(bytes).toString('base64'), encoding: 'base64' } }
}

function safetensors(headerBytes: bigint, header = ''): Buffer {
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(headerBytes)
  return Buffer.concat([length, Buffer.from(header)])
}

/** Version 3 with these counts, and `rest` behind them. */
function gguf(tensors: bigint, metadata: bigint, rest: Uint8Array = Buffer.alloc(1000)): Buffer {
  const head = Buffer.alloc(24)
  head.write('GGUF')
  head.writeUInt32LE(3, 4)
  head.writeBigUInt64LE(tensors, 8)
  head.writeBigUInt64LE(metadata, 16)
  return Buffer.concat([head, rest])
}

/** One key `a` that is a list of `count` lists of lists. */
function ggufList(count: bigint): Buffer {
  const key = Buffer.alloc(25)
  key.writeBigUInt64LE(1n)
  key.write('a', 8)
  key.writeUInt32LE(9, 9)
  key.writeUInt32LE(9, 13)
  key.writeBigUInt64LE(count, 17)
  return gguf(0n, 1n, Buffer.concat([key, Buffer.alloc(500_000)]))
}

const DEEP = '['.repeat(300_000) + ']'.repeat(300_000)
const TENSORS = Array.from(
  { length: 60_000 },
  (_, n) => `"t${n}":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}`,
)

test.each([
  ['a safetensors header of 2^63 bytes', 'model.safetensors', safetensors(2n ** 63n)],
  ['a safetensors header of 2^64 - 1 bytes', 'model.safetensors', safetensors(2n ** 64n - 1n)],
  ['a safetensors header longer than the file', 'model.safetensors', safetensors(1000n, '{}')],
  ['a safetensors header without end', 'model.safetensors', safetensors(500_000n, '{"a":'.repeat(100_000))],
  [
    'shapes that multiply beyond numbers',
    'model.safetensors',
    safetensors(
      102n,
      `{"a":{"dtype":"F32","shape":[${'9007199254740991,'.repeat(3)}9],"data_offsets":[0,4]}}`,
    ),
  ],
  [
    '60,000 tensors',
    'model.safetensors',
    safetensors(BigInt(TENSORS.join(',').length + 2), `{${TENSORS.join(',')}}`),
  ],
  [
    'an index of 60,000 shards',
    'model.safetensors.index.json',
    Buffer.from(`{"weight_map":{${Array.from({ length: 60_000 }, (_, n) => `"t${n}":"f${n}"`).join(',')}}}`),
  ],
  [
    'an index that leads out',
    'model.safetensors.index.json',
    Buffer.from('{"weight_map":{"a":"../../../../etc/passwd"}}'),
  ],
  ['2^63 tensors of GGUF', 'model.gguf', gguf(2n ** 63n, 0n)],
  ['2^63 keys of GGUF', 'model.gguf', gguf(0n, 2n ** 63n)],
  ['a GGUF list of 2^62 lists', 'model.gguf', ggufList(2n ** 62n)],
  ['a GGUF list of 4 million lists', 'model.gguf', ggufList(4_000_000n)],
  ['a config of lists in lists', 'config.json', Buffer.from(`{"model_type":"x","architectures":${DEEP}}`)],
  [
    'a quantization of lists in lists',
    'config.json',
    Buffer.from(`{"model_type":"x","quantization_config":${DEEP}}`),
  ],
  [
    'a config of a million architectures',
    'config.json',
    Buffer.from(`{"architectures":[${'"a",'.repeat(400_000)}"b"]}`),
  ],
  ['a tokenizer of lists in lists', 'tokenizer_config.json', Buffer.from(`{"chat_template":${DEEP}}`)],
  ['a card of aliases', 'README.md', Buffer.from(`---\na: &a [x]\n${'b: [*a,*a]\n'.repeat(200)}---\n`)],
  [
    'a card of lists in lists',
    'README.md',
    Buffer.from(`---\ntags: ${'['.repeat(5000)}${']'.repeat(5000)}\n---\n`),
  ],
  ['a card of one huge word', 'README.md', Buffer.from(`---\nlicense: ${'x'.repeat(250_000)}\n---\n`)],
  ['a card that never ends', 'README.md', Buffer.from(`---\n${'a: b\n'.repeat(200_000)}`)],
  [
    'a card for the prototype',
    'README.md',
    Buffer.from('---\n__proto__:\n  polluted: true\nconstructor: x\n---\n'),
  ],
  [
    'attributes that are slow to match',
    '.gitattributes',
    Buffer.from(`${'*a'.repeat(20)}*b filter=lfs\n`.repeat(2000)),
  ],
])('%s', async (name, path, bytes) => {
  const id = await createRepo(hub, 'alice', `alice/liar-${name.replace(/\W+/g, '-')}`)
  const held = await longestHold(async () => {
    await commit(hub, 'alice', id, [content(path, bytes), file('neighbour.txt', 'x')])
    await getJson(hub, null, `/api/models/${id}`)
    const listed = await getJson<{ id: string }[]>(
      hub,
      null,
      '/api/models?full=true&config=true&cardData=true&limit=100',
    )
    expect(listed.map((one) => one.id)).toContain(id)
    expect(JSON.stringify(listed).length).toBeLessThan(2_000_000)
  })
  expect(held).toBeLessThan(600)
  expect(Reflect.get({}, 'polluted')).toBeUndefined()
  const got = await hub.fetch(null, `/${id}/resolve/main/${path}`)
  expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true)
})

test('a tree of deep folders is walked without holding anybody', async () => {
  const id = await createRepo(hub, 'alice', 'alice/deep')
  const files = Array.from({ length: 20 }, (_, n) => file(`${n}/${'d/'.repeat(120)}f`, String(n)))
  const held = await longestHold(async () => {
    await commit(hub, 'alice', id, files)
    await getJson(hub, null, `/api/models/${id}/tree/main?recursive=true&expand=true`)
    await getJson(hub, null, `/api/models/${id}`)
  })
  expect(held).toBeLessThan(600)
})
