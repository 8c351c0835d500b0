/**
 * Work on a whole hub: asks for one step after the other, shows how far it is, prints what is found as it is found,
 * and ends with the sums. The commands differ in what they ask for and in what they say in the end.
 */
import { CliError, type CliIo } from '../io.ts'
import { printable } from './print.ts'
import { openProgress } from './progress.ts'
import { openAdmin, type Target } from './send.ts'

interface Step {
  cursor: string | null
  walk: string
  at: string
  done: number
  total: number | null
  findings: { subject: string; message: string; state: 'problem' | 'repaired' | 'note' }[]
  counts: Record<string, number>
}

export interface Work {
  verb: string
  args: Record<string, unknown>
  /** The cursor of an earlier step, to go on after it. */
  from?: string | undefined
  /** One step a line, as it came. */
  json: boolean
  /** What to do about problems that are left. */
  advice: string
  /** The last line for people, from the sums of all steps' counts. */
  summary: (counts: Record<string, number>) => string
}

/** CliError, and so exit code 1, when a problem is left. */
export async function runSteps(target: Target, work: Work, io: CliIo): Promise<void> {
  await using hub = await openAdmin(target, io)
  const progress = openProgress(io.stderr, !work.json)
  const counts: Record<string, number> = {}
  let left = 0
  let walk = { name: '', done: 0, total: null as number | null }
  let cursor = work.from ?? null
  do {
    const request = { resource: 'hub', verb: work.verb, args: { ...work.args, cursor } }
    const step = (await hub.send(request)) as Step
    for (const [name, count] of Object.entries(step.counts)) counts[name] = (counts[name] ?? 0) + count
    left += step.findings.filter(({ state }) => state === 'problem').length
    progress.clear()
    if (work.json) io.stdout.write(`${JSON.stringify(step)}\n`)
    else for (const finding of step.findings) io.stdout.write(formatFinding(finding))
    if (walk.name !== step.walk) walk = { name: step.walk, done: 0, total: step.total }
    walk.done += step.done
    progress.show(walk.name, walk.done, walk.total, step.at)
    cursor = step.cursor
  } while (cursor !== null)
  progress.clear()
  const summary = work.summary(counts)
  if (left > 0) throw new CliError(`problems left: ${left} (${summary}); ${work.advice}`)
  if (!work.json) io.stderr.write(`${summary}, no problem is left.\n`)
}

function formatFinding({ subject, message, state }: Step['findings'][number]): string {
  const mark = state === 'problem' ? '' : ` (${state})`
  return `${printable(subject)}: ${printable(message)}${mark}\n`
}
