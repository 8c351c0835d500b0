/** Fifty clients write to one branch at the same moment, half of them by HTTP and half with git. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createRepo, listCommits, listFiles, uploadFile } from '@huggingface/hub'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { fsckAll, git } from './fsck.ts'
import { printOnFailure, startHub, tokens, type HubProcess } from './hub-process.ts'

const clients = 50
const name = 'alice/crowded'
const repo = { type: 'model', name } as const

let work: string
let hub: HubProcess
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-crowd-'))
  hub = await startHub()
})
afterAll(async () => {
  await hub[Symbol.asyncDispose]()
  await rm(work, { recursive: true, force: true })
})
printOnFailure(() => hub.log())

type Outcome = { path: string; refusal: string | null }

/** Refuses when the branch has moved since `parentCommit`, takes its turn without one. */
async function commit(path: string, parentCommit: string | null): Promise<Outcome> {
  const header = { summary: path, ...(parentCommit === null ? {} : { parentCommit }) }
  const lines = [
    { key: 'header', value: header },
    { key: 'file', value: { path, content: Buffer.from(path).toString('base64'), encoding: 'base64' } },
  ]
  const answer = await fetch(`${hub.url}/api/models/${name}/commit/main`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${tokens.alice}`, 'Content-Type': 'application/x-ndjson' },
    body: lines.map((line) => JSON.stringify(line)).join('\n'),
  })
  await answer.body?.cancel()
  return { path, refusal: answer.ok ? null : String(answer.status) }
}

async function push(path: string, clone: string): Promise<Outcome> {
  try {
    await git(clone, ['push', '--quiet', 'origin', 'HEAD:main'])
    return { path, refusal: null }
  } catch (error) {
    return { path, refusal: (error as { stderr?: string }).stderr ?? String(error) }
  }
}

test('every acknowledged change is in one linear history, and the others hear why not', async () => {
  const caller = { hubUrl: hub.url, accessToken: tokens.alice }
  await createRepo({ ...caller, repo })
  await uploadFile({ ...caller, repo, file: { path: 'first.txt', content: new Blob(['first']) } })
  const first: string[] = []
  for await (const { oid } of listCommits({ ...caller, repo })) first.push(oid)

  const remote = new URL(`${hub.url}/${name}`)
  remote.username = 'alice'
  remote.password = tokens.alice
  const clones = await Promise.all(
    Array.from({ length: clients / 2 }, async (_, index) => {
      const clone = join(work, `clone-${index}`)
      await git(work, ['clone', '--quiet', remote.href, clone])
      await writeFile(join(clone, `pushed-${index}.txt`), `pushed-${index}.txt`)
      await git(clone, ['add', '.'])
      const who = ['-c', 'user.name=alice', '-c', 'user.email=alice@example.org']
      await git(clone, [...who, 'commit', '--quiet', '-m', `pushed ${index}`])
      return clone
    }),
  )

  const outcomes = await Promise.all([
    ...clones.map((clone, index) => push(`pushed-${index}.txt`, clone)),
    ...Array.from({ length: clients / 2 }, (_, index) =>
      commit(`committed-${index}.txt`, index % 2 === 0 ? first[0]! : null),
    ),
  ])

  const landed = outcomes.filter(({ refusal }) => refusal === null).map(({ path }) => path)
  // Those without a parent wait for their turn, and one of the others may have been the first of all.
  expect(landed.length).toBeGreaterThanOrEqual(Math.floor(clients / 4))
  for (const { path, refusal } of outcomes)
    if (refusal !== null)
      expect(refusal, path).toMatch(
        path.startsWith('pushed')
          ? /\[(?:remote )?rejected\].*(?:fetch first|non-fast-forward|stale|moved|failed to update ref)/
          : /^(?:409|412)$/,
      )

  const files: string[] = []
  for await (const { path } of listFiles({ ...caller, repo })) files.push(path)
  expect(files.filter((path) => /^(?:pushed|committed)-/.test(path)).toSorted()).toEqual(landed.toSorted())
  const judge = join(work, 'judge')
  await git(work, ['clone', '--quiet', remote.href, judge])
  // As many as landed, one after the other.
  expect(await git(judge, ['rev-list', '--min-parents=2', 'HEAD'])).toBe('')
  const count = Number(await git(judge, ['rev-list', '--count', `${first[0]}..HEAD`]))
  expect(count).toBe(landed.length)
  expect(await fsckAll(hub.dataDir)).toEqual([])
})
