/**
 * A file of 512 MiB that lies in the hub as Xet: `hf download` beside a server that answers the same from memory, `curl`
 * beside a file stored as it is and beside what one core decodes, and that rate by itself.
 */
import { join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { CONTENT_KINDS, makeContent, type ContentKind } from './harness/contents.ts'
import { download, upload } from './harness/curl.ts'
import { openFolder } from './harness/folder.ts'
import { hf } from './harness/hf.ts'
import { authorization, commitPointer, lfsUploadUrl, makeRepo, startHub } from './harness/hub.ts'
import { makeLargeFile } from './harness/large-file.ts'
import { cpuMs, untilIdle } from './harness/process-facts.ts'
import { startReference } from './harness/server.ts'
import { decodeRates } from './harness/xet.ts'

const SIZE_BYTES = 512 << 20
const SIZE_MIB = SIZE_BYTES / (1 << 20)
const NAME = 'model.safetensors'
/** Raw MiB/s of the laboratory in xet.md §15, on another machine. */
const LABORATORY = { random: 1207, csv: 278, bf16: 262 }

await benchmark('downloads of 512 MiB from Xet', async ({ runs, add }) => {
  for (const kind of CONTENT_KINDS) {
    // A hub of its own, so that what it has stored is this file.
    await using hub = await startHub()
    await using folder = await openFolder()
    const repo = await makeRepo(hub, 'large')
    const path = join(folder.path, NAME)
    await makeContent(path, kind, SIZE_BYTES)
    await hf(['upload', repo, path, NAME], { endpoint: hub.url, home: folder.path })
    await untilIdle(hub.pid)

    const address = `${hub.url}/${repo}/resolve/main`
    const measure = async (endpoint: string, pid: number) => {
      await using home = await openFolder()
      const before = cpuMs(pid)
      const ms = await hf(['download', repo, NAME, '--local-dir', join(home.path, 'files')], {
        endpoint,
        home: home.path,
      })
      return { seconds: ms / 1000, cpuMsPerGib: ((cpuMs(pid) - before) * (1 << 30)) / SIZE_BYTES }
    }
    {
      await using replay = await startReference('replay.ts', [hub.url])
      // What both have to learn once: code compiled here, answers there.
      await measure(hub.url, hub.pid)
      await measure(replay.url, replay.pid)
      const { ours, reference } = await inTurns(runs, {
        ours: () => measure(hub.url, hub.pid),
        reference: () => measure(replay.url, replay.pid),
      })
      const name = 'the same answers from memory'
      add({
        what: `512 MiB hf download, Xet, ${kind}`,
        unit: 's',
        ours: ours.map(({ seconds }) => seconds),
        reference: { name, values: reference.map(({ seconds }) => seconds) },
        bound: { on: 'ratio', atMost: 1.2 },
      })
      add({
        what: '… server CPU',
        unit: 'CPU ms/GiB',
        ours: ours.map(({ cpuMsPerGib }) => cpuMsPerGib),
        reference: { name, values: reference.map(({ cpuMsPerGib }) => cpuMsPerGib) },
      })
    }

    const get = (name: string) => download(`${address}/${name}`, 1, authorization(hub))
    await get(NAME)
    if (kind === 'random') {
      const raw = await makeLargeFile(join(folder.path, 'raw'), SIZE_BYTES)
      await upload(await lfsUploadUrl(hub, repo, raw.sha256, raw.sizeBytes), raw.path)
      await commitPointer(hub, repo, 'raw', raw.sha256, raw.sizeBytes)
      // The first pass computes its sha256.
      await get('raw')
      const { ours, reference } = await inTurns(runs, { ours: () => get(NAME), reference: () => get('raw') })
      add({
        what: '512 MiB GET of a Xet file, random',
        unit: 'ms',
        ours,
        reference: { name: 'stored as it is', values: reference },
        bound: { on: 'ratio', atMost: 1.5 },
      })
    }
    const { ours, reference } = await inTurns(runs, {
      ours: async () => SIZE_MIB / ((await get(NAME)) / 1000),
      reference: async () => (await decodeRates(hub, 1))[0]!,
    })
    if (kind !== 'random')
      add({
        what: `512 MiB GET of a Xet file, ${kind}`,
        unit: 'MiB/s',
        ours,
        reference: { name: 'one core that only decodes', values: reference },
        bound: { on: 'ratio', atLeast: 0.8 },
      })
    add(verification(kind, reference))
  }
})

function verification(kind: ContentKind, rates: readonly number[]) {
  return {
    what: `verification on one core, ${kind}`,
    unit: 'MiB/s' as const,
    ours: rates,
    reference: { name: 'xet.md §15, another machine', values: rates.map(() => LABORATORY[kind]) },
  }
}
