/** How answers of administration look. */
import { expect, test } from 'vitest'

import { printAnswer, type AdminAnswer } from './print.ts'

function print(
  verb: 'create' | 'list' | 'delete',
  answer: AdminAnswer,
  json = false,
): { out: string; err: string } {
  let out = ''
  let err = ''
  const io = {
    env: {},
    cwd: '/',
    stdin: (async function* () {})(),
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  }
  printAnswer({ resource: 'token', verb }, answer, json, io)
  return { out, err }
}

test('a list is a table', () => {
  const rows = [
    { name: 'a', role: 'write', used: null },
    { name: 'longer', role: 'read', used: 1 },
  ]
  expect(print('list', rows).out).toBe('name    role   used\na       write  -\nlonger  read   1\n')
  expect(print('list', [])).toEqual({ out: '', err: 'There is no token.\n' })
  expect(print('list', [], true)).toEqual({ out: '[]\n', err: '' })
})

test('a new token is alone on stdout, so that a shell can take it', () => {
  const { out, err } = print('create', { id: '1', name: 'laptop', token: 'hf_abc' })
  expect(out).toBe('hf_abc\n')
  expect(err).not.toContain('hf_abc')
  expect(JSON.parse(print('create', { id: '1', token: 'hf_abc' }, true).out)).toEqual({
    id: '1',
    token: 'hf_abc',
  })
})

test('what a terminal would obey is shown, not sent', () => {
  const escape = '\u001b[2J'
  expect(print('delete', { name: escape }).out).toBe('Deleted token: name \\u{1b}[2J\n')
  expect(print('list', [{ name: escape }]).out).not.toContain('\u001b')
})
