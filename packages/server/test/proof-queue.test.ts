/** Proofs of large files, which may take hours: who waits for them, and who does not. */
import { startHub, type TestHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { BRIDGE_STEPS_AHEAD_MAX } from '../src/limits.ts'
import { commit, createRepo } from './client.ts'
import { post } from './refusal.ts'
import { casAccess, claiming, LARGE, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

/** Proofs are what reads as long as nobody downloads. */
function holdProofs(hub: TestHub): { reads: number; proceed: () => void } {
  const { blobs } = hub.hub.ops
  const open = blobs.open.bind(blobs)
  let proceed = (): void => undefined
  const held = new Promise<void>((resolve) => (proceed = resolve))
  const proof = { reads: 0, proceed }
  blobs.open = async (key) => {
    const blob = await open(key)
    const readInto: typeof blob.readInto = async (...stretch) => {
      proof.reads += 1
      await held
      return blob.readInto(...stretch)
    }
    return { ...blob, readInto }
  }
  return proof
}

test('a commit is indexed while a proof is under way, and a hub that stops does not wait for its end', async () => {
  const hub = await startHub()
  const { catalog } = hub.hub.ops
  const proof = holdProofs(hub)
  try {
    await createRepo(hub, 'alice', 'alice/m')
    const made = makeXetFile(5, LARGE)
    await uploadXet(await casAccess(hub, 'alice', 'alice/m', 'write'), made)
    await expect.poll(() => proof.reads, { timeout: 10_000 }).toBeGreaterThan(0)
    await commit(hub, 'alice', 'alice/m', [xetLine('large.bin', made)])
    await expect.poll(() => catalog.rows.outbox.count('changes'), { timeout: 10_000 }).toBe(0)
    expect(await catalog.rows.outbox.count('proofs')).toBe(1)

    const stopped = hub[Symbol.asyncDispose]()
    proof.proceed()
    await stopped
    // What was read ahead, and nothing more of the file.
    expect(proof.reads).toBeLessThan(BRIDGE_STEPS_AHEAD_MAX + 4)
  } finally {
    proof.proceed()
    await hub[Symbol.asyncDispose]()
  }
})

test('a claim is refuted also where the repository that made it is gone by then', async () => {
  await using hub = await startHub()
  const { catalog } = hub.hub.ops
  const proof = holdProofs(hub)
  await createRepo(hub, 'alice', 'alice/first')
  const lie = claiming(makeXetFile(6, LARGE), 'ab'.repeat(32))
  const cas = await casAccess(hub, 'alice', 'alice/first', 'write')
  // Another one is being proven, and this waits.
  await uploadXet(cas, makeXetFile(7, LARGE))
  await expect.poll(() => proof.reads, { timeout: 10_000 }).toBeGreaterThan(0)
  await uploadXet(cas, lie)
  await commit(hub, 'alice', 'alice/first', [xetLine('large.bin', lie)])
  const copied = await hub.fetch(
    'alice',
    '/api/models/alice/first/duplicate',
    post({ repository: 'alice/copy' }),
  )
  expect(copied.status).toBe(200)
  const rows = await catalog.rows.repos.list(null, null, 9)
  await catalog.tx(({ repos }) => repos.purge(rows.find(({ name }) => name === 'first')!.id))
  proof.proceed()
  await expect.poll(() => catalog.rows.outbox.count('proofs'), { timeout: 10_000 }).toBe(0)
  const answer = await hub.fetch('alice', '/alice/copy/resolve/main/large.bin')
  expect(answer.status).toBe(409)
})
