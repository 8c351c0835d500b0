/**
 * Work on the whole hub that may take hours is done in steps: each request does one and answers where the next begins.
 * So no request takes long, the hub remembers nothing of who asks, and who stops can go on.
 */
import { HubError } from '@cairn/protocol/errors'

/** What stands out to an operator. */
export interface Finding {
  /** What it is about: a ref, a path with its oid, a key of the store, or git's own words. */
  subject: string
  message: string
  /** `note`: nothing is wrong, as with what a crash left and a sweep takes away. */
  state: 'problem' | 'repaired' | 'note'
}

export interface WorkStep {
  /** Given back, the next step begins there; null: all is done. */
  cursor: string | null
  /** What is gone through, e.g. `repositories`, and the last one of them that was looked at. */
  walk: string
  at: string
  /** How far this step came, in whatever `total` counts. */
  done: number
  /** Of the whole walk, when it is known: told by its first step. */
  total: number | null
  findings: Finding[]
  /** What the step adds to the sums that are told in the end, e.g. bytes. */
  counts: Record<string, number>
}

/** A step of one walk. `after`: where the next one of the same walk begins; null: the walk has ended. */
export type WalkStep = Omit<WorkStep, 'cursor' | 'walk'> & { after: string | null }
export type Walk = (after: string | null) => Promise<WalkStep>

/** Several walks, one after the other, as one work. */
export async function stepThrough(
  walks: Readonly<Record<string, Walk>>,
  cursor: string | null,
): Promise<WorkStep> {
  const names = Object.keys(walks)
  const colon = cursor?.indexOf(':') ?? -1
  const walk = cursor === null ? names[0]! : cursor.slice(0, colon)
  const index = names.indexOf(walk)
  if (index < 0) throw new HubError('BadRequest', 'The cursor is not one of this work')
  const { after, ...step } = await walks[walk]!(cursor?.slice(colon + 1) || null)
  const next =
    after === null ? (index + 1 < names.length ? `${names[index + 1]}:` : null) : `${walk}:${after}`
  return { cursor: next, walk, ...step }
}
