/** Implementations of git that are not git, as clients: each is a small program with the same verbs. */
import { execFile, execFileSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { GitClient } from '@cairn/testkit/git-client'
import { afterAll, beforeAll, describe, expect, inject } from 'vitest'

import { buildGoGit, builtClientsTimeoutMs, goGitVersion, isBuilt } from './built-clients.ts'
import { cellsOf } from './cells.ts'
import { git as gitIn } from './fsck.ts'
import { isFull } from './generations.ts'
import { HostedRepo, kinds as allKinds, objectsOf } from './hosted-repo.ts'
import { cleanEnv, printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'
import { mountPath } from './mount.ts'

interface Implementation {
  client: string
  version: string
  /** The program and its first arguments; null where it is not there. */
  command: (() => Promise<readonly [string, ...string[]]>) | null
}

const run = promisify(execFile)
// How git is spoken does not depend on the kind: one is enough where time is short.
const kinds = isFull ? allKinds : allKinds.slice(0, 1)
const { isomorphicGit } = inject('libraries')
const debianPython = '/usr/bin/python3'
const dulwichVersion = isFull ? findDulwich() : null

const implementations: readonly Implementation[] = [
  {
    client: 'isomorphic-git',
    version: '1.44.11',
    command:
      isomorphicGit === null
        ? null
        : async () => [
            process.execPath,
            join(import.meta.dirname, 'js', 'isomorphic_git.mjs'),
            isomorphicGit,
          ],
  },
  {
    client: 'dulwich',
    version: dulwichVersion ?? '',
    command:
      dulwichVersion === null
        ? null
        : async () => [debianPython, join(import.meta.dirname, 'python', 'dulwich_client.py')],
  },
  {
    client: 'go-git',
    version: goGitVersion,
    command: isBuilt('go-git', 'go', 'version') ? async () => [await buildGoGit()] : null,
  },
]

/** Debian's package `python3-dulwich`. */
function findDulwich(): string | null {
  try {
    const asked = ['-c', "import dulwich; print('.'.join(map(str, dulwich.__version__)))"]
    return execFileSync(debianPython, asked, { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim()
  } catch {
    console.log('SKIP e2e with dulwich: there is no python3-dulwich')
    return null
  }
}

const stack = new AsyncDisposableStack()
let hub: HubProcess
let client: GitClient

beforeAll(async () => {
  client = stack.use(await GitClient.open())
  hub = stack.use(await startHub())
  if (isFull) await mountPath(hub, 'prefix')
})
afterAll(() => stack.disposeAsync())
printOnFailure(() => `--- the hub said\n${hub.log()}`)

// The one that npm brings is in every run.
describe.each(isFull ? implementations : implementations.slice(0, 1))(
  '$client',
  ({ client: name, version, command }) => {
    let program: readonly [string, ...string[]]
    beforeAll(async () => {
      if (command !== null) program = await command()
    }, builtClientsTimeoutMs)

    describe.each(kinds)('on a $label', ({ label, ...kind }) => {
      const step = cellsOf(
        { client: name, version, mount: kind.mount, xet: null },
        { skip: command === null },
      )
      const work = `${name}-${label.replaceAll(' ', '-')}`
      const path = (folder: string) => join(client.folder, folder)
      const git = (...args: string[]) => client.git(work, ...args)
      let repo: HostedRepo

      beforeAll(async () => {
        if (command === null) return
        repo = await HostedRepo.create(hub, kind, work)
        await repo.commit({ 'a.txt': 'one', 'folder/b.txt': 'b' }, 'First')
        await repo.api('/branch/side', { method: 'POST', body: {} })
        await repo.api('/tag/main', { method: 'POST', body: { tag: 'v1', message: 'The first' } })
        await repo.commit({ 'a.txt': 'two' }, 'Second')
      })

      async function does(...args: string[]): Promise<void> {
        const [file, ...first] = program
        await run(file, [...first, ...args], { env: cleanEnv({ HOME: client.folder }) })
      }

      step('a clone is complete', async () => {
        await does('clone', repo.remote(), path(work), '0')
        expect(await git('rev-parse', 'HEAD')).toBe(await repo.head())
        expect(await git('status', '--porcelain')).toBe('')
        expect(await git('fsck', '--strict', '--full')).toBe('')
        const reachable = ['rev-list', '--objects', '--no-object-names']
        const server = await gitIn(await repo.bare(), [...reachable, '--branches', '--tags'])
        expect(objectsOf(await git(...reachable, '--all'))).toEqual(objectsOf(server))
      })

      step('a fetch brings what is new', async () => {
        // Not every one of them keeps the password of a clone.
        await git('remote', 'set-url', 'origin', repo.remote())
        const next = await repo.commit({ 'c.txt': 'new' }, 'Third')
        await does('fetch', path(work))
        expect(await git('rev-parse', 'refs/remotes/origin/main')).toBe(next)
        expect(await git('show', `${next}:c.txt`)).toBe('new')
        expect(await git('fsck', '--strict', '--full')).toBe('')
        await git('reset', '-q', '--hard', 'origin/main')
      })

      step('a shallow clone has one commit', async () => {
        await does('clone', repo.remote(), path(`${work}-shallow`), '1')
        expect(await client.git(`${work}-shallow`, 'log', '--format=%s')).toBe('Third')
        expect(await client.git(`${work}-shallow`, 'fsck', '--strict')).toBe('')
      })

      step('a push moves a branch, makes one and a tag, and takes one away', async () => {
        await writeFile(path(`${work}/pushed.txt`), `by ${name}\n`)
        await does('commit', path(work), 'pushed.txt', `By ${name}`)
        await does('push', path(work), 'refs/heads/main:refs/heads/main')
        await repo.expectAgreement(client)
        const [newest] = await repo.api<{ id: string; title: string }[]>('/commits/main')
        expect(newest).toMatchObject({ id: await git('rev-parse', 'HEAD'), title: `By ${name}` })
        await git('tag', '-a', '-m', 'Theirs', 'v2')
        await does('push', path(work), 'refs/tags/v2:refs/tags/v2')
        await does('push', path(work), 'refs/heads/main:refs/heads/theirs')
        await does('push', path(work), ':refs/heads/side')
        const told = await repo.api<Record<string, { name: string }[]>>('/refs')
        expect(told['branches']!.map((ref) => ref.name).toSorted()).toEqual(['main', 'theirs'])
        expect(told['tags']!.map((ref) => ref.name).toSorted()).toEqual(['v1', 'v2'])
        await repo.expectAgreement(client)
      })

      step('what the hub refuses fails, and nothing has moved', async () => {
        const before = await repo.head()
        await expect(does('push', path(work), ':refs/heads/main')).rejects.toThrow()
        await writeFile(path(`${work}/README.md`), '---\nlicense: [\n---\n')
        await does('commit', path(work), 'README.md', 'Broken')
        await expect(does('push', path(work), 'refs/heads/main:refs/heads/main')).rejects.toThrow('README.md')
        await git('remote', 'set-url', 'origin', repo.remote(tokens.aliceReader))
        await expect(does('push', path(work), 'refs/heads/main:refs/heads/other')).rejects.toThrow()
        if (kind.isPrivate) {
          const stranger = repo.remote(tokens.bob)
          await expect(does('clone', stranger, path(`${work}-stranger`), '0')).rejects.toThrow()
        }
        expect(await repo.head()).toBe(before)
        await repo.expectAgreement(client)
      })
    })
  },
)
