/** Clones of one and the same bare repository, from the hub and from `git http-backend` behind nginx and fcgiwrap. */
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { openFolder } from './harness/folder.ts'
import { git, makeHistory, onlyBareRepository, timeGit, withToken } from './harness/git.ts'
import { makeRepo, startHub } from './harness/hub.ts'
import { startGitHttpBackend } from './reference/git-http-backend.ts'

const NAME = 'git http-backend, nginx'

await benchmark('clone', async ({ runs, add }) => {
  await using folder = await openFolder()
  await using hub = await startHub()
  const source = join(folder.path, 'source.git')
  await makeHistory(source, { files: 10_000, filesPerFolder: 100, commits: 200, filesPerCommit: 20 })
  const ours = withToken(`${hub.url}/${await makeRepo(hub, 'many')}`, hub.token)
  await git(source, 'push', '--quiet', '--force', ours, 'main')
  const bare = await onlyBareRepository(hub.dataDir)
  await using backend = await startGitHttpBackend(dirname(bare))
  const reference = `${backend.url}/${basename(bare)}`
  const clone =
    (url: string, ...options: string[]) =>
    async () => {
      const target = join(folder.path, 'clone')
      const ms = await timeGit(folder.path, 'clone', '--quiet', ...options, url, target)
      await rm(target, { recursive: true })
      return ms
    }
  const measure = async (what: string, bound: number | null, ...options: string[]) => {
    await clone(ours, ...options)()
    const found = await inTurns(runs, {
      ours: clone(ours, ...options),
      reference: clone(reference, ...options),
    })
    add({
      what,
      unit: 'ms',
      ours: found.ours,
      reference: { name: NAME, values: found.reference },
      ...(bound === null ? {} : { bound: { on: 'ratio', atMost: bound } }),
    })
  }
  const what = 'clone of 10,000 files and 200 commits'
  await measure(`${what}, as pushed`, 1.15)
  await git(bare, 'repack', '-q', '-a', '-d', '--write-bitmap-index')
  await measure(`${what}, packed with a bitmap`, 1.15)
  await measure('… without writing the files', null, '--no-checkout')
  await measure('… only the newest commit', null, '--depth=1', '--no-checkout')
})
