import fc from 'fast-check'
import { expect, test } from 'vitest'

import { keyPrefix, lfsKey, parseKey, shardKey, xorbKey } from './keys.ts'

const HASH = `12ab${'0'.repeat(60)}`
const hex64 = fc.stringMatching(/^[0-9a-f]{64}$/)
const id = fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/)

test('the store is laid out as its page says', () => {
  expect(lfsKey('d0', HASH)).toBe(`lfs/d0/12/ab/${HASH}`)
  expect(xorbKey('d0', HASH)).toBe(`xorbs/d0/12/ab/${HASH}`)
  expect(shardKey({ domainId: 'd0', repoId: 'r0', id: 'S-1_x' })).toBe('shards/d0/r0/S-1_x')
  expect([keyPrefix('lfs'), keyPrefix('xorbs', 'd0')]).toEqual(['lfs/', 'xorbs/d0/'])
})

test('a key is taken apart into what it was made of', () => {
  fc.assert(
    fc.property(id, hex64, id, id, (domainId, hash, repoId, shard) => {
      expect(parseKey(lfsKey(domainId, hash))).toEqual({ kind: 'lfs', domainId, name: hash })
      expect(parseKey(xorbKey(domainId, hash))).toEqual({ kind: 'xorbs', domainId, name: hash })
      const parts = { kind: 'shards', domainId, repoId, name: shard }
      expect(parseKey(shardKey({ domainId, repoId, id: shard }))).toEqual(parts)
    }),
  )
})

test.each(['', '..', 'a/b', 'a.b', 'ä', 'x'.repeat(65), 'a\n', 'a\0'])('%j is no id', (bad) => {
  expect(() => lfsKey(bad, HASH)).toThrow(TypeError)
  const shard = { domainId: 'd0', repoId: 'r0', id: 'x' }
  for (const part of ['domainId', 'repoId', 'id'])
    expect(() => shardKey({ ...shard, [part]: bad })).toThrow(TypeError)
  expect(() => keyPrefix('lfs', bad)).toThrow(TypeError)
  expect(() => xorbKey('d0', bad)).toThrow(TypeError)
})

test.each([
  HASH,
  `lfs/d0/${HASH}`,
  `lfs/d0/12/ac/${HASH}`,
  `lfs/d0/12/ab/${HASH.toUpperCase()}`,
  `lfs/../12/ab/${HASH}`,
  `lfs/d0/12/ab/${HASH}\n`,
  `shards/d0/12/ab/${HASH}`,
  'shards/d0/r0/..',
  'shards/d0/x',
  'git/d0/x',
  `/lfs/d0/12/ab/${HASH}`,
])('%j is no key', (text) => {
  expect(parseKey(text)).toBeNull()
})
