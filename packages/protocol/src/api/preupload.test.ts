import { describe, expect, test } from 'vitest'

import { HubError } from '../errors.ts'
import { Attributes } from '../git/attributes.ts'
import { parseIgnore } from '../git/ignore.ts'
import { decideUpload, parsePreupload } from './preupload.ts'

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')
const codeOf = (body: unknown): string => {
  try {
    parsePreupload(body)
  } catch (error) {
    if (error instanceof HubError) return error.code
    throw error
  }
  return 'none'
}

describe('a preupload request', () => {
  test('of any client', () => {
    const file = { path: 'a.txt', size: 2, sample: 'aGk=', sha: 'a'.repeat(64) }
    expect(parsePreupload({ files: [file], gitIgnore: '*.log' })).toEqual({
      files: [{ path: 'a.txt', sizeBytes: 2, sample: new TextEncoder().encode('hi') }],
      gitIgnore: '*.log',
    })
    expect(parsePreupload({ files: [], gitAttributes: '' })).toEqual({ files: [], gitAttributes: '' })
  })

  test.each([
    ['nothing', null, 'BadRequest'],
    ['a negative size', { files: [{ path: 'a', size: -1, sample: '' }] }, 'BadRequest'],
    ['bad base64', { files: [{ path: 'a', size: 1, sample: 'a' }] }, 'BadRequest'],
    [
      'a long sample',
      { files: [{ path: 'a', size: 999, sample: base64(new Uint8Array(513)) }] },
      'BadRequest',
    ],
    ['too many files', { files: Array(1001).fill({ path: 'a', size: 1, sample: '' }) }, 'TooLarge'],
  ])('%s is refused', (_, body, code) => {
    expect(codeOf(body)).toBe(code)
  })
})

describe('git or LFS', () => {
  const attributes = new Attributes([{ dir: '', text: '* filter=lfs\n*.txt -filter\n*.md !filter' }])
  const ignore = parseIgnore('*.log')
  const mode = (path: string, sizeBytes: number, sample: Uint8Array | string) =>
    decideUpload({
      path,
      sizeBytes,
      sample: typeof sample === 'string' ? new TextEncoder().encode(sample) : sample,
      attributes,
      ignore,
    }).uploadMode

  test('attributes decide first', () => {
    expect(mode('weights', 5, 'hello')).toBe('lfs')
    expect(mode('a.txt', 5, 'hello')).toBe('regular')
  })

  test('then the content: NUL, other encodings, size', () => {
    expect(mode('a.txt', 5, Uint8Array.of(104, 0, 105))).toBe('lfs')
    expect(mode('a.md', 5, Uint8Array.of(0xff, 0xfe))).toBe('lfs')
    expect(mode('a.txt', 10 * 1024 * 1024, 'text')).toBe('regular')
    expect(mode('a.txt', 10 * 1024 * 1024 + 1, 'text')).toBe('lfs')
  })

  test('a character cut by the end of the sample is text, but not by the end of the file', () => {
    const cut = Uint8Array.of(104, 0xc3)
    expect(mode('a.txt', 1000, cut)).toBe('regular')
    expect(mode('a.txt', 2, cut)).toBe('lfs')
  })

  test('an empty file and what git itself reads are never pointers', () => {
    expect(mode('weights', 0, '')).toBe('regular')
    expect(mode('sub/.gitattributes', 5, 'hello')).toBe('regular')
  })

  test('the ignore rules are a separate answer', () => {
    const file = { path: 'x.log', sizeBytes: 1, sample: new Uint8Array(1), attributes }
    expect(decideUpload({ ...file, ignore })).toEqual({ uploadMode: 'lfs', shouldIgnore: true })
    expect(decideUpload({ ...file, ignore: null }).shouldIgnore).toBe(false)
  })
})
