/**
 * `cairn admin backup` and `restore`. The hub, running or opened here, holds what a backup counts on and writes the
 * catalog's snapshot; this process copies, so that a running hub goes on serving.
 */
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { CliError, UsageError, type CliIo } from '../io.ts'
import { summarizeCheck, targetOf, type Options } from './options.ts'
import { printable } from './print.ts'
import { openProgress } from './progress.ts'
import { openAdmin, type AdminChannel } from './send.ts'
import { runSteps } from './steps.ts'

const SNAPSHOT_POLL_MS = 300
/** Often enough that the hub goes on holding what is copied. */
const EXTEND_MS = 30_000

interface Report {
  findings: { subject: string; message: string }[]
  copied: { files: number; sizeBytes: number }
}

export async function backUp(given: string, options: Options, io: CliIo): Promise<void> {
  const { readConfig } = await import('@cairn/server/config')
  const { writeBackup } = await import('@cairn/server/backup/write')
  const { dataDir } = readConfig({ flags: { data: options['data'] as string }, env: io.env, cwd: io.cwd })
  const to = resolve(io.cwd, given)
  if (`${to}/`.startsWith(`${dataDir}/`))
    throw new UsageError('a backup in the data directory goes with it: give another folder')
  await using hub = await openAdmin(targetOf(options), io)
  const progress = openProgress(io.stderr, options['json'] !== true)
  const { id } = await ask(hub, 'create', {})
  let copied: Report['copied'] | null = null
  try {
    progress.show('catalog', 0, null, '')
    let state = await ask(hub, 'extend', { id })
    for (; state.snapshot === null; state = await ask(hub, 'extend', { id })) await sleep(SNAPSHOT_POLL_MS)
    let extendedAt = Date.now()
    const report = await explained(() =>
      writeBackup(
        { dataDir, snapshot: state.snapshot!, id, to, createdAt: new Date() },
        {
          async onProgress(what, done, total) {
            progress.show(what, done, total, '')
            if (Date.now() - extendedAt < EXTEND_MS) return
            extendedAt = Date.now()
            await ask(hub, 'extend', { id })
          },
        },
      ),
    )
    progress.clear()
    if (report.findings.length === 0) copied = report.copied
    finish(report, { verb: 'Backed up', place: to }, options, io)
  } finally {
    progress.clear()
    await ask(hub, 'delete', { id, copied })
  }
}

export async function restore(given: string, options: Options, io: CliIo): Promise<void> {
  const { readConfig } = await import('@cairn/server/config')
  const { restoreBackup } = await import('@cairn/server/backup/restore')
  const flags = { data: options['data'] as string, database: options['database'] as string }
  const { dataDir, databaseUrl } = readConfig({ flags, env: io.env, cwd: io.cwd })
  const progress = openProgress(io.stderr, options['json'] !== true)
  const report = await explained(() =>
    restoreBackup(
      { from: resolve(io.cwd, given), dataDir, databaseUrl },
      { onProgress: async (what, done, total) => progress.show(what, done, total, '') },
    ),
  ).finally(() => progress.clear())
  finish(report, { verb: 'Restored', place: dataDir }, options, io)
  // Opening it brings git's refs to what the rows say; then everything is looked at once.
  const env = { ...io.env, ...(databaseUrl === null ? {} : { CAIRN_DATABASE: databaseUrl }) }
  await runSteps(
    { data: dataDir, endpoint: undefined },
    {
      verb: 'fsck',
      args: { full: options['full'] === true },
      json: options['json'] === true,
      advice: 'an earlier backup may have what is missing',
      summary: summarizeCheck,
    },
    { ...io, env },
  )
}

function finish(
  { findings, copied }: Report,
  { verb, place }: { verb: string; place: string },
  options: Options,
  { stdout, stderr }: CliIo,
): void {
  if (options['json'] === true) stdout.write(`${JSON.stringify({ place, ...copied, findings })}\n`)
  else
    for (const { subject, message } of findings)
      stdout.write(`${printable(subject)}: ${printable(message)}\n`)
  const said = `${verb} to ${printable(place)}: ${copied.files} files copied, ${copied.sizeBytes} bytes`
  if (findings.length > 0)
    throw new CliError(`${said}, without ${findings.length} that are damaged or missing`)
  if (options['json'] !== true) stderr.write(`${said}.\n`)
}

async function explained<T>(work: () => Promise<T>): Promise<T> {
  const { BackupError } = await import('@cairn/server/backup/manifest')
  const { CopyError } = await import('@cairn/server/store/catalog/copy-ends')
  try {
    return await work()
  } catch (error) {
    if (error instanceof BackupError || error instanceof CopyError)
      throw new CliError(error.message, { cause: error })
    throw error
  }
}

async function ask(
  hub: AdminChannel,
  verb: 'create' | 'extend' | 'delete',
  args: Record<string, unknown>,
): Promise<{ id: string; snapshot: string | null }> {
  return (await hub.send({ resource: 'backup', verb, args })) as { id: string; snapshot: string | null }
}
