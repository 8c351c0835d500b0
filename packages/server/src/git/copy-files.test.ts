/** Copies of repositories: whole while they are packed, and never of damaged files. */
import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import { copyRepository } from './copy-files.ts'
import { closeScratch, commit, nextRepository, openScratch, repo, root, store } from './scratch.fixture.ts'

let to: string
beforeAll(openScratch)
afterAll(closeScratch)
beforeEach(async () => {
  await nextRepository()
  to = await mkdtemp(join(tmpdir(), 'git-copy-'))
})
afterEach(() => rm(to, { recursive: true }))

async function history(length: number): Promise<string> {
  let head: string | null = null
  for (let index = 0; index < length; index++)
    head = await commit(head === null ? [] : [head], { 'a.txt': `version ${index}` })
  await store.projectRefs(repo, [{ name: 'refs/heads/main', oid: head }], 'refs/heads/main')
  return head!
}

const copyOf = () => join(to, repo.slice(-2), `${repo}.git`)
const missingIn = (gitDir: string, head: string): string =>
  execFileSync('git', ['--git-dir', gitDir, 'rev-list', '--objects', '--missing=print', head]).toString()

test('a copy has every object, also when the repository is packed in the middle', async () => {
  const head = await history(20)
  const packing = store.repack(repo)
  const copy = await copyRepository(root, to, repo)
  await packing
  expect(copy).toMatchObject({ isThere: true, faults: [] })
  expect(missingIn(copyOf(), head)).not.toContain('?')
})

test('a second copy brings only what is new, and names what has been replaced', async () => {
  await history(5)
  const first = await copyRepository(root, to, repo)
  expect(first).toMatchObject({ copiedFiles: 15, replaced: [] })
  expect(await copyRepository(root, to, repo)).toMatchObject({ copiedFiles: 0, copiedBytes: 0, replaced: [] })
  await store.repack(repo)
  const third = await copyRepository(root, to, repo)
  expect(third.copiedFiles).toBe(2)
  expect(third.replaced).toHaveLength(15)
})

test.each(['loose', 'packed'])('a damaged %s object is named and not copied', async (form) => {
  await history(3)
  if (form === 'packed') await store.repack(repo)
  const folder = join(store.gitDir(repo), 'objects')
  const files = await readdir(folder, { recursive: true, withFileTypes: true })
  const victim = files.find((entry) => entry.isFile() && /^[0-9a-f]{38}$|\.pack$/.test(entry.name))!
  const path = join(victim.parentPath, victim.name)
  const bytes = await readFile(path)
  bytes[bytes.length >> 1]! ^= 1
  await chmod(path, 0o644)
  await writeFile(path, bytes)
  const { faults } = await copyRepository(root, to, repo)
  expect(faults).toHaveLength(1)
  expect(path).toContain(faults[0]!.file)
  const copied = await readdir(join(copyOf(), 'objects'), { recursive: true })
  expect(copied).not.toContain(faults[0]!.file)
  expect(copied.filter((name) => name.includes('tmp_'))).toEqual([])
})

test('a repository without a folder is told', async () => {
  expect(await copyRepository(root, to, 'absent01')).toMatchObject({ isThere: false })
})
