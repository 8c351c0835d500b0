/** What the fields of accounts and tokens may hold, wherever an administrator gives them. */
import { printable } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import {
  ACCOUNT_ID_LENGTH_MAX,
  EMAIL_LENGTH_MAX,
  FULLNAME_LENGTH_MAX,
  TOKEN_LENGTH_MAX,
  TOKEN_NAME_LENGTH_MAX,
} from '../limits.ts'
import type { OrgRole, TokenRole } from '../store/catalog/catalog.ts'
import { tokenProblem } from './token-string.ts'

const ORG_ROLES = ['admin', 'write', 'contributor', 'read'] as const satisfies OrgRole[]
const TOKEN_ROLES = ['read', 'write', 'fineGrained'] as const satisfies TokenRole[]

/** Unknown keys are quoted in messages, however long they are. */
const ISSUE_LENGTH_MAX = 400

/** The full rule, with the reserved words, is `assertNewName`; it answers with the reason. */
export const nameField = z.string().min(1).max(200)

/** Ids become part of keys in the blob store, hence no dots and no slashes. */
export const idField = z
  .string()
  .max(ACCOUNT_ID_LENGTH_MAX)
  .regex(/^[A-Za-z0-9_-]+$/, "an id consists of letters, digits, '-' and '_'")

export const fullnameField = z
  .string()
  .max(FULLNAME_LENGTH_MAX)
  .refine(isOneLine, 'control characters are not allowed')

export const emailField = z
  .string()
  .max(EMAIL_LENGTH_MAX)
  .regex(/^[^\s@\p{Cc}]+@[^\s@\p{Cc}]+$/u, 'not an e-mail address')

export const orgRoleField = z.enum(ORG_ROLES)
export const tokenRoleField = z.enum(TOKEN_ROLES)

export const tokenNameField = z
  .string()
  .min(1)
  .max(TOKEN_NAME_LENGTH_MAX)
  .refine(isOneLine, 'control characters are not allowed')

export const tokenStringField = z
  .string()
  .max(TOKEN_LENGTH_MAX)
  .check((ctx) => {
    const message = tokenProblem(ctx.value)
    // The value itself is left out: it may end up in a log.
    if (message !== null) ctx.issues.push({ code: 'custom', message, input: '' })
  })

function isOneLine(text: string): boolean {
  return !/\p{Cc}/u.test(text)
}

/** `users[0].tokens[1].role: …`, one line for each problem; never the value. */
export function formatIssues(error: z.ZodError): string[] {
  return error.issues.map((issue) => {
    const path = issue.path.map((key, i) =>
      typeof key === 'number' ? `[${key}]` : `${i === 0 ? '' : '.'}${String(key)}`,
    )
    return printable(
      path.length === 0 ? issue.message : `${path.join('')}: ${issue.message}`,
      ISSUE_LENGTH_MAX,
    )
  })
}
