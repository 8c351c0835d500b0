/** A disk without room: 507, nothing half-done, and everything works again when there is room. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

import { failAtCall } from '@cairn/testkit/faults'
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { batch, commit, commitBody, createRepo, file, headOf, sha256 } from '../client.ts'
import { expectUnchanged } from '../hub-state.ts'
import { expectRefusal } from '../refusal.ts'
import { casAccess, makeXetFile, postBytes } from '../xet-client.ts'

function noSpace(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 })
}

/** Tells the story with a disk that is full at the store's first call, its second, … until it succeeds. */
async function untilThereIsRoom(hub: TestHub, story: () => Promise<Response>): Promise<number> {
  const { ops } = hub.hub
  const store = ops.blobs
  for (let failing = 1; ; failing += 1) {
    ops.blobs = failAtCall(store, failing, 'before', noSpace)
    const isDone = await attempt(hub, store, story)
    if (isDone) return failing - 1
  }
}

async function attempt(
  hub: TestHub,
  store: TestHub['hub']['ops']['blobs'],
  story: () => Promise<Response>,
): Promise<boolean> {
  const answer = await story()
  hub.hub.ops.blobs = store
  if (answer.status === 200) return true
  await expectRefusal(answer, 'InsufficientStorage')
  expect(await readdir(join(hub.dataDir, 'blobs', 'staging'))).toEqual([])
  return false
}

test('an LFS object that finds no room', async () => {
  await using hub = await startHub()
  const id = await createRepo(hub, 'alice', 'alice/tiny')
  const content = 'x'.repeat(100_000)
  const { objects } = await batch(hub, 'alice', id, 'upload', [
    { oid: sha256(content), size: content.length },
  ])
  const href = objects[0]?.actions?.['upload']?.href ?? ''
  const failed = await untilThereIsRoom(hub, () => fetch(href, { method: 'PUT', body: content }))
  expect(failed).toBeGreaterThan(1)
  expect(
    (await batch(hub, 'alice', id, 'download', [{ oid: sha256(content), size: content.length }])).objects,
  ).toEqual([expect.objectContaining({ actions: expect.anything() as unknown })])
})

test('a xorb that finds no room', async () => {
  await using hub = await startHub()
  const id = await createRepo(hub, 'alice', 'alice/tiny')
  const cas = await casAccess(hub, 'alice', id, 'write')
  const { xorb } = makeXetFile(3)
  const send = () => cas.fetch(`/v1/xorbs/default/${xorb.hash}`, postBytes(xorb.bytes))
  expect(await untilThereIsRoom(hub, send)).toBeGreaterThan(1)
  expect(await (await send()).json()).toEqual({ was_inserted: false })
})

test('a commit that finds no room', async () => {
  await using hub = await startHub()
  const id = await createRepo(hub, 'alice', 'alice/tiny')
  const head = await headOf(hub, 'alice', id)
  const { git } = hub.hub.ops
  const write = git.write.bind(git)
  git.write = () => Promise.reject(new Error('a pack', { cause: noSpace() }))
  await expectUnchanged(hub, async () => {
    const answer = await hub.fetch('alice', `/api/models/${id}/commit/main`, commitBody([file('a', 'a')]))
    await expectRefusal(answer, 'InsufficientStorage')
  })
  git.write = write
  expect(await headOf(hub, 'alice', id)).toBe(head)
  expect(await commit(hub, 'alice', id, [file('a', 'a')])).not.toBe(head)
})
