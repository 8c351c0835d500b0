import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { HubError, type ErrorCode } from '../errors.ts'
import { decodeBase64 } from './base64.ts'
import { foldOperations } from './commit-plan.ts'
import { parseCommitLine, type CommitOperation } from './commit.ts'

const OID = 'a'.repeat(64)
const anyPath = (): void => {}
const line = (key: unknown, value: unknown) => JSON.stringify({ key, value })
const parse = (text: string, number = 2) => parseCommitLine(text, number, anyPath)

function failure(work: () => unknown): { code: ErrorCode; message: string } | null {
  try {
    work()
    return null
  } catch (error) {
    if (error instanceof HubError) return { code: error.code, message: error.message }
    throw error
  }
}

describe('a line of a commit', () => {
  test('a header as Python and as JS send it', () => {
    const python = { summary: 'Upload', description: '', parentCommit: 'ABCDE12' }
    expect(parse(line('header', python), 1)).toEqual({
      kind: 'header',
      summary: 'Upload',
      description: '',
      parentCommit: 'abcde12',
    })
    expect(parse(line('header', { summary: 'Upload' }), 1)).toEqual({
      kind: 'header',
      summary: 'Upload',
      description: '',
    })
  })

  test('an inline file in base64 and in plain text', () => {
    const base64 = parse(line('file', { content: 'aGk=', path: 'a.txt', encoding: 'base64' }))
    expect(base64).toEqual({ kind: 'file', path: 'a.txt', content: new TextEncoder().encode('hi') })
    const plain = parse(line('file', { content: 'é', path: 'a.txt', oldPath: 'b.txt' }))
    expect(plain).toMatchObject({ content: Uint8Array.of(0xc3, 0xa9), oldPath: 'b.txt' })
  })

  test('an LFS file with a size, and a copy without one', () => {
    const upload = parse(line('lfsFile', { path: 'w.bin', algo: 'sha256', oid: OID, size: 0 }))
    expect(upload).toEqual({ kind: 'lfsFile', path: 'w.bin', oid: OID, sizeBytes: 0 })
    expect(parse(line('lfsFile', { path: 'w.bin', algo: 'sha256', oid: OID }))).not.toHaveProperty(
      'sizeBytes',
    )
  })

  test('deletions; a folder may end with a slash', () => {
    expect(parse(line('deletedFile', { path: 'a' }))).toEqual({ kind: 'deletedFile', path: 'a' })
    expect(parse(line('deletedFolder', { path: 'a/b/' }))).toEqual({ kind: 'deletedFolder', path: 'a/b' })
    expect(parse(line('deletedFolder', { path: 'a/b' }))).toEqual({ kind: 'deletedFolder', path: 'a/b' })
  })

  test('hints that this version does not know are skipped', () => {
    const text = `{"key":"deletedFile","value":{"path":"a","hint":1,"__proto__":{"path":"b"}},"id":7}`
    expect(parse(text)).toEqual({ kind: 'deletedFile', path: 'a' })
  })

  test.each([
    ['text that is not JSON', '{'],
    ['a list', '[]'],
    ['no value', '{"key":"file"}'],
    ['an unknown operation', line('copyFile', { path: 'a' })],
    ['a key of every object', line('constructor', { path: 'a' })],
    ['the prototype as key', '{"key":"__proto__","value":{}}'],
    ['a value that hides in the prototype', '{"key":"deletedFile","value":{"__proto__":{"path":"a"}}}'],
    ['a key that is no text', line(1, {})],
    ['a second header', line('header', { summary: 'x' })],
    ['no content', line('file', { path: 'a' })],
    ['an unknown encoding', line('file', { path: 'a', content: '', encoding: 'utf-16' })],
    ['unpadded base64', line('file', { path: 'a', content: 'aGk', encoding: 'base64' })],
    ['base64 with a line end', line('file', { path: 'a', content: 'aGk=\n', encoding: 'base64' })],
    ['base64 for addresses', line('file', { path: 'a', content: '_-8=', encoding: 'base64' })],
    ['base64 with bits left over', line('file', { path: 'a', content: 'aGl=', encoding: 'base64' })],
    ['a lone surrogate in text', '{"key":"file","value":{"path":"a","content":"\\ud800"}}'],
    ['a lone surrogate in a path', '{"key":"deletedFile","value":{"path":"\\ud800"}}'],
    ['another hash', line('lfsFile', { path: 'a', algo: 'sha1', oid: OID, size: 1 })],
    ['a short oid', line('lfsFile', { path: 'a', algo: 'sha256', oid: 'abc', size: 1 })],
    ['a negative size', line('lfsFile', { path: 'a', algo: 'sha256', oid: OID, size: -1 })],
    ['a broken size', line('lfsFile', { path: 'a', algo: 'sha256', oid: OID, size: 1.5 })],
    ['a size as text', line('lfsFile', { path: 'a', algo: 'sha256', oid: OID, size: '1' })],
    ['a path that is no text', line('deletedFile', { path: ['a'] })],
  ])('%s is refused with its line number', (_, text) => {
    const refused = failure(() => parse(text, 7))
    expect(refused?.code).toBe('BadRequest')
    expect(refused?.message).toContain('Line 7 ')
  })

  test.each([
    ['no header first', line('deletedFile', { path: 'a' })],
    ['no summary', line('header', { description: '' })],
    ['an empty summary', line('header', { summary: ' ' })],
    ['a summary with NUL', line('header', { summary: 'a\0b' })],
    ['a summary of 9 KiB', line('header', { summary: 'x'.repeat(9 * 1024) })],
    ['a parent of four digits', line('header', { summary: 'x', parentCommit: 'abcd' })],
    ['a parent that is a branch', line('header', { summary: 'x', parentCommit: 'main' })],
  ])('%s is refused on line 1', (_, text) => {
    expect(failure(() => parse(text, 1))?.code).toBe('BadRequest')
  })

  test('the path check sees every path, and its refusal keeps its code', () => {
    const seen: string[] = []
    parseCommitLine(line('file', { path: 'a', content: '', oldPath: 'b' }), 2, (path) => seen.push(path))
    expect(seen).toEqual(['a', 'b'])
    const refuse = () => {
      throw new HubError('Invalid', 'bad path')
    }
    const refused = failure(() => parseCommitLine(line('deletedFolder', { path: '/' }), 3, refuse))
    expect(refused).toEqual({ code: 'Invalid', message: 'Line 3 of the commit: bad path' })
  })

  test('an inline file has a size limit', () => {
    const content = 'A'.repeat(4 * Math.ceil((64 * 1024 * 1024 + 1) / 3))
    expect(failure(() => parse(line('file', { path: 'a', content, encoding: 'base64' })))?.code).toBe(
      'TooLarge',
    )
  })
})

test('strict base64 accepts what encoders write and nothing beside it', () => {
  fc.assert(
    fc.property(fc.uint8Array(), fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (bytes, at, char) => {
      const text = Buffer.from(bytes).toString('base64')
      expect(decodeBase64(text)).toEqual(bytes)
      const mutated = text.slice(0, at % (text.length + 1)) + char + text.slice((at % (text.length + 1)) + 1)
      const decoded = decodeBase64(mutated)
      if (decoded !== null) expect(Buffer.from(decoded).toString('base64')).toBe(mutated)
    }),
  )
})

describe('what a commit amounts to', () => {
  const header: CommitOperation = { kind: 'header', summary: 's', description: '' }
  const put = (path: string, oldPath?: string): CommitOperation => ({
    kind: 'file',
    path,
    content: new Uint8Array(),
    ...(oldPath === undefined ? {} : { oldPath }),
  })
  const drop = (path: string): CommitOperation => ({ kind: 'deletedFile', path })
  const dropFolder = (path: string): CommitOperation => ({ kind: 'deletedFolder', path })
  const fold = (...operations: CommitOperation[]) => {
    const plan = foldOperations([header, ...operations])
    return {
      puts: [...plan.changes].filter(([, change]) => change !== null).map(([path]) => path),
      drops: [...plan.changes].filter(([, change]) => change === null).map(([path]) => path),
      folders: [...plan.deletedFolders].map(([path, { required }]) => (required ? path : `${path}?`)),
      required: [...plan.requiredFiles],
    }
  }

  test('the later line wins', () => {
    expect(fold(put('a'), put('a'))).toMatchObject({ puts: ['a'], drops: [] })
    expect(fold(drop('a'), put('a'))).toMatchObject({ puts: ['a'], drops: [], required: ['a'] })
    expect(fold(put('a'), drop('a'))).toMatchObject({ puts: [], drops: ['a'], required: [] })
  })

  test('a folder takes what was put into it before, not after', () => {
    expect(fold(put('d/a'), dropFolder('d'), put('d/b'))).toEqual({
      puts: ['d/b'],
      drops: [],
      folders: ['d?'],
      required: [],
    })
    expect(fold(dropFolder('d'), put('d/a'), put('dd'))).toMatchObject({
      puts: ['d/a', 'dd'],
      folders: ['d'],
    })
    expect(fold(dropFolder('d'), dropFolder('d/e')).folders).toEqual(['d', 'd/e?'])
  })

  test('a rename removes the old path', () => {
    expect(fold(put('b', 'a'))).toEqual({ puts: ['b'], drops: ['a'], folders: [], required: ['a'] })
    expect(fold(put('a', 'a'))).toMatchObject({ puts: ['a'], drops: [], required: [] })
  })

  test('a file may take the place of a removed folder and the other way round', () => {
    expect(fold(dropFolder('d'), put('d'))).toMatchObject({ puts: ['d'], folders: ['d'] })
    expect(fold(drop('d'), put('d/a'))).toMatchObject({ puts: ['d/a'], drops: ['d'] })
  })

  test('removing what this commit removed already is a missing entry', () => {
    for (const twice of [
      [drop('a'), drop('a')],
      [dropFolder('d'), drop('d/a')],
      [put('d/a'), dropFolder('d'), drop('d/a')],
    ]) {
      const refused = failure(() => fold(...twice))
      expect(refused?.code).toBe('EntryNotFound')
      // huggingface_hub adds its hint when it reads these words.
      expect(refused?.message).toContain("A file with this name doesn't exist")
    }
  })

  test('no path is a file and a folder at once', () => {
    expect(failure(() => fold(put('a'), put('a/b/c')))?.code).toBe('Invalid')
    expect(failure(() => fold(put('a/b'), put('a')))?.code).toBe('Invalid')
  })

  test('there is one header, and it comes first', () => {
    expect(failure(() => foldOperations([]))?.code).toBe('BadRequest')
    expect(failure(() => foldOperations([put('a')]))?.code).toBe('BadRequest')
    expect(failure(() => foldOperations([header, header]))?.code).toBe('BadRequest')
  })

  test('operations have a limit', () => {
    const many = (count: number) => [header, ...Array.from({ length: count }, (_, index) => put(`f${index}`))]
    expect(foldOperations(many(50_000)).changes.size).toBe(50_000)
    expect(failure(() => foldOperations(many(50_001)))?.code).toBe('TooLarge')
  })

  test('amounts to the same as doing one line after the other', () => {
    const name = fc.constantFrom('a', 'b', 'd/a', 'd/b', 'd/e/a', 'd/e/b', 'f/a')
    const operation = fc.oneof(
      name.map((path) => put(path)),
      name.map(drop),
      fc.constantFrom('d', 'd/e', 'f').map(dropFolder),
    )
    fc.assert(
      fc.property(fc.uniqueArray(name), fc.array(operation, { maxLength: 8 }), (tree, operations) => {
        const step = new Set<string>(tree)
        for (const one of operations)
          if (one.kind === 'file') step.add(one.path)
          else if (one.kind === 'deletedFile') {
            if (!step.delete(one.path)) return
          } else if (one.kind === 'deletedFolder')
            for (const path of step) if (path.startsWith(`${one.path}/`)) step.delete(path)
        const plan = foldOperations([header, ...operations])
        const whole = new Set<string>(tree)
        for (const path of plan.requiredFiles) expect(whole).toContain(path)
        for (const folder of plan.deletedFolders.keys())
          for (const path of whole) if (path.startsWith(`${folder}/`)) whole.delete(path)
        for (const [path, change] of plan.changes)
          if (change === null) whole.delete(path)
          else whole.add(path)
        expect([...whole].sort()).toEqual([...step].sort())
      }),
    )
  })
})
