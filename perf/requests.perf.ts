/**
 * Requests a second of the hot small answers at 32 connections, beside a bare `node:http` process that sends the same
 * headers and bytes. Every request carries a token, as those of stock clients do.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { benchmark, inTurns } from './harness/benchmark.ts'
import { requestsPerSecond, type LoadOptions } from './harness/http-load.ts'
import { authorization, commit, commitBody, makeRepo, startHub, storeLfsFile } from './harness/hub.ts'
import { cpuMs } from './harness/process-facts.ts'
import type { Bound } from './harness/rows.ts'
import { startReference } from './harness/server.ts'
import type { PreparedAnswer } from './reference/bare-http.ts'

const CONNECTIONS = 32
const DURATION_MS = 1_500
const WARM_MS = 1_000
const FOLDER_ENTRIES = 1_000

const questions: { what: string; method: LoadOptions['method']; path: string; bound?: Bound }[] = [
  {
    what: 'HEAD resolve, LFS file',
    method: 'HEAD',
    path: '/resolve/main/model.safetensors',
    bound: { on: 'ratio', atLeast: 0.5 },
  },
  { what: 'GET resolve, 1 KB', method: 'GET', path: '/resolve/main/config.json' },
  { what: `GET tree, ${FOLDER_ENTRIES} entries`, method: 'GET', path: '/tree/main/folder' },
]

await benchmark('requests', async ({ runs, add }) => {
  await using hub = await startHub()
  const folder = await mkdtemp(join(tmpdir(), 'cairn-perf-'))
  const repo = await makeRepo(hub, 'tiny')
  const files: [string, Buffer][] = [['config.json', randomBytes(1024)]]
  for (let index = 0; index < FOLDER_ENTRIES; index += 1)
    files.push([`folder/file-${index}.json`, Buffer.from(`{"index": ${index}}`)])
  await commit(hub, repo, commitBody(files))
  await storeLfsFile(hub, repo, 'model.safetensors', randomBytes(1 << 20))

  for (const { what, method, path, bound } of questions) {
    const url = `${hub.url}${path.startsWith('/tree') ? '/api/models' : ''}/${repo}${path}`
    const answer = join(folder, 'answer.json')
    await writeFile(answer, JSON.stringify(await prepare(url, method, authorization(hub))))
    await using bare = await startReference('bare-http.ts', [answer])
    const load = (target: string, durationMs: number) =>
      requestsPerSecond(target, { method, headers: authorization(hub), connections: CONNECTIONS, durationMs })
    const measure = async (target: string, pid: number) => {
      const before = cpuMs(pid)
      const perSecond = await load(target, DURATION_MS)
      return { perSecond, cpuUs: ((cpuMs(pid) - before) * 1e6) / (perSecond * DURATION_MS) }
    }
    await load(url, WARM_MS)
    await load(bare.url, WARM_MS)
    const { ours, reference } = await inTurns(runs, {
      ours: () => measure(url, hub.pid),
      reference: () => measure(bare.url, bare.pid),
    })
    add({
      what,
      unit: 'requests/s',
      ours: ours.map(({ perSecond }) => perSecond),
      reference: { name: 'bare node:http', values: reference.map(({ perSecond }) => perSecond) },
      ...(bound === undefined ? {} : { bound }),
    })
    add({
      what: '… server CPU of a request',
      unit: 'µs',
      ours: ours.map(({ cpuUs }) => cpuUs),
      reference: { name: 'bare node:http', values: reference.map(({ cpuUs }) => cpuUs) },
    })
  }
  await rm(folder, { recursive: true })
})

/** What the hub answers, for the other server to repeat. */
async function prepare(
  url: string,
  method: LoadOptions['method'],
  headers: Record<string, string>,
): Promise<PreparedAnswer> {
  // Uncompressed, as the load asks for it.
  const response = await fetch(url, { method, headers: { ...headers, 'Accept-Encoding': 'identity' } })
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  const body = Buffer.from(await response.arrayBuffer()).toString('base64')
  const own = new Set(['date', 'connection', 'keep-alive'])
  return { headers: Object.fromEntries([...response.headers].filter(([name]) => !own.has(name))), body }
}
