/** `cairn admin stats`: the numbers of a hub, a line for each kind. */
import type { CliIo } from '../io.ts'
import { printable } from './print.ts'
import { openAdmin, type Target } from './send.ts'

interface HubStats {
  repositories: Record<string, number>
  users: number
  organizations: number
  storage: {
    logical: Record<'git' | 'lfs' | 'xet' | 'total', number>
    physical: Record<'git' | 'lfs' | 'xorbs' | 'total', number>
    lfsObjects: number
    xetFiles: number
    xorbs: number
    dedupRatio: number | null
    compressionRatio: number | null
  }
  quotas: Record<'accountDefaultBytes' | 'repoDefaultBytes', number | null> &
    Record<'accountsChosen' | 'repositoriesChosen', number>
  jobs: Record<'waiting' | 'failing' | 'givenUp', number> & {
    failures: { type: string; attempts: number; retryAt: string | null; reason: string }[]
  }
  queues: Record<string, number>
  slots: Record<string, { taken: number; count: number }>
  damaged: number
  last: Record<string, string | null>
}

export async function printStats(target: Target, json: boolean, io: CliIo): Promise<void> {
  await using hub = await openAdmin(target, io)
  const stats = (await hub.send({ resource: 'hub', verb: 'stats', args: {} })) as HubStats
  if (json) {
    io.stdout.write(`${JSON.stringify(stats, null, 2)}\n`)
    return
  }
  const { formatBytes } = await import('@cairn/server/ops/byte-size')
  const lines = [...linesOf(stats, formatBytes)]
  const width = Math.max(...lines.map(([name]) => name.length))
  for (const [name, text] of lines) io.stdout.write(`${`${name.padEnd(width)}  ${text}`.trimEnd()}\n`)
}

function* linesOf(
  { repositories, users, organizations, storage, quotas, jobs, queues, slots, damaged, last }: HubStats,
  bytes: (count: number) => string,
): Generator<[name: string, text: string]> {
  yield ['Repositories', pairs(repositories, String)]
  yield ['Users', String(users)]
  yield ['Organizations', String(organizations)]
  for (const [name, { total, ...parts }] of [
    ['Storage, logical', storage.logical],
    ['Storage, on disk', storage.physical],
  ] as const)
    yield [name, `${bytes(total)}: ${pairs(parts, bytes)}`]
  yield [
    'Contents',
    pairs({ 'LFS objects': storage.lfsObjects, 'Xet files': storage.xetFiles, xorbs: storage.xorbs }, String),
  ]
  yield ['Deduplication', storage.dedupRatio === null ? '-' : `${storage.dedupRatio}x`]
  yield ['Compression', storage.compressionRatio === null ? '-' : `${storage.compressionRatio}x`]
  const quota = (count: number | null) => (count === null ? 'none' : bytes(count))
  yield [
    'Quotas',
    `of accounts ${quota(quotas.accountDefaultBytes)}, of repositories ${quota(quotas.repoDefaultBytes)}; chosen for ${quotas.accountsChosen} accounts and ${quotas.repositoriesChosen} repositories`,
  ]
  yield ['Jobs', `${jobs.waiting} waiting, ${jobs.failing} failing, ${jobs.givenUp} given up`]
  for (const { type, attempts, retryAt, reason } of jobs.failures)
    yield ['', `${type}, tried ${attempts} times, next ${retryAt ?? 'never'}: ${printable(reason)}`]
  const busy = Object.fromEntries(Object.entries(queues).filter(([, length]) => length > 0))
  yield ['Queues', Object.keys(busy).length === 0 ? 'nothing waits' : pairs(busy, String)]
  yield ['At work', pairs(slots, ({ taken, count }) => `${taken} of ${count}`)]
  yield ['Damaged blobs', String(damaged)]
  for (const [name, at] of Object.entries(last)) yield [`Last ${name}`, at ?? 'none in the audit']
}

function pairs<T>(values: Record<string, T>, show: (value: T) => string): string {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${show(value)}`)
    .join(', ')
}
