/**
 * The state an operator asks for at the start (`--bootstrap FILE`): users, organizations and tokens with chosen
 * names, ids and strings. Applying twice changes nothing; what the file does not name is left alone; a file that
 * cannot be applied whole is not applied at all.
 */
import { HubError } from '@cairn/protocol/errors'
import { printable } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { BOOTSTRAP_ACCOUNTS_MAX, MEMBERS_PER_ORG_MAX, TOKENS_PER_ACCOUNT_MAX } from '../limits.ts'
import type { AccountKind, AccountRow } from '../store/catalog/catalog.ts'
import {
  emailField,
  formatIssues,
  fullnameField,
  idField,
  nameField,
  orgRoleField,
  tokenNameField,
  tokenRoleField,
  tokenStringField,
} from './account-fields.ts'
import { accountNamed, described, insertAccount, putMember } from './accounts.ts'
import { change, type AccountDeps, type Change } from './change.ts'
import { grantFields, settleGrants } from './grant-input.ts'
import { settleToken } from './tokens.ts'

const userSchema = z.strictObject({
  name: nameField,
  id: idField.optional(),
  fullname: fullnameField.optional(),
  email: emailField.optional(),
  tokens: z
    .array(
      z.strictObject({
        name: tokenNameField,
        role: tokenRoleField,
        token: tokenStringField.optional(),
        ...grantFields,
      }),
    )
    .max(TOKENS_PER_ACCOUNT_MAX)
    .default([]),
})

const orgSchema = z.strictObject({
  name: nameField,
  id: idField.optional(),
  fullname: fullnameField.optional(),
  members: z
    .array(z.strictObject({ user: nameField, role: orgRoleField }))
    .max(MEMBERS_PER_ORG_MAX)
    .default([]),
})

const bootstrapSchema = z.strictObject({
  users: z.array(userSchema).max(BOOTSTRAP_ACCOUNTS_MAX).default([]),
  orgs: z.array(orgSchema).max(BOOTSTRAP_ACCOUNTS_MAX).default([]),
  rateLimits: z.boolean().optional(),
})

export type Bootstrap = z.infer<typeof bootstrapSchema>

/** The file asks for something that is malformed or contradicts what is there. Nothing was changed. */
export class BootstrapError extends Error {
  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('; '), options)
    this.name = 'BootstrapError'
  }
}

/** A token whose string the file left to the hub. */
export interface GeneratedToken {
  user: string
  name: string
  token: string
}

/** Checks the shape, unknown keys included, and that the file does not contradict itself. BootstrapError. */
export function parseBootstrap(text: string): Bootstrap {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new BootstrapError([`not JSON: ${(error as Error).message}`], { cause: error })
  }
  const parsed = bootstrapSchema.safeParse(json)
  if (!parsed.success) throw new BootstrapError(formatIssues(parsed.error))
  const { users, orgs } = parsed.data
  const accounts = [...users, ...orgs]
  const problems = [
    ...repeated(accounts.map((a) => a.name.toLowerCase())).map(
      (name) => `the name '${printable(name)}' is given twice`,
    ),
    ...repeated(accounts.flatMap((a) => a.id ?? [])).map((id) => `the id '${id}' is given twice`),
    ...users.flatMap((u) =>
      repeated(u.tokens.map((t) => t.name)).map(
        (t) => `'${printable(u.name)}' has two tokens named '${printable(t)}'`,
      ),
    ),
    ...repeated(users.flatMap((u) => u.tokens.flatMap((t) => t.token ?? []))).map(
      () => 'one token string is given twice',
    ),
  ]
  if (problems.length > 0) throw new BootstrapError(problems)
  return parsed.data
}

/** One transaction. Returns the tokens that were made at random, whose strings nobody can ask for again. */
export async function applyBootstrap(deps: AccountDeps, bootstrap: Bootstrap): Promise<GeneratedToken[]> {
  const generated: GeneratedToken[] = []
  try {
    await change(deps, { kind: 'operator' }, async (c) => {
      generated.length = 0
      for (const wanted of bootstrap.users) await settleAccount(c, 'user', wanted)
      for (const wanted of bootstrap.orgs) {
        const org = await settleAccount(c, 'org', wanted)
        for (const { user, role } of wanted.members)
          await putMember(c, org, await accountNamed(c.rows.accounts, 'user', user), role)
      }
      // Last, since a token's grants may name any of the accounts.
      for (const wanted of bootstrap.users) {
        const user = await accountNamed(c.rows.accounts, 'user', wanted.name)
        for (const { scopes, grants: given, ...token } of wanted.tokens) {
          const grants = await settleGrants(token.role, { scopes, grants: given }, c.rows.accounts, noRepos)
          const text = await settleToken(c, user, { ...token, grants })
          if (text !== null && token.token === undefined)
            generated.push({ user: user.name, name: token.name, token: text })
        }
      }
    })
  } catch (error) {
    throw error instanceof HubError ? new BootstrapError([error.message], { cause: error }) : error
  }
  return generated
}

/** A repository that was deleted since would keep the hub from starting. */
function noRepos(): Promise<never> {
  throw new HubError('BadRequest', 'A token of the bootstrap file is granted accounts, not repositories')
}

/** The account as wanted: made, completed, or left alone. Returns it as it was found or made. */
async function settleAccount(
  c: Change,
  kind: AccountKind,
  wanted: {
    name: string
    id?: string | undefined
    fullname?: string | undefined
    email?: string | undefined
  },
): Promise<AccountRow> {
  const found = await c.rows.accounts.getByName(wanted.name)
  if (found === null) return insertAccount(c, { ...wanted, kind })
  if (
    found.kind !== kind ||
    found.name !== wanted.name ||
    (wanted.id !== undefined && wanted.id !== found.id)
  )
    throw new HubError('Conflict', `The name '${wanted.name}' is that of ${described(found)}`)
  const changed: { fullname?: string; email?: string } = {}
  if (wanted.fullname !== undefined && wanted.fullname !== found.fullname) changed.fullname = wanted.fullname
  if (wanted.email !== undefined && wanted.email !== found.email) changed.email = wanted.email
  if (Object.keys(changed).length > 0) {
    await c.rows.accounts.update(found.id, changed)
    await c.audit(`${kind}.update`, found.name, { changed: Object.keys(changed) })
  }
  return found
}

function repeated(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, i) => values.indexOf(value) !== i))]
}
