/** Grants as people give them: JSON in whoami's shape with names for ids, or words like `acme/tiny=repo.write`. */
import { HubError } from '@cairn/protocol/errors'
import { REPO_TYPES, printable, type RepoName, type RepoType } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { GRANT_SCOPES_MAX } from '../limits.ts'
import type { AccountRows, RepoRow } from '../store/catalog/catalog.ts'
import { RepoMovedError } from './access.ts'
import { entityTypeField, permissionField, type EntityType, type Grants, type Permission } from './grants.ts'

export interface NamedScope {
  /** `account`: a user or an organization, whichever has the name. */
  type: EntityType | 'account'
  name: string
  permissions: Permission[]
}

const permissions = z.array(permissionField).min(1).max(GRANT_SCOPES_MAX)

/** `acme=…` an account, `acme/tiny=…` a model, `datasets/acme/tiny=…` a dataset, `*=…` everywhere. */
const scopeWords = z
  .string()
  .max(1000)
  .transform((text, ctx): NamedScope | { everywhere: Permission[] } => {
    const [target = '', list = ''] = text.split('=', 2)
    const parsed = permissions.safeParse(list.split(','))
    const match = /^(?:(models|datasets|spaces)\/(?=[^/]+\/))?([^/]+(?:\/[^/]+)?)$/.exec(target)
    if (!parsed.success || match?.[2] === undefined) {
      const message = parsed.success
        ? 'a scope is given as NAMESPACE[/NAME]=PERMISSION[,PERMISSION…]'
        : `not permissions: '${printable(list)}'`
      ctx.addIssue({ code: 'custom', message })
      return z.NEVER
    }
    if (match[2] === '*') return { everywhere: parsed.data }
    const type = match[1] === undefined ? 'model' : (match[1].slice(0, -1) as RepoType)
    return {
      type: match[2].includes('/') ? type : 'account',
      name: match[2],
      permissions: parsed.data,
    }
  })

/** Both spellings; they add up. */
export const grantFields = {
  grants: z
    .strictObject({
      canReadGatedRepos: z.boolean().default(false),
      global: z.array(permissionField).max(GRANT_SCOPES_MAX).default([]),
      scoped: z
        .array(
          z.object({
            entity: z.object({ type: entityTypeField, name: z.string().max(400) }),
            permissions,
          }),
        )
        .max(GRANT_SCOPES_MAX)
        .default([]),
    })
    .optional(),
  scopes: z.array(scopeWords).max(GRANT_SCOPES_MAX).optional(),
}
const grantInput = z.object(grantFields)
export type GrantInput = z.infer<typeof grantInput>

/** Finds a repository that the giver may name, or throws RepoNotFound. */
export type FindRepo = (name: RepoName) => Promise<RepoRow>

/**
 * The grants of a token of this role, as the catalog keeps them: null for roles that have none. BadRequest when a
 * fine-grained one has none, or another one some.
 */
export async function settleGrants(
  role: string,
  { grants, scopes = [] }: GrantInput,
  accounts: AccountRows,
  findRepo: FindRepo,
): Promise<string | null> {
  const isGiven = grants !== undefined || scopes.length > 0
  if (role !== 'fineGrained') {
    if (isGiven) throw new HubError('BadRequest', `Grants belong to tokens of the role 'fineGrained'`)
    return null
  }
  if (!isGiven) throw new HubError('BadRequest', `A token of the role 'fineGrained' needs grants`)
  const settled: Grants = {
    canReadGatedRepos: grants?.canReadGatedRepos ?? false,
    global: [...(grants?.global ?? [])],
    scoped: [],
  }
  const named: NamedScope[] = (grants?.scoped ?? []).map((scope) => ({
    ...scope.entity,
    permissions: scope.permissions,
  }))
  for (const scope of scopes)
    if ('everywhere' in scope) settled.global.push(...scope.everywhere)
    else named.push(scope)
  for (const { type, name, permissions: list } of named)
    settled.scoped.push({ entity: await entityOf(type, name, accounts, findRepo), permissions: list })
  settled.global = [...new Set(settled.global)]
  return JSON.stringify(settled)
}

async function entityOf(
  type: NamedScope['type'],
  name: string,
  accounts: AccountRows,
  findRepo: FindRepo,
): Promise<Grants['scoped'][number]['entity']> {
  const repoType = REPO_TYPES.find((t) => t === type)
  if (repoType !== undefined) {
    const [namespace = '', repoName = ''] = name.split('/')
    const repo = await findRepo({ type: repoType, namespace, name: repoName }).catch((error: unknown) => {
      if (error instanceof RepoMovedError) return findRepo(error.to)
      throw error
    })
    return { _id: repo.id, type: repoType, name: `${repo.namespace}/${repo.name}` }
  }
  const account = await accounts.getByName(name)
  if (account === null || (type !== 'account' && account.kind !== type))
    throw new HubError('NotFound', `No ${type === 'org' ? 'organization' : type} '${printable(name)}'`)
  return { _id: account.id, type: account.kind, name: account.name }
}

/** The words that `scopes` takes, in one line. */
export function formatScopes({ global, scoped }: Grants): string {
  const prefix = (type: EntityType) => (type === 'dataset' || type === 'space' ? `${type}s/` : '')
  return [
    ...(global.length > 0 ? [`*=${global.join(',')}`] : []),
    ...scoped.map(
      ({ entity, permissions: list }) => `${prefix(entity.type)}${entity.name}=${list.join(',')}`,
    ),
  ].join(' ')
}
