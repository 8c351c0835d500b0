/** Whether LFS objects become Xet files by themselves, and when: docs/operations.md «Old uploads become Xet files». */
import { printable } from '@cairn/protocol/repo-id'

import { MIGRATION_DELAY_HOURS, MIGRATION_GRACE_HOURS, MIGRATION_HOURS_MAX } from '../../limits.ts'

export interface MigrationPolicy {
  isOn: boolean
  /** How long an object is left alone after it came. */
  delayHours: number
  /** How long it is kept after it was replaced. */
  graceHours: number
}

export const USUAL_MIGRATION: MigrationPolicy = {
  isOn: true,
  delayHours: MIGRATION_DELAY_HOURS,
  graceHours: MIGRATION_GRACE_HOURS,
}

/** `off`, `on`, or the hours that differ from those of `on`. Throws an Error with one line for the operator. */
export function parseMigration(text: string): MigrationPolicy {
  if (text === 'off' || text === 'on') return { ...USUAL_MIGRATION, isOn: text === 'on' }
  const policy = { ...USUAL_MIGRATION }
  for (const part of text.split(',')) {
    const [name = '', value = '', ...rest] = part.trim().split('=')
    const isHours = /^\d{1,6}(?:\.\d{1,6})?$/.test(value) && Number(value) <= MIGRATION_HOURS_MAX
    if ((name !== 'delay' && name !== 'grace') || rest.length > 0 || !isHours)
      throw new Error(`'${printable(part)}' is no choice: give off, on, or hours like delay=24,grace=168`)
    policy[`${name}Hours`] = Number(value)
  }
  return policy
}
