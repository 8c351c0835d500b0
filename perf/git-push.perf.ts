/** A push of 1,000 commits into an empty repository, to the hub and to `git http-backend` behind nginx and fcgiwrap. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { openFolder } from './harness/folder.ts'
import { git, makeHistory, timeGit, withToken } from './harness/git.ts'
import { makeRepo, startHub } from './harness/hub.ts'
import { startGitHttpBackend } from './reference/git-http-backend.ts'

await benchmark('push', async ({ runs, add }) => {
  await using folder = await openFolder()
  await using hub = await startHub()
  const served = join(folder.path, 'served')
  await mkdir(served)
  await using backend = await startGitHttpBackend(served)
  let isFirst = true
  const measure = async (what: string, bound: number | null, commits: number, settings: string[]) => {
    const source = join(folder.path, `source-${commits}.git`)
    await makeHistory(source, { files: 1_000, filesPerFolder: 10, commits, filesPerCommit: 2 })
    // Both sides get the pack that the client has, and not what it finds out anew in each round.
    await git(source, 'repack', '-q', '-a', '-d')
    let count = 0
    const sides = {
      async ours() {
        const url = `${hub.url}/${await makeRepo(hub, `${commits}-${settings.length}-${(count += 1)}`)}`
        return timeGit(source, 'push', '--quiet', '--force', withToken(url, hub.token), 'main')
      },
      async reference(round: number) {
        const name = `${commits}-${settings.length}-${round}.git`
        await git(served, 'init', '--quiet', '--bare', '--initial-branch=main', name)
        for (const setting of settings) await git(join(served, name), 'config', setting, 'true')
        return timeGit(source, 'push', '--quiet', '--force', `${backend.url}/${name}`, 'main')
      },
    }
    // The hub compiles what it runs while it runs it.
    if (isFirst) {
      const [one, other] = [await sides.ours(), await sides.reference(-1)]
      add({
        what: 'push of 1,000 commits, the first since the start',
        unit: 'ms',
        ours: [one],
        reference: { name: 'git http-backend, nginx', values: [other] },
      })
      isFirst = false
    }
    const { ours, reference } = await inTurns(runs, sides)
    add({
      what,
      unit: 'ms',
      ours,
      reference: { name: 'git http-backend, nginx', values: reference },
      ...(bound === null ? {} : { bound: { on: 'ratio', atMost: bound } }),
    })
  }
  await measure('push of 1,000 commits', 1.3, 1_000, [])
  await measure('… where the reference checks objects, too', null, 1_000, ['receive.fsckObjects'])
  await measure('push of 10 commits', null, 10, [])
})
