import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { makeDirDurable, renameDurable, writeFileDurable } from './durable.ts'

async function makeFolder() {
  const path = await mkdtemp(join(tmpdir(), 'cairn-durable-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

test('a file is replaced as a whole, with its mode, and nothing lies beside it', async () => {
  await using folder = await makeFolder()
  const path = join(folder.path, 'secret')
  await writeFileDurable(path, Buffer.from('one'), 0o600)
  await writeFileDurable(path, Buffer.from('two'), 0o400)
  expect(await readFile(path, 'utf8')).toBe('two')
  expect((await stat(path)).mode & 0o777).toBe(0o400)
  expect(await readdir(folder.path)).toEqual(['secret'])
})

test('a file that cannot take its place leaves nothing behind', async () => {
  await using folder = await makeFolder()
  await makeDirDurable(join(folder.path, 'taken', 'full'))
  await expect(writeFileDurable(join(folder.path, 'taken'), Buffer.from('x'), 0o600)).rejects.toThrow()
  expect(await readdir(folder.path)).toEqual(['taken'])
})

test('many ask for folders below one another at once, and all of them exist', async () => {
  await using folder = await makeFolder()
  const paths = Array.from({ length: 40 }, (_, n) => join(folder.path, 'a', `b${n % 4}`, `c${n % 8}`))
  await Promise.all(paths.map((path) => makeDirDurable(path)))
  for (const path of paths) expect((await stat(path)).isDirectory()).toBe(true)
  await makeDirDurable(paths[0]!)
})

test('a rename moves a file over another, across folders', async () => {
  await using folder = await makeFolder()
  const [from, to] = [join(folder.path, 'from'), join(folder.path, 'deep', 'to')]
  await makeDirDurable(join(folder.path, 'deep'))
  await writeFile(from, 'new')
  await writeFile(to, 'old')
  await renameDurable(from, to)
  expect(await readFile(to, 'utf8')).toBe('new')
  expect(await readdir(folder.path)).toEqual(['deep'])
})
