/**
 * Storage of twenty versions of a file of 200 MiB, in each of which 5 % of the blocks of a MiB have other weights than in
 * the one before, beside that of one version.
 */
import { randomInt } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

import { benchmark } from './harness/benchmark.ts'
import { contentBlock, makeContent } from './harness/contents.ts'
import { openFolder } from './harness/folder.ts'
import { hf } from './harness/hf.ts'
import { makeRepo, startHub } from './harness/hub.ts'
import { storedXorbBytes } from './harness/xet.ts'

const VERSIONS = 20
const BLOCK_BYTES = 1 << 20
const BLOCKS = 200
const CHANGED_BLOCKS = Math.round(BLOCKS * 0.05)
const NAME = 'model.safetensors'

await benchmark('storage of twenty versions', async ({ add }) => {
  await using hub = await startHub()
  await using folder = await openFolder()
  const repo = await makeRepo(hub, 'tuned')
  const path = join(folder.path, NAME)
  await makeContent(path, 'bf16', BLOCKS * BLOCK_BYTES)
  const stored: number[] = []
  for (let version = 0; version < VERSIONS; version += 1) {
    if (version > 0) await change(path)
    await hf(['upload', repo, path, NAME], { endpoint: hub.url, home: folder.path })
    stored.push(await storedXorbBytes(hub))
  }
  add({
    what: `${VERSIONS} versions of 200 MiB, 5 % of the blocks changed each time`,
    unit: 'MB',
    ours: [stored.at(-1)! / 1e6],
    reference: { name: 'one version', values: [stored[0]! / 1e6] },
    bound: { on: 'ratio', atMost: 2.1 },
  })
})

async function change(path: string): Promise<void> {
  await using file = await open(path, 'r+')
  const changed = new Set<number>()
  while (changed.size < CHANGED_BLOCKS) changed.add(randomInt(BLOCKS))
  for (const block of changed) await file.write(contentBlock('bf16'), 0, BLOCK_BYTES, block * BLOCK_BYTES)
}
