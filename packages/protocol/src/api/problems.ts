/** How a failed zod check reads in one line of an error message. */
import type { z } from 'zod'

import { printable } from '../repo-id.ts'

export function describeIssues(error: z.ZodError): string {
  const [issue] = error.issues
  if (issue === undefined) return 'malformed'
  const where = issue.path.map((part) => printable(String(part), 40)).join('.')
  return where === '' ? printable(issue.message) : `'${where}': ${printable(issue.message)}`
}
