/** What a second start finds: the first one's data, also when it ended in the middle (house.md §5). */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { startHub } from '@cairn/testkit/start-hub'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { batch, commit, createRepo, file, getJson, headOf, lfsFile, sha256, uploadLfs } from './client.ts'
import { hubState, type HubState } from './hub-state.ts'
import { post } from './refusal.ts'
import { casAccess, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

const ID = 'alice/tiny'

let dataDir: string
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'cairn-restart-'))
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

async function repoIdIn(hub: Awaited<ReturnType<typeof startHub>>): Promise<string> {
  return (await hub.hub.ops.catalog.rows.repos.getByName('default', 'model', 'alice', 'tiny'))?.id ?? ''
}

test('everything is there again, and addresses signed before still work', async () => {
  const made = makeXetFile(5)
  let head: string
  let path: string
  let state: HubState
  {
    await using hub = await startHub({ dataDir })
    await createRepo(hub, 'alice', ID)
    await uploadLfs(hub, 'alice', ID, 'weights')
    await uploadXet(await casAccess(hub, 'alice', ID, 'write'), made)
    head = await commit(hub, 'alice', ID, [
      file('a.txt', 'a'),
      lfsFile('model.bin', 'weights'),
      xetLine('model.safetensors', made),
    ])
    await getJson(hub, 'alice', `/api/models/${ID}/tag/main`, post({ tag: 'v1' }))
    const { objects } = await batch(hub, null, ID, 'download', [{ oid: sha256('weights'), size: 7 }])
    path = objects[0]?.actions?.['download']?.href.slice(hub.url.length) ?? ''
    state = await hubState(hub)
    expect(Object.values(state.projected)).toEqual([
      { 'refs/heads/main': `${head}\n`, 'refs/tags/v1': `${head}\n` },
    ])
    // An LFS object, a xorb and the shard.
    expect(state.blobs).toHaveLength(3)
    expect(state.catalog['refs']).toHaveLength(2)
  }
  await using hub = await startHub({ dataDir })
  expect(await hubState(hub)).toEqual(state)
  expect(await headOf(hub, null, ID, 'v1')).toBe(head)
  const read = async (name: string) => (await hub.fetch(null, `/${ID}/resolve/main/${name}`)).arrayBuffer()
  expect(Buffer.from(await read('a.txt')).toString()).toBe('a')
  expect(Buffer.from(await read('model.bin')).toString()).toBe('weights')
  expect(Buffer.from(await read('model.safetensors')).equals(made.content)).toBe(true)
  expect(await (await fetch(hub.url + path)).text()).toBe('weights')
})

test('refs that landed in the catalog and not in git are made good', async () => {
  let head: string
  let repoId: string
  {
    await using hub = await startHub({ dataDir })
    await createRepo(hub, 'alice', ID)
    head = await commit(hub, 'alice', ID, [file('a.txt', 'a')])
    await getJson(hub, 'alice', `/api/models/${ID}/branch/dev`, post({}))
    repoId = await repoIdIn(hub)
    // As a crash between the transaction and `update-ref` leaves it, with a ref too many besides.
    await hub.hub.ops.git.projectRefs(repoId, [
      { name: 'refs/heads/dev', oid: null },
      { name: 'refs/heads/main', oid: null },
      { name: 'refs/heads/never-landed', oid: head },
    ])
    await hub.hub.ops.catalog.tx((rows) => rows.repos.update(repoId, { refsDirty: true }))
  }
  await using hub = await startHub({ dataDir })
  const refs = await hub.hub.ops.git.listRefs(repoId)
  expect(Object.fromEntries(refs.map(({ name, oid }) => [name, oid]))).toEqual({
    'refs/heads/dev': head,
    'refs/heads/main': head,
  })
  expect(await hub.hub.ops.catalog.rows.repos.listDirty()).toEqual([])
  const next = await commit(hub, 'alice', ID, [file('b.txt', 'b')], { parentCommit: head })
  expect(await headOf(hub, null, ID)).toBe(next)
  expect(await hub.hub.ops.git.fsck(repoId)).toEqual([])
})

test('a projection that failed is made good by the next commit', async () => {
  await using hub = await startHub({ dataDir })
  await createRepo(hub, 'alice', ID)
  const repoId = await repoIdIn(hub)
  const { git } = hub.hub.ops
  const projectRefs = git.projectRefs.bind(git)
  git.projectRefs = () => Promise.reject(new Error('the disk is full'))
  const landed = await commit(hub, 'alice', ID, [file('a.txt', 'a')])
  git.projectRefs = projectRefs
  expect(await headOf(hub, null, ID)).toBe(landed)
  expect(await hub.hub.ops.catalog.rows.repos.listDirty()).toEqual([repoId])
  const next = await commit(hub, 'alice', ID, [file('b.txt', 'b')])
  expect((await git.listRefs(repoId)).map(({ oid }) => oid)).toEqual([next])
  expect(await hub.hub.ops.catalog.rows.repos.listDirty()).toEqual([])
})

test('one damaged repository does not keep the others from being served', async () => {
  let gitDir: string
  {
    await using hub = await startHub({ dataDir })
    await createRepo(hub, 'alice', ID)
    await createRepo(hub, 'alice', 'alice/sound')
    const repoId = await repoIdIn(hub)
    gitDir = join(dataDir, 'repos', repoId.slice(-2), `${repoId}.git`)
    await hub.hub.ops.catalog.tx((rows) => rows.repos.update(repoId, { refsDirty: true }))
  }
  const config = await readFile(join(gitDir, 'config'))
  await writeFile(join(gitDir, 'config'), '[not a config')
  {
    await using hub = await startHub({ dataDir })
    expect((await hub.fetch(null, '/alice/sound/resolve/main/.gitattributes')).status).toBe(200)
    expect(await hub.hub.ops.catalog.rows.repos.listDirty()).toHaveLength(1)
  }
  await writeFile(join(gitDir, 'config'), config)
  await using hub = await startHub({ dataDir })
  expect(await hub.hub.ops.catalog.rows.repos.listDirty()).toEqual([])
})
