/**
 * `npm run perf`: every benchmark in a process of its own, one after another, then one table, which also takes its
 * place in perf/README.md. Exits with 1 when a bound was missed.
 *
 *   node perf/all.ts --runs 5
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'

import { judge, type Row } from './harness/rows.ts'
import { formatTable } from './harness/table.ts'

const FOLDER = new URL('./', import.meta.url)
const README = new URL('README.md', FOLDER)
const BEGIN = '<!-- written by npm run perf -->'
const END = '<!-- until here -->'

const rows: Row[] = []
const failed: string[] = []
for (const name of readdirSync(FOLDER)
  .filter((entry) => entry.endsWith('.perf.ts'))
  .toSorted()) {
  const child = fork(fileURLToPath(new URL(name, FOLDER)), process.argv.slice(2))
  child.on('message', (found) => rows.push(...(found as Row[])))
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) failed.push(name)
}

const table = formatTable(rows)
const disk = statfsSync(FOLDER)
const facts = [
  `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
  `Linux ${release()}, ${Math.round((disk.blocks * disk.bsize) / 2 ** 30)} GiB of disk`,
  `Node ${process.version}`,
  new Date().toISOString().slice(0, 10),
].join('; ')
const missing = failed.map((name) => `\n${name} did not run to its end.`).join('')
console.log(`${table}\n${facts}${missing}`)

const text = readFileSync(README, 'utf8')
const [before, after] = [text.indexOf(BEGIN), text.indexOf(END)]
if (before === -1 || after === -1) throw new Error('perf/README.md has lost the place of its table')
writeFileSync(
  README,
  `${text.slice(0, before + BEGIN.length)}\n\n${facts}.${missing}\n\n${table}\n\n${text.slice(after)}`,
)
if (failed.length > 0 || rows.some((row) => judge(row).holds === false)) process.exitCode = 1
