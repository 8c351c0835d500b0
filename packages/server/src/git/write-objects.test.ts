import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'

import { encodeTag } from '@cairn/protocol/git/commits'
import { EMPTY_TREE_OID, encodeTree, newObject, parseTree, type TreeEntry } from '@cairn/protocol/git/objects'
import { planTree, type TreeEdit } from '@cairn/protocol/git/plan-tree'
import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'

import { nativePrimitives as primitives } from '../primitives.ts'
import {
  blob,
  closeScratch,
  commit,
  git,
  gitWith,
  nextRepository,
  openScratch,
  repo,
  root,
  store,
  who,
} from './scratch.fixture.ts'

beforeAll(openScratch)
afterAll(closeScratch)
beforeEach(nextRepository)

describe('what we write is what git would have written', () => {
  test('a commit of few objects is loose, read-only and clean', async () => {
    const oid = await commit([], { 'a b/ü #%.txt': 'hello', 'a-b': 'x', a0: 'y', 'naïve/日本': '' })
    await store.projectRefs(repo, [{ name: 'refs/heads/main', oid }])
    expect(await store.fsck(repo)).toEqual([])
    expect(
      git('-c', 'core.quotePath=false', 'ls-tree', '-r', '--name-only', 'main').trim().split('\n'),
    ).toEqual(['a b/ü #%.txt', 'a-b', 'a0', 'naïve/日本'])
    expect(git('cat-file', 'blob', 'main:a b/ü #%.txt')).toBe('hello')
    expect(git('count-objects', '-v')).toMatch(/^count: 8\n[^]*packs: 0/)
    const folder = join(store.gitDir(repo), 'objects', oid.slice(0, 2))
    expect(readdirSync(folder)).toEqual([oid.slice(2)])
    expect(statSync(join(folder, oid.slice(2))).mode & 0o777).toBe(0o444)
    expect(readdirSync(root).includes('discarded')).toBe(true)
    expect(readdirSync(join(root, 'discarded'))).toEqual([])
  })

  test('objects find their folder although a repack takes away those that are empty', async () => {
    const folder = join(store.gitDir(repo), 'objects')
    let isDone = false
    let taken = 0
    const taking = (async () => {
      while (!isDone)
        for (const name of await readdir(folder))
          if (name.length === 2)
            await rmdir(join(folder, name)).then(
              () => (taken += 1),
              () => {},
            )
    })()
    try {
      for (let index = 0; index < 40; index += 1) {
        const objects = Array.from({ length: 8 }, (_, n) => blob(`${index} ${n}`))
        await store.write(repo, objects)
        for (const { oid } of objects) await rm(join(folder, oid.slice(0, 2), oid.slice(2)))
      }
    } finally {
      isDone = true
      await taking
    }
    expect(taken).toBeGreaterThan(20)
  })

  test('a commit of many objects is one pack, which git verifies; objects given twice are stored once', async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, n) => [`d${n % 7}/${n}`, `${n}`.repeat(n * 3)]),
    )
    const oid = await commit([], { ...files, twice: '5'.repeat(15), big: 'z'.repeat(3_000_000) })
    await store.projectRefs(repo, [{ name: 'refs/heads/main', oid }])
    expect(await store.fsck(repo)).toEqual([])
    const packFolder = join(store.gitDir(repo), 'objects/pack')
    const names = readdirSync(packFolder)
    expect(names.map((name) => name.replace(/^pack-[0-9a-f]{40}/, '')).toSorted()).toEqual(['.idx', '.pack'])
    git(
      'verify-pack',
      join(
        packFolder,
        names.find((name) => name.endsWith('.idx'))!,
      ),
    )
    // git's own index of our pack has the same bytes.
    const pack = join(
      packFolder,
      names.find((name) => name.endsWith('.pack'))!,
    )
    execFileSync('git', ['index-pack', '--strict', '-o', join(root, `${repo}.idx`), pack], { cwd: root })
    expect(readFileSync(join(root, `${repo}.idx`)).equals(readFileSync(pack.replace(/pack$/, 'idx')))).toBe(
      true,
    )
    expect(git('cat-file', '-s', 'main:big').trim()).toBe('3000000')
  })

  test('an object whose oid is another is refused before anything is written', async () => {
    const good = blob('good')
    await expect(store.write(repo, [good, { ...blob('bad'), oid: 'a'.repeat(40) }])).rejects.toThrow(
      TypeError,
    )
    expect(await store.stat(repo, good.oid)).toBeNull()
  })

  test('an object that a crash cut short is healed by writing it again', async () => {
    const object = blob('whole')
    await store.write(repo, [object])
    const path = join(store.gitDir(repo), 'objects', object.oid.slice(0, 2), object.oid.slice(2))
    chmodSync(path, 0o644)
    writeFileSync(path, '')
    expect(await store.fsck(repo)).not.toEqual([])
    await store.write(repo, [object, object])
    expect(await store.fsck(repo)).toEqual([])
  })

  test('a folder of ten thousand entries', async () => {
    const { oid } = blob('x')
    const entries: TreeEntry[] = Array.from({ length: 10_000 }, (_, n) => ({
      name: `${(n * 7919) % 10_007}.bin`,
      mode: '100644',
      oid,
    }))
    const tree = newObject(primitives, 'tree', encodeTree(entries))
    await store.write(repo, [tree, blob('x')])
    expect(gitWith(git('ls-tree', tree.oid), 'mktree').trim()).toBe(tree.oid)
    expect(parseTree((await store.read(repo, tree.oid)).bytes)).toHaveLength(10_000)
  })

  test('tags', async () => {
    const targetOid = await commit([], { a: 'a' })
    const tag = newObject(
      primitives,
      'tag',
      encodeTag({
        targetOid,
        targetType: 'commit',
        name: 'v1',
        tagger: { ...who, seconds: 1 },
        message: 'one',
      }),
    )
    await store.write(repo, [tag])
    await store.projectRefs(repo, [{ name: 'refs/tags/v1', oid: tag.oid }])
    expect(await store.fsck(repo)).toEqual([])
    expect(git('rev-parse', 'v1^{commit}').trim()).toBe(targetOid)
  })

  test('any edits: our root tree is the one that git makes of the same files', async () => {
    const name = fc.constantFrom('a', 'a.b', 'a-b', 'ab', 'ä', 'B c', '#1', '%20', '"q"', 'z')
    const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'))
    const commits = fc.array(
      fc.dictionary(path, fc.option(fc.constantFrom('1', '2'), { freq: 3 }), { minKeys: 1, maxKeys: 5 }),
      { minLength: 1, maxLength: 3 },
    )
    const contents = { '1': blob('1'), '2': blob('2') }
    await store.write(repo, Object.values(contents))
    let compared = 0
    await fc.assert(
      fc.asyncProperty(commits, async (sequence) => {
        let rootOid: string = EMPTY_TREE_OID
        const files = new Map<string, string>()
        const trees = new Map<string, TreeEntry[]>()
        for (const changes of sequence) {
          const edits = new Map<string, TreeEdit>()
          for (const [at, content] of Object.entries(changes)) {
            if (content === null && !files.has(at)) continue
            edits.set(
              at,
              content === null
                ? null
                : { oid: contents[content as '1'].oid, mode: content === '1' ? '100644' : '100755' },
            )
          }
          const plan = await planTree({
            rootTreeOid: rootOid,
            edits,
            readTree: async (oid) => trees.get(oid)!,
            primitives,
          }).catch(() => null)
          if (plan === null) return
          for (const tree of plan.newTrees) trees.set(tree.oid, parseTree(tree.bytes))
          for (const [at, edit] of edits)
            if (edit === null) files.delete(at)
            else files.set(at, `${(edit as { mode: string }).mode} ${(edit as { oid: string }).oid}\t${at}`)
          rootOid = plan.rootOid
        }
        const index = { GIT_INDEX_FILE: join(root, `${repo}.index`), GIT_DIR: store.gitDir(repo) }
        await rm(index.GIT_INDEX_FILE, { force: true })
        const env = { ...process.env, ...index }
        execFileSync('git', ['update-index', '-z', '--index-info'], {
          input: [...files.values()].map((row) => `${row}\0`).join(''),
          env,
        })
        expect(rootOid).toBe(execFileSync('git', ['write-tree'], { env }).toString().trim())
        compared += 1
      }),
      { numRuns: 60 },
    )
    expect(compared).toBeGreaterThan(10)
  })
})
