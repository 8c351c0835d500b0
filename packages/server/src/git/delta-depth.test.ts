import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { deltaOf, oidOf, packOf, type PackEntry } from '../../test/pack-builder.ts'
import { deepestDelta } from './delta-depth.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'delta-depth-'))
})
afterEach(async () => rm(folder, { recursive: true }))

async function indexed(pack: Buffer): Promise<string> {
  const path = join(folder, 'a.pack')
  await writeFile(path, pack)
  execFileSync('git', ['index-pack', path], { cwd: folder, stdio: 'ignore' })
  return path
}

test('a pack of git’s own has the depth that git says', async () => {
  const git = (...args: string[]) =>
    execFileSync('git', args, { cwd: folder, env: { ...process.env, HOME: folder } })
  git('init', '-q')
  for (let n = 0; n < 40; n += 1) {
    await writeFile(
      join(folder, 'file'),
      Array.from({ length: 400 }, (_, line) => `${line} ${line < n * 10 ? n : 0}\n`).join(''),
    )
    git('add', 'file')
    git('-c', 'user.name=a', '-c', 'user.email=a@b', 'commit', '-qm', `${n}`)
  }
  git('repack', '-adfq', '--depth=12', '--window=20')
  const packs = join(folder, '.git/objects/pack')
  const path = join(
    packs,
    (await readdir(packs)).find((name) => name.endsWith('.pack'))!,
  )
  const told = [
    ...git('verify-pack', '-s', path)
      .toString()
      .matchAll(/^chain length = (\d+)/gm),
  ].map(([, n]) => Number(n))
  expect(Math.max(...told)).toBeGreaterThan(3)
  expect(await deepestDelta(path, 4095)).toBe(Math.max(...told))
  expect(await deepestDelta(path, 2)).toBe(3)
})

test('bases by name may come later in the pack', async () => {
  const texts = ['a'.repeat(50)]
  for (let n = 1; n < 30; n += 1) texts.push(`${texts[n - 1]}${n % 10}`)
  const entries = texts.map((text, n): PackEntry => {
    if (n === 0) return { type: 'blob', bytes: Buffer.from(text) }
    const base = texts[n - 1]!
    return {
      type: 'refDelta',
      bytes: deltaOf(base.length, 1, `${n % 10}`),
      base: oidOf('blob', Buffer.from(base)),
    }
  })
  expect(await deepestDelta(await indexed(packOf(entries.toReversed())), 4095)).toBe(29)
  expect(await deepestDelta(await indexed(packOf(entries)), 28)).toBe(29)
  expect(await deepestDelta(await indexed(packOf([entries[0]!])), 1)).toBe(0)
})
