import { execFileSync } from 'node:child_process'

import { parseTree } from '@cairn/protocol/git/objects'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { GitObjectNotFoundError } from './git-store.ts'
import {
  closeScratch,
  commit,
  git,
  gitWith,
  nextRepository,
  openScratch,
  repo,
  store,
} from './scratch.fixture.ts'

beforeAll(openScratch)
afterAll(closeScratch)
beforeEach(nextRepository)

describe('history', () => {
  test('a log is what git log says, with every message whole', async () => {
    const one = await commit([], { a: '1' }, 1000, 'one\n\nbody\n:100644 looks like a change\n')
    const two = await commit([one], { b: '1' }, 2000, 'two ✓')
    const side = await commit([one], { c: '1' }, 1500)
    const merge = await commit(
      [two, side],
      { c: '1' },
      3000,
      'commit 0123456789012345678901234567890123456789',
    )
    const log = await store.log(repo, merge, {})
    expect(log.map(({ oid }) => oid)).toEqual(git('log', '--format=%H', merge).trim().split('\n'))
    expect(log[0]).toEqual({
      oid: merge, treeOid: git('rev-parse', `${merge}^{tree}`).trim(), parents: [two, side], authorName: 'Ana x',
      authorEmail: 'ana@example.com', date: 3_000_000, message: 'commit 0123456789012345678901234567890123456789\n',
    }) // prettier-ignore
    expect((await store.log(repo, merge, { skip: 1, limit: 2 })).map(({ oid }) => oid)).toEqual([two, side])
    expect(await store.log(repo, merge, { skip: 9 })).toEqual([])
    expect(await store.countCommits(repo, merge)).toBe(4)
    expect(await store.isAncestor(repo, side, merge)).toBe(true)
    expect(await store.isAncestor(repo, side, two)).toBe(false)
    const missing = 'a'.repeat(40)
    await expect(store.log(repo, missing, {})).rejects.toThrow(GitObjectNotFoundError)
    await expect(store.countCommits(repo, '--all')).rejects.toThrow(GitObjectNotFoundError)
    await expect(store.isAncestor(repo, missing, merge)).rejects.toThrow(GitObjectNotFoundError)
    await expect(store.lastCommits(repo, missing, ['a'])).rejects.toThrow(GitObjectNotFoundError)
  })

  test('where both sides of a merge made the same change, the first side is named', async () => {
    const base = await commit([], { a: '0', b: '0' }, 1000)
    const left = await commit([base], { a: '1' }, 1001)
    const right = await commit([base], { a: '1', b: '1' }, 1002)
    const merge = await commit([left, right], { b: '1' }, 1003)
    expect(git('log', '-1', '--format=%H', merge, '--', 'a').trim()).toBe(left)
    const found = await store.lastCommits(repo, merge, ['a', 'b'])
    expect([found.get('a')?.oid, found.get('b')?.oid]).toEqual([left, right])
  })

  test('a commit that the log shows before its child, whose clock was slow, is not missed', async () => {
    const base = await commit([], { a: '0' }, 1000)
    const shown = await commit([base], { a: '1' }, 2000)
    const late = await commit([shown], { k: 'a slow clock' }, 1500)
    const side = await commit([shown], { a: '2' }, 2500)
    const merge = await commit([late, side], {}, 3000)
    expect(git('log', '--format=%H', merge).trim().split('\n')).toEqual([merge, side, shown, late, base])
    expect(git('log', '-1', '--format=%H', merge, '--', 'a').trim()).toBe(shown)
    expect((await store.lastCommits(repo, merge, ['a'])).get('a')?.oid).toBe(shown)
  })

  test('the last commit of any path is that of git log -1, over merges and clocks that disagree', async () => {
    const names = ['a', 'b', 'd/a', 'd/b', 'd/e/f', 'g h/ü\n#', ':x', '*']
    const shape = fc.array(
      fc.record({
        parents: fc.uniqueArray(fc.nat(), { minLength: 1, maxLength: 3 }),
        files: fc.dictionary(
          fc.constantFrom(...names.filter((name) => !name.includes('\n'))),
          fc.constantFrom('1', '2', '3'),
          { maxKeys: 3 },
        ),
        seconds: fc.integer({ min: 1000, max: 1010 }),
      }),
      { minLength: 3, maxLength: 12 },
    )
    const paths = [...names, 'd', 'd/e', 'g h', 'never', 'd/never']
    await fc.assert(
      fc.asyncProperty(shape, async (commits) => {
        const made: string[] = []
        for (const { parents, files, seconds } of commits) {
          const oids = made.length === 0 ? [] : [...new Set(parents.map((n) => made[n % made.length]!))]
          made.push(await commit(oids, { k: `${made.length}`, ...files }, seconds, 'commit\n:100644\n'))
        }
        const head = made.at(-1)!
        for (const asked of [
          paths,
          [...paths, ...Array.from({ length: 10 }, (_, n) => `d/${n}`)],
          ['d', 'a'],
        ]) {
          const found = await store.lastCommits(repo, head, asked)
          const expected = asked.map(
            (path) =>
              [
                path,
                git('--literal-pathspecs', 'log', '-1', '--format=%H', head, '--', path).trim(),
              ] as const,
          )
          expect(new Map([...found].map(([path, record]) => [path, record.oid]))).toEqual(
            new Map(expected.filter(([, oid]) => oid !== '')),
          )
        }
      }),
      { numRuns: 6 },
    )
  }, 20_000)

  test('a name that is not UTF-8 has a history too', async () => {
    const rows = Buffer.concat([
      Buffer.from(`100644 blob ${git('hash-object', '-w', '--stdin').trim()}\tcaf`),
      Buffer.from([0xe9, 0]),
    ])
    const tree = gitWith(rows, 'mktree', '-z').trim()
    const oid = execFileSync('git', [
      '--git-dir',
      store.gitDir(repo),
      '-c',
      'user.name=a',
      '-c',
      'user.email=a',
      'commit-tree',
      '-m',
      'x',
      tree,
    ])
      .toString()
      .trim()
    const [entry] = parseTree((await store.read(repo, tree)).bytes)
    expect((await store.lastCommits(repo, oid, [entry!.name])).get('caf\udce9')?.oid).toBe(oid)
  })
})
