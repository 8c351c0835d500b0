/**
 * What a monitoring system reads: the numbers of traffic.ts, the lengths of queues, and how the process does. All is
 * gathered when it is asked for. Labels have few values, and none that comes from outside.
 */
import { METRICS_CATALOG_MS } from '../limits.ts'
import type { CatalogCounts } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, type Principal } from './access.ts'
import type { OpsContext } from './context.ts'
import { EXPOSITION_TYPE, formatMetrics, type Histogram, type Metric, type Sample } from './exposition.ts'
import { processMetrics } from './process-metrics.ts'
import { DURATION_BOUNDS_S, OUTCOMES, type Tally } from './traffic.ts'

/** For administrators, and for tokens that may do this and nothing else. Unauthenticated or Forbidden otherwise. */
export async function readMetrics(
  ctx: OpsContext,
  principal: Principal,
): Promise<{ type: string; text: string }> {
  assertInstanceAdmin(principal, 'metrics')
  const counts = await recentCounts(ctx)
  const metrics = [
    ...trafficMetrics(ctx),
    ...queueMetrics(ctx),
    ...catalogMetrics(counts),
    ...processMetrics(),
  ]
  return { type: EXPOSITION_TYPE, text: formatMetrics(metrics) }
}

function* trafficMetrics({ traffic }: OpsContext): Generator<Metric | Histogram> {
  const tallies = [...traffic.tallies()]
  const rows = tallies.flatMap((tally) => [...tally.rows()].map((row) => ({ ...row, family: tally.family })))
  const perFamily = (valueOf: (tally: Tally) => number): Sample[] =>
    tallies.map((tally) => [{ family: tally.family }, valueOf(tally)])
  yield {
    name: 'cairn_http_requests_total',
    type: 'counter',
    help: 'Requests that have ended.',
    samples: rows.flatMap(({ family, method, answers }) =>
      OUTCOMES.flatMap((status, index): Sample[] =>
        answers[index] === 0 ? [] : [[{ family, method, status }, answers[index]!]],
      ),
    ),
  }
  yield {
    name: 'cairn_http_request_duration_seconds',
    type: 'histogram',
    help: 'From the head of a request to the end of its answer.',
    bounds: DURATION_BOUNDS_S,
    series: rows.map(({ family, method, buckets, seconds }) => ({
      labels: { family, method },
      buckets,
      sum: seconds,
    })),
  }
  yield gauge(
    'http_requests_open',
    'Requests under way.',
    perFamily(({ open }) => open),
  )
  yield counter(
    'http_received_bytes_total',
    'Bytes of request bodies.',
    perFamily(({ receivedBytes }) => receivedBytes),
  )
  yield counter(
    'http_sent_bytes_total',
    'Bytes of response bodies.',
    perFamily(({ sentBytes }) => sentBytes),
  )
  const { registeredBytes, rawBytes, storedBytes } = traffic.xet
  yield counter('xet_registered_bytes_total', 'Bytes of files that shards registered anew.', [
    [{}, registeredBytes],
  ])
  yield counter('xet_received_bytes_total', 'Bytes of new xorbs: raw, and as they are stored.', [
    [{ form: 'raw' }, rawBytes],
    [{ form: 'stored' }, storedBytes],
  ])
  yield gauge(
    'xet_dedup_ratio',
    'Registered bytes by raw bytes received, since the start.',
    rawBytes === 0 ? [] : [[{}, registeredBytes / rawBytes]],
  )
}

/** Works that wait, by where, and those under way where their number is bounded. Also for `cairn admin stats`. */
export function loadOf({ repoQueue, xorbs, budgets, git }: OpsContext): {
  waiting: Record<string, number>
  slots: Record<string, { taken: number; count: number }>
} {
  const waiting: Record<string, number> = {
    repositories: repoQueue.length,
    'xorb-threads': xorbs.waiting,
    'git-blobs': budgets.gitBlobs.waiting,
  }
  const slots: Record<string, { taken: number; count: number }> = {
    'xorb-threads': { taken: xorbs.busy, count: xorbs.size },
  }
  for (const [name, load] of Object.entries(git.load().slots)) {
    waiting[`git-${name}`] = load.waiting
    slots[`git-${name}`] = { taken: load.taken, count: load.count }
  }
  return { waiting, slots }
}

function* queueMetrics(ctx: OpsContext): Generator<Metric> {
  const { waiting, slots } = loadOf(ctx)
  const each = <T>(values: Record<string, T>, label: string, valueOf: (value: T) => number): Sample[] =>
    Object.entries(values).map(([name, value]) => [{ [label]: name }, valueOf(value)])
  yield gauge(
    'queue_length',
    'Works that wait for their turn.',
    each(waiting, 'queue', (length) => length),
  )
  yield gauge(
    'slots_taken',
    'Works under way where their number is bounded.',
    each(slots, 'slots', ({ taken }) => taken),
  )
  yield gauge(
    'slots_count',
    'The bound.',
    each(slots, 'slots', ({ count }) => count),
  )
  const budgets = {
    'git-blobs': ctx.budgets.gitBlobs,
    commits: ctx.budgets.commits,
    bodies: ctx.budgets.bodies,
  }
  yield gauge(
    'memory_budget_held_bytes',
    'Memory that requests share, held now.',
    each(budgets, 'budget', ({ heldBytes }) => heldBytes),
  )
  yield gauge(
    'memory_budget_bytes',
    'The bound.',
    each(budgets, 'budget', ({ maxBytes }) => maxBytes),
  )
  const { helperPid, processes } = ctx.git.load()
  yield gauge('git_helper_up', 'Whether the process that starts git is there.', [
    [{}, helperPid === null ? 0 : 1],
  ])
  yield gauge('git_processes', 'git processes that run.', [[{}, processes]])
}

function* catalogMetrics({ repos, accounts, outbox }: CatalogCounts): Generator<Metric> {
  yield gauge(
    'repositories',
    'Repositories, without deleted ones.',
    repos.map(({ type, count }) => [{ type }, count]),
  )
  yield gauge(
    'accounts',
    'Users and organizations.',
    accounts.map(({ kind, count }) => [{ kind }, count]),
  )
  yield gauge(
    'outbox_events',
    'Events that wait for their job: for the first time, after a failure, or given up.',
    Object.entries(outbox).map(([state, count]) => [{ state }, count]),
  )
}

function counter(name: string, help: string, samples: Sample[]): Metric {
  return { name: `cairn_${name}`, type: 'counter', help, samples }
}

function gauge(name: string, help: string, samples: Sample[]): Metric {
  return { name: `cairn_${name}`, type: 'gauge', help, samples }
}

/** Whoever asks often gets counts that are a minute old at most: they take a walk over rows. */
async function recentCounts({ traffic, catalog, clock }: OpsContext): Promise<CatalogCounts> {
  const known = traffic.counts
  if (known !== null && clock() - known.at < METRICS_CATALOG_MS) return known.counts
  const counts = await catalog.rows.stats.counts()
  traffic.counts = { at: clock(), counts }
  return counts
}
