/** The hub's Xet file ids are those of `hf_xet.hash_files`, the package that people have. */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

import { createChunker } from '@cairn/protocol/xet/chunker'
import { chunkHash } from '@cairn/protocol/xet/hash'
import { createFileHash } from '@cairn/protocol/xet/tree-hash'
import { nativePrimitives } from '@cairn/server/primitives'
import { generateContent, type ContentRecipe } from '@cairn/testkit/xet-content'
import { expect, inject, test } from 'vitest'

const { pythonNewest } = inject('clients')
const run = promisify(execFile)

const PROGRAM = `
import hf_xet, sys
for info in hf_xet.hash_files(sys.argv[1:]):
    print(info.hash)
`
// Not the sizes and seeds of vectors/, so that those cannot be what was learnt.
const FILES: Record<string, ContentRecipe> = {
  random: { recipe: 'random', seed: 1001, sizeBytes: 7_000_001 },
  CSV: { recipe: 'csv', seed: 1002, sizeBytes: 7_000_003 },
  fp32: { recipe: 'floats', seed: 1003, sizeBytes: 7_000_000 },
  bf16: { recipe: 'bf16', seed: 1004, sizeBytes: 7_000_002 },
  empty: { recipe: 'constant', seed: 0, sizeBytes: 0 },
  'one byte': { recipe: 'constant', seed: 7, sizeBytes: 1 },
}

test.skipIf(pythonNewest === null)('file ids equal those of hf_xet', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cairn-file-ids-'))
  try {
    const paths: string[] = []
    const ours: [string, string][] = []
    for (const [name, recipe] of Object.entries(FILES)) {
      const content = generateContent(recipe)
      paths.push(join(folder, `${paths.length}`))
      await writeFile(paths.at(-1)!, content)
      ours.push([name, fileIdOf(content)])
    }
    const { stdout } = await run(pythonNewest!, ['-c', PROGRAM, ...paths])
    const theirs = stdout.trimEnd().split('\n')
    expect(ours).toEqual(Object.keys(FILES).map((name, index) => [name, theirs[index]]))
  } finally {
    await rm(folder, { recursive: true })
  }
})

function fileIdOf(content: Uint8Array): string {
  const chunker = createChunker()
  const hash = createFileHash(nativePrimitives)
  for (const chunk of [...chunker.push(content), ...chunker.finish()])
    hash.add(chunkHash(nativePrimitives, chunk), chunk.length)
  return hash.finish()
}
