import { describe, expect, test } from 'vitest'

import { HubError } from '../errors.ts'
import { assertRefName, assertRepoPath, branchRef, tagRef } from './paths.ts'

describe('paths that a commit may write', () => {
  const good = [
    'a',
    'a/b/c.txt',
    'with space',
    'ünï/日本語',
    '#%&?.md',
    '.gitattributes',
    '.github/x',
    'git~2',
    '...',
    'a.git',
    '.gitx',
    'x'.repeat(255),
  ]
  test.each(good)('%s', (path) => assertRepoPath(path))

  const bad = [
    '', '/a', 'a/', 'a//b', '.', '..', 'a/../b', './a', '.git', '.GIT/config', 'a/.Git', 'git~1', 'GIT~1/x',
    '.git ', '.git.', '.git. .', '.git::$INDEX_ALLOCATION', '.g\u200cit', '\ufeff.git', '.gi\u200dT', 'a\\b', 'a\0b',
    'a\nb', 'a\x7f', '\ud800', 'x'.repeat(256), `${'é'.repeat(128)}`, 'a/'.repeat(128) + 'a', `${'abcdefgh/'.repeat(400)}x`,
  ] // prettier-ignore
  test.each(bad)('not %j', (path) => {
    expect(() => assertRepoPath(path)).toThrow(expect.objectContaining({ code: 'Invalid', status: 422 }))
  })

  test('the message shows the path without its control characters', () => {
    expect(() => assertRepoPath('a\x1b[31mb')).toThrow('a\\u001b[31mb')
  })
})

describe('refs', () => {
  test('names that git accepts become full names', () => {
    expect(branchRef('main')).toBe('refs/heads/main')
    expect(branchRef('feature/ünïcode#1')).toBe('refs/heads/feature/ünïcode#1')
    expect(tagRef('v1.0')).toBe('refs/tags/v1.0')
    assertRefName('refs/pr/1')
  })

  const bad = [
    '', '-x', 'a..b', 'a b', 'a~1', 'a^', 'a:b', 'a?', 'a*', 'a[', 'a\\b', '/a', 'a/', 'a//b', '.a', 'a/.b', 'a.', 'a.lock',
    'a.lock/b', 'a@{1', 'a\x01', '\ud800', 'HEAD', '0123456789abcdef0123456789abcdef01234567', 'x'.repeat(256),
  ] // prettier-ignore
  test.each(bad)('not %j', (name) => {
    for (const make of [branchRef, tagRef]) expect(() => make(name)).toThrow(HubError)
  })

  test.each(['main', 'HEAD', 'refs/', 'refs//x', 'refs/heads/a..b', 'refs/heads/a.lock'])(
    'not full: %s',
    (name) => {
      expect(() => assertRefName(name)).toThrow(expect.objectContaining({ code: 'BadRequest' }))
    },
  )
})
