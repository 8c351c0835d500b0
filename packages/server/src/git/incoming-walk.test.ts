import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { readWalk, WALK } from './incoming-walk.ts'
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

/** `path oid`, in order. */
async function walk(tips: string[], known: string[]): Promise<string[]> {
  const found: string[] = []
  const started = await store.helper.spawnGit({ ...WALK, gitDir: store.gitDir(repo), resident: true })
  for await (const files of readWalk(started, tips, known))
    for (const { path, oid } of files) found.push(`${Buffer.from(path).toString()} ${oid}`)
  return found
}

/** What git itself finds between them. */
function newBlobs(tips: string[], known: string[]): string[] {
  const objects = git('rev-list', '--objects', '--no-object-names', ...tips, '--not', ...known)
  const facts = gitWith(objects, 'cat-file', '--batch-check')
  return [...facts.matchAll(/^(\w+) blob/gm)].map(([, oid]) => oid!)
}

test('every file that the refs do not reach is named, whatever was merged with what', async () => {
  const name = fc.constantFrom('a', 'b', 'd/a', 'd/e/b', 'd/c')
  const step = fc.record({
    parents: fc.uniqueArray(fc.nat(9), { minLength: 1, maxLength: 4 }),
    files: fc.dictionary(name, fc.constantFrom('1', '2', '3', '4'), { maxKeys: 3 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 10 }), fc.nat(9), async (steps, knownAt) => {
      await nextRepository()
      const made: string[] = [await commit([], { a: 'first' })]
      for (const { parents, files } of steps) {
        const oids = [...new Set(parents.map((at) => made[at % made.length]!))]
        made.push(await commit(oids, { ...files, [`only/${made.length}`]: 'x' }, 1_700_000_000 + made.length))
      }
      const known = [made[knownAt % made.length]!]
      const tips = [made.at(-1)!]
      const named = new Set((await walk(tips, known)).map((line) => line.split(' ')[1]))
      expect(newBlobs(tips, known).filter((oid) => !named.has(oid))).toEqual([])
      expect(await walk(tips, tips)).toEqual([])
    }),
    { numRuns: 15 },
  )
})

test('a submodule has a path and no content; what a merge made itself is named once', async () => {
  const base = await commit([], { file: 'base' })
  const [left, right] = [await commit([base], { file: 'left' }), await commit([base], { file: 'right' })]
  const merge = await commit([left, right], { file: 'both' })
  const tree = gitWith(
    `160000 commit ${base}\tmodule\n100755 blob ${git('rev-parse', `${merge}:file`).trim()}\trun`,
    'mktree',
  ).trim()
  const last = git(
    '-c',
    'user.name=a',
    '-c',
    'user.email=a',
    'commit-tree',
    '-m',
    'x',
    '-p',
    merge,
    tree,
  ).trim()
  const both = git('rev-parse', `${merge}:file`).trim()
  expect(await walk([last], [left, right])).toEqual(['module null', `run ${both}`, `file ${both}`])
})

test('a commit, a folder or a tip that is missing is refused', async () => {
  const tree = gitWith(`040000 tree ${'2'.repeat(40)}\td`, 'mktree', '--missing').trim()
  const author = ['-c', 'user.name=a', '-c', 'user.email=a']
  const broken = git(...author, 'commit-tree', '-m', 'x', tree).trim()
  for (const tips of [['1'.repeat(40)], [broken]])
    await expect(walk(tips, [])).rejects.toThrow('lacks objects')
})
