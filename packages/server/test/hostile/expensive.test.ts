import { XET_FILE_TERMS_FREE } from '@cairn/protocol/limits'
/** Requests that are small to send and made to be dear to answer: nobody else waits for them. */
import { formatShard } from '@cairn/protocol/xet/shard'
import { encodeXorb } from '@cairn/protocol/xet/xorb'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { nativePrimitives } from '../../src/primitives.ts'
import { createRepo } from '../client.ts'
import { expectRefusal, post } from '../refusal.ts'
import { casAccess, postBytes, uploadXet, makeXetFile } from '../xet-client.ts'
import { longestHold } from './event-loop.ts'
import { manyTerms } from './long-recipe.ts'

let hub: TestHub

beforeAll(async () => {
  hub = await startHub()
})

afterAll(async () => {
  await hub[Symbol.asyncDispose]()
})

// A busy machine can hold anything for a moment.
describe('front matter', { retry: 2 }, () => {
  const fill = (text: string) => text.repeat(Math.floor(250_000 / text.length))

  test.each([
    ['closing braces', fill('}\n')],
    ['unknown escapes', `a: "${fill('\\q')}"`],
    ['backticks', `a:\n${fill('- `\n')}`],
    ['tags', `a: ${fill('!x ')}`],
    ['directives', fill('%x\n')],
    ['quotes', fill('"\n')],
    ['deep lists', `a: ${'['.repeat(49_000)}`],
    ['an alias of aliases', `a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\n${bomb()}`],
    ['a huge key', `? ${fill('x')}\n: 1\n<<: [`],
  ])('%s', async (_name, yaml) => {
    const body = post({ content: `---\n${yaml}\n---\n`, repoType: 'model' })
    let status = 0
    const held = await longestHold(async () => {
      ;({ status } = await hub.fetch(null, '/api/validate-yaml', body))
    })
    expect(status).toBe(400)
    // Up to 1.2 seconds when it was parsed where requests are answered.
    expect(held).toBeLessThan(250)
  })

  function bomb(): string {
    return Array.from({ length: 20 }, (_, n) => {
      const name = String.fromCharCode(99 + n)
      const before = String.fromCharCode(98 + n)
      return `${name}: &${name} [*${before},*${before},*${before},*${before}]`
    }).join('\n')
  }
})

describe('recipes of Xet files', () => {
  test('a small file cannot have a long one', async () => {
    const id = await createRepo(hub, 'alice', 'alice/dust')
    const cas = await casAccess(hub, 'alice', id, 'write')
    const chunks = [1, 2, 3].map((byte) => Uint8Array.from([byte, byte]))
    const xorb = encodeXorb(nativePrimitives, chunks)
    expect((await cas.fetch(`/v1/xorbs/default/${xorb.hash}`, postBytes(xorb.bytes))).status).toBe(200)
    const shardOf = (count: number) => postBytes(formatShard(manyTerms({ xorb }, count)))
    expect((await cas.fetch('/v1/shards', shardOf(XET_FILE_TERMS_FREE))).status).toBe(200)
    await expectRefusal(await cas.fetch('/v1/shards', shardOf(XET_FILE_TERMS_FREE + 10)), 'BadRequest')
  })

  test.each([1, 2])('a long one is answered in slices (v%i)', async (version) => {
    const id = await createRepo(hub, 'alice', `alice/long${version}`)
    const made = makeXetFile(20 + version)
    const cas = await casAccess(hub, 'alice', id, 'write')
    await uploadXet(cas, made)
    const shard = manyTerms(made, 120_000)
    let count = 0
    const held = await longestHold(async () => {
      expect((await cas.fetch('/v1/shards', postBytes(formatShard(shard)))).status).toBe(200)
    })
    const reading = await longestHold(async () => {
      const answer = await cas.fetch(`/v${version}/reconstructions/${shard.files[0]!.hash}`)
      const text = await answer.text()
      count = text.split('"unpacked_length"').length - 1
      if (count < 120_000) throw new Error(text.slice(0, 500))
    })
    expect(count).toBe(120_000)
    // Building it in one go held everybody up for 7 µs a term.
    expect({ held, reading }).toSatisfy(() => held < 700 && reading < 500)
  })
})
