/** A repository's life beyond the round trip, with Python's stock clients: newest over Xet and over LFS, and 0.19.4. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'

import { fsckAll } from './fsck.ts'
import { printOnFailure, startHub } from './hub-process.ts'
import type { HubProcess } from './hub-process.ts'
import { digests, readManifest, writeOddFolder } from './model-folder.ts'
import { startPython } from './python-walk.ts'
import type { PythonWalk } from './python-walk.ts'
import { startRecorder } from './recorder.ts'
import type { Recorder } from './recorder.ts'

interface Outcome {
  value?: unknown
  classes?: string[]
  status?: number | null
  text?: string
}

const { pythonNewest, python019 } = inject('clients')
const ownBlobs = { HF_HUB_DISABLE_SHARED_BLOBS: '1' }
const variants: { client: string; python: string | null; isOld: boolean; env: Record<string, string> }[] = [
  { client: 'newest over Xet', python: pythonNewest, isOld: false, env: ownBlobs },
  { client: 'newest over LFS', python: pythonNewest, isOld: false, env: { HF_HUB_DISABLE_XET: '1' } },
  { client: '0.19.4', python: python019, isOld: true, env: {} },
]
const kinds = ['model', 'dataset', 'space']

let work: string
let content: Record<string, string>
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), 'cairn-e2e-lifecycle-'))
  await writeOddFolder(join(work, 'small'), { large: false })
  content = digests(await readManifest(join(work, 'small')))
})
afterAll(() => rm(work, { recursive: true, force: true }))

const refused = (status: number, kind = 'HfHubHTTPError') =>
  ({ status, classes: expect.arrayContaining([kind]) }) as Outcome

describe.each(variants)('huggingface_hub $client', ({ client, python, isOld, env }) => {
  describe.skipIf(python === null).each(kinds)('%s', (kind) => {
    let hub: HubProcess
    let recorder: Recorder
    let walk: PythonWalk
    const stack = new AsyncDisposableStack()
    const name = (word: string, owner = 'alice'): string => `${owner}/${kind}-${word}`
    const url = (id: string): string => `${recorder.url}/${kind === 'model' ? '' : `${kind}s/`}${id}`

    beforeAll(async () => {
      hub = stack.use(await startHub())
      recorder = stack.use(await startRecorder(hub.url))
      const home = await mkdtemp(join(work, 'home-'))
      const files = { regular: 'config.json', large: 'model.safetensors' }
      const plan = {
        kind,
        org: 'acme',
        folder: join(work, 'small'),
        ...files,
        cache: join(home, 'downloads'),
      }
      walk = stack.use(startPython(python!, 'lifecycle.py', plan, recorder, { home, env }))
    })
    afterAll(() => stack.disposeAsync())
    printOnFailure(() => `${recorder.report()}\n${walk.complaints()}\n--- the hub said\n${hub.log()}`)

    const withPrefix = (prefix: string): Record<string, string> =>
      Object.fromEntries(Object.entries(content).map(([path, digest]) => [`${prefix}/${path}`, digest]))

    test('create_repo: in short, again, privately, taken, elsewhere', async () => {
      const { facts } = await walk.next<Record<string, unknown>>('create')
      expect(facts).toEqual({
        short: url(name('short')),
        again: url(name('short')),
        private: url(name('hidden')),
        taken: expect.objectContaining(refused(409)) as unknown,
        foreign: expect.objectContaining(refused(403)) as unknown,
      })
    })

    test('move_repo: everything is there under the old name', async () => {
      const { facts, exchanges } = await walk.next<Record<string, unknown>>('rename')
      expect(facts).toMatchObject({
        id: name('b'),
        files: ['.gitattributes', ...Object.keys(content)].toSorted(),
        small: content['config.json'],
        large: content['model.safetensors'],
        snapshot: content,
      })
      expect(exchanges.some(({ status }) => status === 307)).toBe(true)
    })

    test('move_repo of a private one: the same, and for nobody else', async () => {
      const { facts } = await walk.next<Record<string, unknown>>('rename private')
      expect(facts).toMatchObject({
        id: name('hidden2'),
        small: content['config.json'],
        large: content['model.safetensors'],
        snapshot: content,
        stranger: refused(404, 'RepositoryNotFoundError'),
      })
    })

    test('upload_folder and create_commit by the old name', async () => {
      const { facts } = await walk.next<{ files: string[] }>('commit by the old name')
      expect(facts.files).toEqual(
        [
          '.gitattributes',
          'by-old-name.txt',
          ...Object.keys(content),
          ...Object.keys(withPrefix('more')),
        ].toSorted(),
      )
    })

    test('move_repo onto a taken name, in any case, or where one may not', async () => {
      const { facts } = await walk.next<Record<string, Outcome>>('move refused')
      expect(facts).toMatchObject({
        existing: refused(409),
        case: refused(409),
        foreign: refused(403),
        stolen: refused(403),
      })
    })

    test('move_repo to an organization: old and new contents', async () => {
      const { facts } = await walk.next<Record<string, unknown>>('transfer')
      expect(facts).toEqual({
        id: name('hidden', 'acme'),
        large: content['model.safetensors'],
        snapshot: { ...content, ...withPrefix('again') },
      })
    })

    test(isOld ? 'update_repo_visibility' : 'update_repo_settings', async () => {
      const { facts } = await walk.next<Record<string, unknown>>('settings')
      expect(facts).toMatchObject({ answers: [{ private: true }, { private: false }], refused: refused(403) })
      if (!isOld) expect(facts['gated']).toMatchObject(refused(501))
    })

    test.skipIf(isOld && kind !== 'space')(isOld ? 'duplicate_space' : 'duplicate_repo', async () => {
      const { facts } = await walk.next<Record<string, unknown>>('duplicate')
      expect(facts).toEqual({
        copy: url(name('copy', 'bob')),
        again: url(name('copy', 'bob')),
        taken: expect.objectContaining(refused(409)) as unknown,
        near_private: true,
        tags: ['v1'],
        same_commits: true,
        snapshot: expect.objectContaining(content) as unknown,
      })
    })

    test(
      isOld
        ? 'like, unlike, list_liked_repos, list_repo_likers'
        : 'unlike, list_liked_repos, list_repo_likers',
      async () => {
        const { facts } = await walk.next<Record<string, unknown>>('likes')
        expect(facts).toEqual({ liked: [name('b')], mine: [name('b')], likers: ['alice'], after: [] })
      },
    )

    test.skipIf(isOld)('auth_check', async () => {
      const { facts } = await walk.next<Record<string, Outcome>>('auth check')
      expect(facts).toMatchObject({
        own: { value: null },
        reading: { value: null },
        writing: refused(403),
        hidden: refused(404, 'RepositoryNotFoundError'),
      })
    })

    test('delete_repo, with and without missing_ok; and git finds nothing to complain about', async () => {
      const { facts } = await walk.next<Record<string, Outcome>>('delete')
      const missing = refused(404, 'RepositoryNotFoundError')
      expect(facts, client).toMatchObject({ missing, foreign: refused(403), old_name: missing })
      expect(await fsckAll(hub.dataDir)).toEqual([])
    })
  })
})
