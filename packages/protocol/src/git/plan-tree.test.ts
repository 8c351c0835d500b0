import { hash } from 'node:crypto'

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { HubError } from '../errors.ts'
import { EMPTY_TREE_OID, parseTree, type TreeEntry } from './objects.ts'
import { planTree, type TreeEdit } from './plan-tree.ts'

const primitives = { sha1: (data: Uint8Array) => hash('sha1', data, 'buffer') }
const A = { oid: 'a'.repeat(40), mode: '100644' } as const
const B = { oid: 'b'.repeat(40), mode: '100755' } as const

/** A repository that remembers its trees and which of them were read. */
function memoryTrees() {
  const trees = new Map<string, TreeEntry[]>()
  const reads: string[] = []
  return {
    reads,
    async apply(rootTreeOid: string | null, edits: Record<string, TreeEdit>): Promise<string> {
      const readTree = async (oid: string) => {
        reads.push(oid)
        return trees.get(oid) ?? Promise.reject(new Error(`no tree ${oid}`))
      }
      const plan = await planTree({
        rootTreeOid,
        edits: new Map(Object.entries(edits)),
        readTree,
        primitives,
      })
      for (const tree of plan.newTrees) trees.set(tree.oid, parseTree(tree.bytes))
      return plan.rootOid
    },
    files(root: string, prefix = ''): Record<string, string> {
      const found: Record<string, string> = {}
      for (const entry of root === EMPTY_TREE_OID ? [] : trees.get(root)!) {
        if (entry.mode === '40000') Object.assign(found, this.files(entry.oid, `${prefix}${entry.name}/`))
        else found[prefix + entry.name] = `${entry.mode} ${entry.oid[0]}`
      }
      return found
    },
  }
}

describe('a commit', () => {
  test('reads only the folders on the way to what it changes', async () => {
    const repo = memoryTrees()
    const first = await repo.apply(null, { 'a/b/c': A, 'x/y/z': A, top: A })
    repo.reads.length = 0
    const second = await repo.apply(first, { 'a/b/d': B })
    expect(repo.reads).toHaveLength(3)
    expect(repo.files(second)).toEqual({
      'a/b/c': '100644 a',
      'a/b/d': '100755 b',
      'x/y/z': '100644 a',
      top: '100644 a',
    })
  })

  test('that changes nothing keeps the root', async () => {
    const repo = memoryTrees()
    const first = await repo.apply(null, { 'a/b': A })
    expect(await repo.apply(first, { 'a/b': A })).toBe(first)
    expect(await repo.apply(first, {})).toBe(first)
  })

  test('takes folders with their last file, down to the empty tree', async () => {
    const repo = memoryTrees()
    const first = await repo.apply(null, { 'a/b/c': A, top: A })
    const second = await repo.apply(first, { 'a/b/c': null })
    expect(repo.files(second)).toEqual({ top: '100644 a' })
    expect(await repo.apply(second, { top: null })).toBe(EMPTY_TREE_OID)
    expect(await repo.apply(EMPTY_TREE_OID, { top: A })).toBe(second)
    expect(await repo.apply(null, {})).toBe(EMPTY_TREE_OID)
  })

  test('may empty a folder and fill it anew', async () => {
    const repo = memoryTrees()
    const first = await repo.apply(null, { 'a/b/c': A, 'a/d': A })
    const second = await repo.apply(first, { 'a/': 'delete-folder', 'a/e': B, 'a/b/c': null })
    expect(repo.files(second)).toEqual({ 'a/e': '100755 b' })
    expect(repo.files(await repo.apply(second, { a: 'delete-folder', keep: A }))).toEqual({
      keep: '100644 a',
    })
  })

  test('may turn a file into a folder and back when it deletes the old one', async () => {
    const repo = memoryTrees()
    const file = await repo.apply(null, { a: A })
    const folder = await repo.apply(file, { a: null, 'a/b': A })
    expect(repo.files(folder)).toEqual({ 'a/b': '100644 a' })
    expect(await repo.apply(folder, { 'a/': 'delete-folder', a: A })).toBe(file)
    expect(await repo.apply(folder, { 'a/b': null, a: A })).toBe(file)
  })

  test.each<[string, Record<string, TreeEdit>, Record<string, TreeEdit>, string]>([
    ['a file over a folder', { 'a/b': A }, { a: A }, 'Invalid'],
    ['a folder over a file', { a: A }, { 'a/b': A }, 'Invalid'],
    ['a file and a folder of one name', {}, { a: A, 'a/b': A }, 'Invalid'],
    [
      'a file below a file of a deleted folder',
      { 'a/b': A },
      { 'a/': 'delete-folder', a: A, 'a/b': A },
      'Invalid',
    ],
    ['a path outside', {}, { '../a': A }, 'Invalid'],
    ['a deletion of nothing in particular', {}, { '': 'delete-folder' }, 'Invalid'],
    ['a missing file deleted', { b: A }, { a: null }, 'EntryNotFound'],
    ['a file in a missing folder deleted', { b: A }, { 'a/b': null }, 'EntryNotFound'],
    ['a folder deleted as a file', { 'a/b': A }, { a: null }, 'EntryNotFound'],
    ['a file deleted as a folder', { a: A }, { 'a/': 'delete-folder' }, 'EntryNotFound'],
  ])('is refused: %s', async (_, before, edits, code) => {
    const repo = memoryTrees()
    const root = await repo.apply(null, before)
    const refusal = await repo.apply(root, edits).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(HubError)
    expect((refusal as HubError).code).toBe(code)
    // huggingface_hub adds a hint when it sees these words.
    if (code === 'EntryNotFound')
      expect((refusal as HubError).message).toContain("A file with this name doesn't exist")
  })
})

test('any sequence of edits gives the files that a plain map would hold', async () => {
  const path = fc
    .array(fc.constantFrom('a', 'b', 'a.b', 'c d'), { minLength: 1, maxLength: 3 })
    .map((parts) => parts.join('/'))
  const edit = fc.record({ path, put: fc.option(fc.constantFrom(A, B), { freq: 3 }) })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(edit, { minLength: 1, maxLength: 6 }), { maxLength: 6 }),
      async (commits) => {
        const repo = memoryTrees()
        let model = new Map<string, string>()
        let root: string = EMPTY_TREE_OID
        for (const commit of commits) {
          const edits: Record<string, TreeEdit> = Object.fromEntries(
            commit.map(({ path: at, put }) => [at, put]),
          )
          const next = new Map(model)
          let valid = true
          for (const [at, change] of Object.entries(edits))
            if (change === null) valid = next.delete(at) && valid
          for (const [at, change] of Object.entries(edits))
            if (change !== null && change !== 'delete-folder') next.set(at, `${change.mode} ${change.oid[0]}`)
          for (const at of next.keys())
            valid &&= ![...next.keys()].some((other) => other.startsWith(`${at}/`))
          const result = await repo.apply(root, edits).catch((error: unknown) => {
            expect(error).toBeInstanceOf(HubError)
            return null
          })
          expect(result !== null).toBe(valid)
          if (result === null) continue
          root = result
          model = next
          expect(repo.files(root)).toEqual(Object.fromEntries(model))
        }
      },
    ),
    { numRuns: 300 },
  )
})
