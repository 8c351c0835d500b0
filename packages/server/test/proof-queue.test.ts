/** Proofs of large files, which may take hours: who waits for them, and who does not. */
import { startHub } from '@cairn/testkit/start-hub'
import { expect, test } from 'vitest'

import { commit, createRepo } from './client.ts'
import { casAccess, LARGE, makeXetFile, uploadXet, xetLine } from './xet-client.ts'

test('a commit is indexed while a proof is under way, and a hub that stops does not wait for its end', async () => {
  const hub = await startHub()
  const { blobs, catalog } = hub.hub.ops
  const read = blobs.readInto.bind(blobs)
  let proceed = (): void => undefined
  const held = new Promise<void>((resolve) => (proceed = resolve))
  let reads = 0
  // The proof is what reads: nobody downloads.
  blobs.readInto = async (...range) => {
    reads += 1
    await held
    return read(...range)
  }
  try {
    await createRepo(hub, 'alice', 'alice/m')
    const made = makeXetFile(5, LARGE)
    await uploadXet(await casAccess(hub, 'alice', 'alice/m', 'write'), made)
    await expect.poll(() => reads, { timeout: 10_000 }).toBeGreaterThan(0)
    await commit(hub, 'alice', 'alice/m', [xetLine('large.bin', made)])
    await expect.poll(() => catalog.rows.outbox.count('changes'), { timeout: 10_000 }).toBe(0)
    expect(await catalog.rows.outbox.count('proofs')).toBe(1)

    const before = reads
    const stopped = hub[Symbol.asyncDispose]()
    proceed()
    await stopped
    // What was read ahead, and nothing more of the file.
    expect(reads - before).toBeLessThan(3)
  } finally {
    proceed()
    await hub[Symbol.asyncDispose]()
  }
})
