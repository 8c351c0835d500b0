/** `cairn admin fsck`: one repository after the other, a progress line for people, and problems as they are found. */
import { CliError, type CliIo } from '../io.ts'
import { printable } from './print.ts'
import { openAdmin, type Target } from './send.ts'

interface Check {
  id: string
  type: string
  storageId: string
  left: number
  problems: { subject: string; message: string; repaired: boolean }[]
}

export interface CheckOptions {
  /** Null: all of them. */
  named: Record<string, unknown> | null
  full: boolean
  repair: boolean
  json: boolean
}

export async function checkRepos(
  target: Target,
  { named, full, repair, json }: CheckOptions,
  io: CliIo,
): Promise<void> {
  await using hub = await openAdmin(target, io)
  const isWatched = io.stderr.isTTY === true && !json
  let after: string | null = null
  let checked = 0
  let left = 0
  for (;;) {
    const which = named === null ? { after } : { repo: named }
    const request = { resource: 'repo', verb: 'check', args: { ...which, full, repair } }
    const check = (await hub.send(request)) as Check | null
    if (check === null) break
    checked += 1
    left += check.problems.filter(({ repaired }) => !repaired).length
    if (isWatched) io.stderr.write('\r\u001b[K')
    if (json) io.stdout.write(`${JSON.stringify(check)}\n`)
    else
      for (const { subject, message, repaired } of check.problems)
        io.stdout.write(
          `${check.type} ${printable(check.id)}: ${printable(subject)}: ${printable(message)}${repaired ? ' (repaired)' : ''}\n`,
        )
    if (isWatched) io.stderr.write(`${checked} of ${checked + check.left} ${printable(check.id)}`)
    after = check.storageId
    if (named !== null) break
  }
  if (isWatched) io.stderr.write('\r\u001b[K')
  if (left > 0)
    throw new CliError(
      `problems left in ${checked} checked repositories: ${left}; a backup may have what is missing`,
    )
  if (!json) io.stderr.write(`${checked} repositories checked, no problem is left.\n`)
}
