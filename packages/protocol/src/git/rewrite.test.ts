import fc from 'fast-check'
import { expect, test } from 'vitest'

import { FormatError } from '../errors.ts'
import { encodeCommit, encodeTag, parseCommit, parseTag } from './commits.ts'
import { encodeTree, parseTree } from './objects.ts'
import { findSpans, rewriteCommit, rewriteTag, rewriteTree } from './rewrite.ts'

const text = new TextEncoder()
const oid = (digit: string) => digit.repeat(40)
const who = { name: 'Ana', email: 'ana@example.com', seconds: 1_700_000_000, timezone: '+0130' }

test('a commit keeps every byte but its tree, its parents and its signature', () => {
  const signed = encodeCommit({
    treeOid: oid('1'),
    parents: [oid('2'), oid('3')],
    author: who,
    committer: { ...who, name: 'Bob' },
    headers: [
      { name: 'encoding', value: 'ISO-8859-1' },
      { name: 'gpgsig', value: '-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----' },
      { name: 'x-note', value: 'one\ntwo' },
    ],
    message: 'Title\n\nBody\n',
  })
  const rewritten = rewriteCommit(signed, { treeOid: oid('4'), parents: [oid('5')] })
  expect(parseCommit(rewritten)).toEqual({
    ...parseCommit(signed),
    treeOid: oid('4'),
    parents: [oid('5')],
    headers: [
      { name: 'encoding', value: 'ISO-8859-1' },
      { name: 'x-note', value: 'one\ntwo' },
    ],
  })
})

test('a message that is not UTF-8 and a root without parents survive', () => {
  const bytes = Uint8Array.from([
    ...text.encode(`tree ${oid('1')}\nauthor A <a> 1 +0000\ncommitter A <a> 1 +0000\n\nol`),
    0xe9,
    0x0a,
  ])
  const rewritten = rewriteCommit(bytes, { treeOid: oid('1'), parents: [] })
  expect(rewritten).toEqual(bytes)
})

test('a tag points elsewhere and loses the signature at the end of its message', () => {
  const message = 'First\n\n-----BEGIN PGP SIGNATURE-----\nabc\n-----END PGP SIGNATURE-----\n'
  const bytes = encodeTag({ targetOid: oid('1'), targetType: 'commit', name: 'v1', tagger: who, message })
  expect(parseTag(rewriteTag(bytes, oid('2')))).toEqual({
    targetOid: oid('2'),
    targetType: 'commit',
    name: 'v1',
    tagger: who,
    message: 'First\n\n',
  })
})

test('what names the same objects again is the same object', () => {
  const part = fc.string({ unit: 'grapheme', maxLength: 40 })
  const parents = fc.array(fc.constantFrom(oid('a'), oid('b')), { maxLength: 3 })
  fc.assert(
    fc.property(part, part, parents, (name, message, list) => {
      const author = { ...who, name }
      const bytes = encodeCommit({ treeOid: oid('1'), parents: list, author, committer: author, message })
      expect(rewriteCommit(bytes, { treeOid: oid('1'), parents: list })).toEqual(bytes)
    }),
  )
})

test('a tree loses blobs and gets other folders, and keeps the rest and its order', () => {
  const tree = encodeTree([
    { name: 'a', mode: '100644', oid: oid('1') },
    { name: 'b', mode: '40000', oid: oid('2') },
    { name: 'c', mode: '100755', oid: oid('3') },
    { name: 'd', mode: '40000', oid: oid('4') },
    { name: 'e\udcff', mode: '120000', oid: oid('5') },
    { name: 'f', mode: '160000', oid: oid('6') },
  ])
  const spans = findSpans(tree, new Set([oid('3'), oid('9')]))
  expect(spans.map((span) => [span.isFolder, span.oid])).toEqual([
    [true, oid('2')],
    [false, oid('3')],
    [true, oid('4')],
  ])
  const next: Record<string, string | null> = { [oid('2')]: oid('7'), [oid('3')]: null, [oid('4')]: null }
  const rewritten = rewriteTree(
    tree,
    spans.map((span) => ({ ...span, next: next[span.oid] ?? null })),
  )
  expect(parseTree(rewritten)).toEqual([
    { name: 'a', mode: '100644', oid: oid('1') },
    { name: 'b', mode: '40000', oid: oid('7') },
    { name: 'e\udcff', mode: '120000', oid: oid('5') },
    { name: 'f', mode: '160000', oid: oid('6') },
  ])
  expect(rewriteTree(tree, [])).toEqual(tree)
  // The first entry has 29 bytes.
  for (let length = 1; length < 29; length += 1)
    expect(() => findSpans(tree.subarray(0, length), new Set())).toThrow(FormatError)
})

test('any other bytes are rewritten or refused, never half', () => {
  const bytes = encodeCommit({ treeOid: oid('1'), parents: [], author: who, committer: who, message: 'm' })
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, byte, cut) => {
      const mutated = cut ? bytes.slice(0, at) : bytes.map((old, index) => (index === at ? byte : old))
      for (const rewrite of [
        () => rewriteCommit(mutated, { treeOid: oid('2'), parents: [] }),
        () => rewriteTag(mutated, oid('2')),
      ]) {
        try {
          expect(rewrite().length).toBeGreaterThan(0)
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError)
        }
      }
    }),
  )
})
