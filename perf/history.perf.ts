/**
 * How long a listing with the last commit of each entry takes, page by page as a client asks, beside `git log` of the
 * same history: 10,000 entries, 2,000 commits, flat and in folders. Cold is a hub that has just opened the repository.
 */
import { execFileSync, spawnSync } from 'node:child_process'

import { startHub, type TestHub } from '@cairn/testkit/start-hub'

import { benchmark, inTurns } from './harness/benchmark.ts'

const ENTRIES = 10_000
const COMMITS = 2_000
const FILES_PER_COMMIT = 5
const COLD_MAX_MS = 1_500
const WARM_MAX_MS = 50

const layouts = {
  flat: { path: (file: number) => `file-${file}.json`, query: 'expand=true' },
  'in 100 folders': {
    path: (file: number) => `part-${file % 100}/file-${file}.json`,
    query: 'expand=true&recursive=true',
  },
}

interface Measured {
  /** Of the whole listing. */
  totalMs: number
}

function fastImport(path: (file: number) => string): string {
  // A linear congruential generator: every run measures the same history.
  let state = 1
  const random = (below: number) => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0) % below
  const lines: string[] = []
  for (let commit = 0; commit < COMMITS; commit += 1) {
    const seconds = 1_700_000_000 + commit * 60
    lines.push('commit refs/heads/main', `committer A <a@example.com> ${seconds} +0000`, 'data 6', 'change')
    const count = commit === 0 ? ENTRIES : FILES_PER_COMMIT
    for (let index = 0; index < count; index += 1) {
      const file = commit === 0 ? index : random(ENTRIES)
      const text = `${file} ${commit}`
      lines.push(`M 100644 inline ${path(file)}`, `data ${text.length}`, text)
    }
  }
  return `${lines.join('\n')}\n`
}

/** A repository whose history was written by git, and its ref put into the catalog. */
async function importHistory(hub: TestHub, name: string, path: (file: number) => string): Promise<string> {
  const made = await hub.fetch('alice', '/api/repos/create', {
    method: 'POST',
    body: JSON.stringify({ name }),
  })
  if (!made.ok) throw new Error(await made.text())
  const { catalog, git } = hub.hub.ops
  const repo = await catalog.rows.repos.getByName('default', 'model', 'alice', name)
  if (repo === null) throw new Error('no repository')
  const gitDir = `${hub.dataDir}/repos/${repo.id.slice(-2).toLowerCase()}/${repo.id}.git`
  execFileSync('git', ['--git-dir', gitDir, 'fast-import', '--quiet', '--force'], { input: fastImport(path) })
  const oid = execFileSync('git', ['--git-dir', gitDir, 'rev-parse', 'main']).toString().trim()
  const ref = await catalog.rows.refs.get(repo.id, 'refs/heads/main')
  await catalog.tx((rows) => rows.refs.swap(repo.id, 'refs/heads/main', ref?.oid ?? null, oid, Date.now()))
  if ((await git.countCommits(repo.id, oid)) !== COMMITS) throw new Error('not the history that was meant')
  return gitDir
}

async function list(hub: TestHub, name: string, query: string): Promise<Measured> {
  const measured: Measured = { totalMs: 0 }
  let url: string | undefined = `/api/models/alice/${name}/tree/main?${query}`
  while (url !== undefined) {
    const start = performance.now()
    const response: Response = await hub.fetch('alice', url)
    const text = await response.text()
    const ms = performance.now() - start
    // Parsing is the client's time.
    const entries = JSON.parse(text) as { lastCommit?: unknown }[]
    if (!response.ok || entries.some((entry) => entry.lastCommit === undefined))
      throw new Error(text.slice(0, 500))
    measured.totalMs += ms
    url = /<([^>]+)>/.exec(response.headers.get('link') ?? '')?.[1]?.slice(hub.url.length)
  }
  return measured
}

function forgetEverything(hub: TestHub): void {
  for (const cache of Object.values(hub.hub.ops.caches)) (cache as { clear(): void }).clear()
}

/** What git itself needs for the same: every commit with the paths it changed. */
function gitLog(gitDir: string): number {
  const start = performance.now()
  const { status } = spawnSync(
    'git',
    ['--git-dir', gitDir, 'log', '--name-only', '--format=%H %ct', 'main'],
    {
      maxBuffer: 1 << 28,
    },
  )
  if (status !== 0) throw new Error('git log failed')
  return performance.now() - start
}

await benchmark('tree with the last commit of each entry', async ({ runs, add }) => {
  await using hub = await startHub()
  for (const [layout, { path, query }] of Object.entries(layouts)) {
    const name = layout.replaceAll(' ', '-')
    const gitDir = await importHistory(hub, name, path)
    const { cold, warm, git } = await inTurns(runs, {
      git: async () => ({ totalMs: gitLog(gitDir) }),
      cold: async () => {
        forgetEverything(hub)
        return list(hub, name, query)
      },
      warm: () => list(hub, name, query),
    })
    const times = (found: readonly { totalMs: number }[]) => found.map(({ totalMs }) => totalMs)
    const what = `${ENTRIES} entries, ${COMMITS} commits, ${layout}`
    add({
      what: `tree with expand, ${what}, cold`,
      unit: 'ms',
      ours: times(cold),
      reference: { name: 'git log', values: times(git) },
      bound: { on: 'ours', atMost: COLD_MAX_MS },
    })
    add({ what: '… warm', unit: 'ms', ours: times(warm), bound: { on: 'ours', atMost: WARM_MAX_MS } })
  }
})
