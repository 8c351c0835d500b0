import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { FormatError } from '../errors.ts'
import { type Commit, encodeCommit, encodeTag, type Identity, parseCommit, parseTag } from './commits.ts'
import { decodeName, encodeName } from './names.ts'
import { encodeTree, GIT_MODES, objectOid, parseTree, type TreeEntry } from './objects.ts'

interface Vectors {
  objects: { what: string; type: string; oid: string; base64: string }[]
  invalid: { what: string; type: string; base64: string }[]
}
const vectorsFile = new URL('../../../../vectors/git/objects.json', import.meta.url)
const vectors = JSON.parse(readFileSync(vectorsFile, 'utf8')) as Vectors

const sha1 = { sha1: (data: Uint8Array) => hash('sha1', data, 'buffer') }
const oid = fc.stringMatching(/^[0-9a-f]{39}[1-9a-f]$/)
const name = fc
  .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
  .filter((text) => !/[/\0]/.test(text) && !/^\.+$|^\.git|^git~1/i.test(text) && text.isWellFormed())
const tree = fc.uniqueArray(fc.record({ name, mode: fc.constantFrom(...GIT_MODES), oid }), {
  selector: (entry) => entry.name,
  maxLength: 12,
})
const identity: fc.Arbitrary<Identity> = fc.record({
  name: fc.stringMatching(/^[A-Za-zé]( ?[A-Za-z.])*$/),
  email: fc.stringMatching(/^[a-z]+@[a-z]+$/),
  seconds: fc.nat({ max: 4_000_000_000 }),
  timezone: fc.constantFrom('+0000', '-0330', '+1400'),
})
const message = fc.string({ unit: 'grapheme' }).map((text) => `${text.replaceAll('\0', '')}\n`)
const commit: fc.Arbitrary<Commit> = fc.record(
  {
    treeOid: oid,
    parents: fc.array(oid, { maxLength: 3 }),
    author: identity,
    committer: identity,
    headers: fc.constantFrom([{ name: 'gpgsig', value: '-----BEGIN-----\n\nabc\n-----END-----' }]),
    message,
  },
  { requiredKeys: ['treeOid', 'parents', 'author', 'committer', 'message'] },
)

/** Any single byte changed, removed or added: the parser may accept it or throw FormatError, nothing else. */
function mutationsAreSafe<T>(valid: fc.Arbitrary<Uint8Array>, parse: (bytes: Uint8Array) => T): void {
  fc.assert(
    fc.property(valid, fc.nat(), fc.nat({ max: 255 }), fc.nat({ max: 2 }), (bytes, where, byte, kind) => {
      const at = bytes.length === 0 ? 0 : where % bytes.length
      const mutated = [...bytes]
      mutated.splice(at, kind === 0 ? 0 : 1, ...(kind === 1 ? [] : [byte]))
      try {
        parse(Uint8Array.from(mutated))
      } catch (error) {
        expect(error).toBeInstanceOf(FormatError)
      }
    }),
    { numRuns: 500 },
  )
}

describe('vectors made with git', () => {
  test.each(vectors.objects)('$what', ({ type, base64, oid: expected }) => {
    const bytes = new Uint8Array(Buffer.from(base64, 'base64'))
    expect(objectOid(sha1, type as 'blob', bytes)).toBe(expected)
    if (type === 'tree') expect(encodeTree(parseTree(bytes).toReversed())).toEqual(bytes)
    if (type === 'commit') expect(encodeCommit(parseCommit(bytes))).toEqual(bytes)
    if (type === 'tag') expect(encodeTag(parseTag(bytes))).toEqual(bytes)
  })

  test.each(vectors.invalid)('refused: $what', ({ type, base64 }) => {
    const bytes = new Uint8Array(Buffer.from(base64, 'base64'))
    expect(() => (type === 'tree' ? parseTree(bytes) : parseCommit(bytes))).toThrow(FormatError)
  })
})

test('a tree survives encoding and parsing, in git order', () => {
  fc.assert(
    fc.property(tree, (entries) => {
      const parsed = parseTree(encodeTree(entries))
      const byName = (a: TreeEntry, b: TreeEntry) => (a.name < b.name ? -1 : 1)
      expect(parsed.toSorted(byName)).toEqual(entries.toSorted(byName))
    }),
  )
  mutationsAreSafe(tree.map(encodeTree), parseTree)
})

test('names that are not UTF-8 keep their bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (bytes) => {
      expect(encodeName(decodeName(bytes))).toEqual(bytes)
    }),
    { numRuns: 1000 },
  )
  expect(decodeName(Uint8Array.of(0x61, 0xff, 0xc3, 0xa9))).toBe('a\udcffé')
})

test('a commit survives encoding and parsing', () => {
  fc.assert(
    fc.property(commit, (value) => {
      expect(parseCommit(encodeCommit(value))).toEqual(value)
    }),
  )
  mutationsAreSafe(commit.map(encodeCommit), parseCommit)
})

test('a tag survives encoding and parsing', () => {
  const tag = fc.record({
    targetOid: oid,
    targetType: fc.constantFrom('commit' as const, 'tree' as const, 'blob' as const, 'tag' as const),
    name: fc.stringMatching(/^v[0-9.]+$/),
    tagger: fc.option(identity),
    message,
  })
  fc.assert(
    fc.property(tag, (value) => {
      expect(parseTag(encodeTag(value))).toEqual(value)
    }),
  )
  mutationsAreSafe(tag.map(encodeTag), parseTag)
})

test('an author cannot add header lines, and a message always ends its last line', () => {
  const evil = { name: 'Eve\nparent 00 <x>', email: 'e@x>\n\nhi', seconds: 1, timezone: '+0000' }
  const bytes = encodeCommit({
    treeOid: 'a'.repeat(40),
    parents: [],
    author: evil,
    committer: { ...evil, name: ' <> ' },
    message: 'no\0 end',
  })
  const parsed = parseCommit(bytes)
  expect(parsed.author).toEqual({ ...evil, name: 'Eveparent 00 x', email: 'e@xhi' })
  expect(parsed.committer.name).toBe('unknown')
  expect(parsed.message).toBe('no end\n')
})

test('a message in another charset is read as that charset', () => {
  const text = `tree ${'a'.repeat(40)}\nauthor a <a> 1 +0000\ncommitter a <a> 1 +0000\nencoding ISO-8859-1\n\ncaf\u00e9\n`
  expect(parseCommit(new Uint8Array(Buffer.from(text, 'latin1'))).message).toBe('café\n')
})

test('a tree with two entries of one name is neither written nor read', () => {
  const entry = { oid: 'a'.repeat(40), name: 'x' }
  const twice: TreeEntry[] = [
    { ...entry, mode: '100644' },
    { ...entry, mode: '40000' },
  ]
  expect(() => encodeTree(twice)).toThrow(TypeError)
  const between = encodeTree([
    { ...entry, mode: '100644' },
    { ...entry, name: 'x.a', mode: '100644' },
    { ...entry, name: 'y', mode: '40000' },
  ])
  between[between.indexOf(0x79)] = 0x78
  expect(() => parseTree(between)).toThrow(/twice/)
})
