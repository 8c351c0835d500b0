/** The git binary is the oracle: what it answers for generated patterns and paths, the matchers answer. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { HubError } from '../errors.ts'
import { Attributes } from './attributes.ts'
import { defaultAttributes, trackingLine } from './default-attributes.ts'
import { parseIgnore } from './ignore.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'patterns-'))
  git(['init', '-q', '--template='], '')
  mkdirSync(join(dir, 'data'))
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

function git(args: string[], stdin: string): string {
  const env = { ...process.env, GIT_CONFIG_NOSYSTEM: '1', HOME: dir, XDG_CONFIG_HOME: dir }
  return execFileSync('git', args, {
    cwd: dir,
    input: stdin,
    env,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore'],
  })
}

function gitSaysLfs(root: string, paths: string[], data = ''): boolean[] {
  writeFileSync(join(dir, '.gitattributes'), root)
  writeFileSync(join(dir, 'data/.gitattributes'), data)
  const fields = git(
    ['check-attr', '-z', '--stdin', 'filter'],
    paths.map((path) => `${path}\0`).join(''),
  ).split('\0')
  return paths.map((_, index) => fields[index * 3 + 2] === 'lfs')
}

function gitSaysIgnored(text: string, paths: string[]): boolean[] {
  // Status 1 means that nothing is ignored; the last path always is, so that a failure is never taken for that.
  writeFileSync(join(dir, '.gitignore'), `${text}\n/sentinel-of-the-test\n`)
  const input = [...paths, 'sentinel-of-the-test'].map((path) => `${path}\0`).join('')
  const ignored = new Set(git(['check-ignore', '-z', '--stdin', '--no-index'], input).split('\0'))
  return paths.map((path) => ignored.has(path))
}

const component = fc
  .array(fc.constantFrom('a', 'b', 'c', '.', '-', '*', '[', ']', '!', 'é', '\\', 'B', '#'), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join(''))
  .filter((name) => name !== '.' && name !== '..')
const path = fc
  .array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b', 'data', 'ab') }, component), {
    minLength: 1,
    maxLength: 4,
  })
  .map((parts) => parts.join('/'))
  .filter((text) => text !== 'data' && !text.endsWith('/data'))
const PIECES =
  String.raw`a b c ab . - / / * ** **/ /** *** ? ! # é \ \* \/ [ab] [!a] [^b/] [a-c] []a] [[:alpha:]]
  [![:upper:]] [[:x:]] [a [\]] [b-a] [[:a] [a- -] data [--a] [é]`.split(/\s+/)
const pattern = fc
  .array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 6 })
  .map((parts) => parts.join(''))
const SETTINGS =
  'filter=lfs|filter=lfs diff=lfs|-filter|!filter|filter|filter=other|text|filter=lfs -filter|-text filter=lfs|binary|' +
  'filter=lfs b@d|-filter=lfs|filter=lfs=x|'
const setting = fc.constantFrom(...SETTINGS.split('|'))
const attributesLine = fc
  .tuple(
    fc.constantFrom('', '', ' ', '\t'),
    pattern,
    fc.boolean(),
    setting,
    fc.constantFrom('', '', ' ', '\r'),
  )
  .map(([indent, text, quoted, value, end]) => `${indent}${quoted ? `"${text}"` : text} ${value}${end}`)
const attributesText = fc.array(attributesLine, { maxLength: 5 }).map((lines) => lines.join('\n'))
const ignoreText = fc
  .array(
    fc
      .tuple(fc.constantFrom('', '', '!'), pattern, fc.constantFrom('', '', '/', ' ', '\\ ', ' \r', '\r'))
      .map((parts) => parts.join('')),
    { maxLength: 5 },
  )
  .map((lines) => lines.join('\n'))
const paths = fc.array(path, { minLength: 1, maxLength: 25 })

describe('against the git binary', () => {
  test('attributes decide as git check-attr does', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(attributesText, attributesText, paths, (root, data, asked) => {
        const attributes = new Attributes([
          { dir: '', text: root },
          { dir: 'data', text: data },
        ])
        expect(asked.map((one) => attributes.isLfs(one))).toEqual(gitSaysLfs(root, asked, data))
      }),
      { numRuns: 200 },
    )
  })

  test('ignore rules decide as git check-ignore does', { timeout: 30_000 }, () => {
    fc.assert(
      fc.property(ignoreText, paths, (text, asked) => {
        const isIgnored = parseIgnore(text)
        expect(asked.map((one) => isIgnored(one))).toEqual(gitSaysIgnored(text, asked))
      }),
      { numRuns: 200 },
    )
  })

  test('quoted patterns, comments, macros and a byte order mark', () => {
    const text =
      '\uFEFF# all filter=lfs\n"with space" filter=lfs\n"tab\\there" filter=lfs\n"\\303\\251" filter=lfs\n' +
      '"open filter=lfs\n[attr]binary -text\n*.x binary\n!neg filter=lfs\ndir/ filter=lfs\n'
    const asked = ['with space', 'tab\there', 'é', '"open', 'open', 'a.x', 'neg', '!neg', 'dir', '#', 'all']
    const attributes = new Attributes([{ dir: '', text }])
    const answers = asked.map((one) => attributes.isLfs(one))
    expect(answers).toEqual(gitSaysLfs(text, asked))
    expect(answers.filter(Boolean)).toHaveLength(4)
  })

  test('a line of 2,048 bytes has no effect', () => {
    for (const length of [2000, 2034, 2035, 2036, 2037, 2100]) {
      const text = `${'a'.repeat(length)} filter=lfs\n* -text\n`
      const asked = ['a'.repeat(length)]
      expect([new Attributes([{ dir: '', text }]).isLfs(asked[0] ?? '')]).toEqual(gitSaysLfs(text, asked))
    }
  })

  test('a tracking line names its file and no other', () => {
    const odd = [
      'plain.bin',
      'a b/c d',
      '*',
      '[x]',
      '#hash',
      '!bang',
      '"quote"',
      'back\\slash',
      'tab\tname',
      'dir/é?',
    ]
    for (const name of odd) {
      const text = trackingLine(name)
      const attributes = new Attributes([{ dir: '', text }])
      const asked = [...odd, ...odd.map((one) => `sub/${one}`)]
      expect(asked.filter((one) => attributes.isLfs(one))).toEqual([name])
      expect(asked.filter((_, index) => gitSaysLfs(text, asked)[index])).toEqual([name])
    }
  })
})

describe('the attributes of a fresh repository', () => {
  const isLfs = (type: 'model' | 'dataset', one: string) =>
    new Attributes([{ dir: '', text: defaultAttributes(type) }]).isLfs(one)

  test('weights go to LFS, text and configuration do not', () => {
    for (const one of [
      'model.safetensors',
      'a/b/x.bin',
      'saved_model/v/1/x',
      'events.out.tfevents.1',
      'x.tar.gz',
    ])
      expect([one, isLfs('model', one)]).toEqual([one, true])
    for (const one of ['README.md', 'config.json', 'x.BIN', 'a.png', '.gitattributes'])
      expect([one, isLfs('model', one)]).toEqual([one, false])
  })

  test('datasets add sound and pictures', () => {
    for (const one of ['a.png', 'b.wav', 'c.mp4']) expect([one, isLfs('dataset', one)]).toEqual([one, true])
  })
})

describe('patterns made to hurt', () => {
  const codeOf = (work: () => unknown): string => {
    try {
      work()
    } catch (error) {
      if (error instanceof HubError) return error.code
      throw error
    }
    return 'none'
  }

  test('many stars take no longer than pattern × path', () => {
    const text = `${'*a'.repeat(100)}b filter=lfs`
    expect(new Attributes([{ dir: '', text }]).isLfs('a'.repeat(1000))).toBe(false)
    expect(parseIgnore(`${'**/'.repeat(50)}b`)(`${'a/'.repeat(50)}c`)).toBe(false)
  })

  test('a file full of them is refused, not waited for', () => {
    const text = `${'*a'.repeat(500)}b filter=lfs\n`.repeat(500)
    expect(codeOf(() => new Attributes([{ dir: '', text }]).isLfs('a'.repeat(3000)))).toBe('Invalid')
  })

  test('texts and pattern counts have limits', () => {
    expect(codeOf(() => parseIgnore('x'.repeat(1024 * 1024 + 1)))).toBe('TooLarge')
    expect(codeOf(() => parseIgnore('x\n'.repeat(20_001)))).toBe('TooLarge')
    expect(codeOf(() => new Attributes([{ dir: '', text: 'x filter=lfs\n'.repeat(20_001) }]))).toBe(
      'TooLarge',
    )
  })

  test('ten thousand tracked files are looked up, not tried', () => {
    const text = Array.from({ length: 10_000 }, (_, index) => trackingLine(`file-${index}.dat`)).join('\n')
    const attributes = new Attributes([{ dir: '', text }])
    expect(attributes.isLfs('file-9999.dat')).toBe(true)
    expect(attributes.isLfs('file-10000.dat')).toBe(false)
  })
})
