/** Accounts and tokens with Python's stock clients, newest and 0.19.4. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { printOnFailure, startHub, tokens } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { startPython } from './python-walk.ts'
import type { PythonWalk } from './python-walk.ts'
import { startRecorder } from './recorder.ts'
import type { Recorder } from './recorder.ts'

const { pythonNewest, python019 } = inject('clients')
const variants = [
  { client: 'newest', python: pythonNewest, isOld: false },
  { client: '0.19.4', python: python019, isOld: true },
]

interface Refused {
  raises: string
  status: number | null
  text: string
}

interface Said {
  code: number
  text: string
}

describe.each(variants)('accounts with huggingface_hub $client', ({ python, isOld }) => {
  const skipped = python === null
  const repo = 'acme/counted'
  const other = 'acme/other'
  let home: string
  let hub: HubProcess
  let recorder: Recorder
  let walk: PythonWalk
  const stack = new AsyncDisposableStack()

  beforeAll(async () => {
    if (skipped) return
    home = await mkdtemp(join(tmpdir(), 'cairn-e2e-accounts-'))
    hub = stack.use(await startHub())
    recorder = stack.use(await startRecorder(hub.url))
    const plan = { repo, other, home: join(home, 'login') }
    walk = stack.use(startPython(python, 'accounts.py', plan, recorder, { home, env: {} }))
  })
  afterAll(async () => {
    await stack.disposeAsync()
    if (!skipped) await rm(home, { recursive: true, force: true })
  })
  printOnFailure(() =>
    skipped ? '' : `${walk.complaints()}\n${recorder.report()}\n--- the hub said\n${hub.log()}`,
  )

  const avatar = (name: string) => `${recorder.url}/api/avatars/${name}`

  /** A fine-grained token of alice. */
  async function grant(name: string, scopes: string[]): Promise<string> {
    const answer = await fetch(`${hub.url}/api/settings/tokens`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${tokens.alice}` },
      body: JSON.stringify({ name, role: 'fineGrained', scopes }),
    })
    return ((await answer.json()) as { token: string }).token
  }

  test.skipIf(skipped)('whoami has pictures and the name of the token', async () => {
    const { facts } = await walk.next<object>('whoami')
    expect(facts).toEqual({
      avatar: avatar('alice'),
      orgs: [['acme', avatar('acme')]],
      token: 'write',
      permission: isOld ? 'write' : null,
    })
    expect((await fetch(avatar('alice'))).headers.get('Content-Type')).toBe('image/svg+xml')
  })

  test.skipIf(skipped || isOld)(
    'users and organizations are shown, and count what the caller may see',
    async () => {
      const { facts } = await walk.next<{ missing: Refused } & Record<string, unknown>>('overviews')
      const { missing, ...shown } = facts
      const alice = ['alice', 'Alice Liddell', avatar('alice'), 'user']
      expect(shown).toEqual({
        user: [...alice, 0, 0, ['acme']],
        org: ['acme', 'Acme', avatar('acme'), 1, 2],
        hidden: 0,
        members: [alice],
        followers: [],
      })
      expect(missing).toMatchObject({ status: 404 })
    },
  )

  test.skipIf(skipped || isOld)('repositories are listed with their storage', async () => {
    const { facts } = await walk.next<{ own: unknown[]; acme: unknown[][] }>('storage')
    expect(facts.own).toEqual([])
    expect(facts.acme.map(([id]) => String(id)).toSorted()).toEqual([repo, other])
    expect(facts.acme[0]?.slice(1)).toEqual(['model', 'private', 0])
  })

  test.skipIf(skipped)('a fine-grained token shows its grants', async () => {
    await walk.next('ready for tokens')
    const made = {
      one: await grant('one', [`${repo}=repo.write`]),
      reader: await grant('reader', ['acme=repo.content.read']),
    }
    walk.say(JSON.stringify(made))
    const { facts } = await walk.next<{ role: string; grants: object; permission: string | null }>('grants')
    expect(facts).toMatchObject({
      role: 'fineGrained',
      grants: {
        canReadGatedRepos: false,
        global: [],
        scoped: [{ entity: { type: 'model', name: repo }, permissions: ['repo.write'] }],
      },
      permission: isOld ? 'fineGrained' : null,
    })
  })

  test.skipIf(skipped)('it may do what it names, and a refusal names what is missing', async () => {
    const { facts } = await walk.next<Record<string, unknown>>('fine-grained')
    expect(facts['files']).toContain('fine.txt')
    expect(facts['read']).toContain('ten.txt')
    expect(facts['refused']).toMatchObject({
      status: 403,
      text: expect.stringContaining("'repo.write'") as string,
    })
    expect(facts['hidden']).toMatchObject({ raises: 'RepositoryNotFoundError', status: 404 })
    expect(facts['created']).toMatchObject({
      status: 403,
      text: expect.stringContaining("'repo.write'") as string,
    })
  })

  test.skipIf(skipped)('three downloads by one client in five minutes are one', async () => {
    const { facts } = await walk.next<{ before: number; after: number; all_time: number | null }>('downloads')
    expect(facts).toEqual({ before: 0, after: 1, all_time: isOld ? null : 1 })
  })

  test.skipIf(skipped)('logging in with a token, and out', async () => {
    const { login, who, logout, after } = (await walk.next<Record<string, Said>>('login')).facts
    expect(login).toMatchObject({ code: 0 })
    expect(who?.text).toContain('alice')
    expect(logout).toMatchObject({ code: 0 })
    expect(after?.text).not.toContain('alice')
  })
})
