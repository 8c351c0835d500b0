/** What git itself says about repositories that were written over HTTP, on the hub's disk. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { commit, createBranch, createRepo, listCommits, listFiles, uploadFiles } from '@huggingface/hub'
import type { CommitOperation, RepoId } from '@huggingface/hub'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { fsckAll, git, listRepositories } from './fsck.ts'
import { printOnFailure, startHub, tokens } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { noise } from './model-folder.ts'

const repo: RepoId = { type: 'model', name: 'alice/for-git' }

function add(path: string, content: string | Uint8Array<ArrayBuffer>): CommitOperation {
  return { operation: 'addOrUpdate', path, content: new Blob([content]) }
}

describe('a repository written over HTTP', () => {
  const stack = new AsyncDisposableStack()
  let hub: HubProcess
  let caller: { hubUrl: string; accessToken: string }
  let work: string
  let bare: string

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), 'cairn-e2e-git-'))
    hub = stack.use(await startHub())
    caller = { hubUrl: hub.url, accessToken: tokens.alice }
    await createRepo({ ...caller, repo })
    const [only, ...others] = await listRepositories(hub.dataDir)
    expect(others).toEqual([])
    bare = only!
    const title = 'Ünïcode title: 日本語'
    const weights = Buffer.from(noise('weights', 100_000))
    await commit({ ...caller, repo, title, operations: [add('a.txt', 'a\n'), add('weights.bin', weights)] })
    // Git orders a folder as if its name ended in a slash: `x-y`, `x.txt`, `x/`, `x0`.
    const sorted = ['x/inside.txt', 'x.txt', 'x-y', 'x0', 'ä.txt', 'deep/er/and/deeper.txt']
    await commit({
      ...caller,
      repo,
      title: 'Names that sort oddly',
      description: 'First line.\n\nThird line, with trailing space \n',
      operations: sorted.map((path) => add(path, `${path}\n`)),
    })
    await createBranch({ ...caller, repo, branch: 'side' })
    await commit({ ...caller, repo, title: 'Aside', branch: 'side', operations: [add('side.txt', '')] })
    const removal: CommitOperation[] = [{ operation: 'delete', path: 'x/inside.txt' }]
    await commit({ ...caller, repo, title: 'The folder goes with its last file', operations: removal })
    // More objects than a loose write is meant for.
    const files = Array.from({ length: 60 }, (_, index) => ({
      path: `many/${index % 7}/file-${index}.txt`,
      content: new Blob([`${index}\n`]),
    }))
    await uploadFiles({ ...caller, repo, files, commitTitle: 'Many at once' })
  })
  afterAll(async () => {
    await stack.disposeAsync()
    await rm(work, { recursive: true, force: true })
  })
  printOnFailure(() => hub.log())

  test('passes git fsck --strict --full', async () => {
    expect(await fsckAll(hub.dataDir)).toEqual([])
  })

  test.each(['main', 'side'])('has the refs and the history that the API tells: %s', async (branch) => {
    const told = await Array.fromAsync(listCommits({ ...caller, repo, revision: branch }))
    const head = (await git(bare, ['rev-parse', `refs/heads/${branch}`])).trim()
    expect(told[0]?.oid).toBe(head)
    const history = await git(bare, ['log', '--format=%H %s', head])
    expect(told.map(({ oid, title }) => `${oid} ${title}`)).toEqual(history.trim().split('\n'))
  })

  test('lists the tree that git lists', async () => {
    const told = await Array.fromAsync(listFiles({ ...caller, repo, recursive: true }))
    const files = told.filter(({ type }) => type === 'file').map(({ path, oid }) => `${oid} ${path}`)
    const listing = await git(bare, [
      '-c',
      'core.quotepath=off',
      'ls-tree',
      '-r',
      '-z',
      '--format=%(objectname) %(path)',
      'main',
    ])
    expect(files.toSorted()).toEqual(listing.split('\0').filter(Boolean).toSorted())
  })

  test('has the ids that git gives when it writes the same history itself', async () => {
    const mirror = join(work, 'mirror.git')
    await git(work, ['init', '--quiet', '--bare', mirror])
    const objects = { GIT_ALTERNATE_OBJECT_DIRECTORIES: join(bare, 'objects') }
    const ids = (await git(bare, ['rev-list', '--reverse', '--all'])).trim().split('\n')
    expect(ids.length).toBeGreaterThanOrEqual(6)
    for (const id of ids) {
      // An index filled from the listing makes git sort, mode and hash every folder anew.
      const index = { ...objects, GIT_INDEX_FILE: join(mirror, `index-${id}`) }
      await git(mirror, ['read-tree', id], index)
      const tree = (await git(mirror, ['write-tree'], index)).trim()
      const raw = await git(bare, ['cat-file', 'commit', id])
      const [, author = '', committer = ''] =
        /^author (.*)\ncommitter (.*)$/m.exec(raw) ?? expect.unreachable(raw)
      const parents = [...raw.split('\n\n')[0]!.matchAll(/^parent ([0-9a-f]{40})$/gm)].map(([, oid]) => oid!)
      const message = raw.slice(raw.indexOf('\n\n') + 2)
      const args = ['commit-tree', tree, ...parents.flatMap((parent) => ['-p', parent])]
      const env = { ...objects, ...identity('AUTHOR', author), ...identity('COMMITTER', committer) }
      const paragraphs = ['-F', await messageFile(mirror, id, message)]
      expect((await git(mirror, [...args, ...paragraphs], env)).trim(), raw).toBe(id)
    }
  })

  test('can be cloned as it lies, with a pointer where a large file is', async () => {
    const clone = join(work, 'clone')
    // Without the filter's program the pointer is checked out as text, which is what is looked at here.
    const noSmudge = [
      '-c',
      'filter.lfs.smudge=cat',
      '-c',
      'filter.lfs.process=',
      '-c',
      'filter.lfs.required=false',
    ]
    await git(work, [...noSmudge, 'clone', '--quiet', '--no-local', bare, clone])
    expect((await git(clone, ['status', '--porcelain'])).trim()).toBe('')
    expect(await git(clone, ['show', 'HEAD:ä.txt'])).toBe('ä.txt\n')
    const pointer = await git(clone, ['show', 'HEAD:weights.bin'])
    expect(pointer).toMatch(
      /^version https:\/\/git-lfs\.github\.com\/spec\/v1\noid sha256:[0-9a-f]{64}\nsize 100000\n$/,
    )
  })
})

function identity(role: 'AUTHOR' | 'COMMITTER', line: string): Record<string, string> {
  const [, name = '', email = '', date = ''] = /^(.*) <(.*)> (\d+ [+-]\d{4})$/.exec(line) ?? []
  return { [`GIT_${role}_NAME`]: name, [`GIT_${role}_EMAIL`]: email, [`GIT_${role}_DATE`]: `@${date}` }
}

async function messageFile(folder: string, id: string, message: string): Promise<string> {
  const path = join(folder, `message-${id}`)
  await writeFile(path, message)
  return path
}
