/**
 * Administration by hand: one entry for `POST /api/admin` and `cairn admin`. Arguments are checked here, rights in
 * the operations themselves.
 */
import { HubError } from '@cairn/protocol/errors'
import type { RepoType } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { ADMIN_LIST_MAX, TOKEN_LIFETIME_MAX_DAYS } from '../limits.ts'
import { assertInstanceAdmin, type Principal } from './access.ts'
import {
  emailField,
  fullnameField,
  idField,
  nameField,
  orgRoleField,
  tokenNameField,
  tokenRoleField,
  tokenStringField,
} from './account-fields.ts'
import {
  createAccount,
  deleteAccount,
  listAccounts,
  listMembers,
  removeMember,
  setMember,
} from './accounts.ts'
import { checked, registryField, repoFields } from './admin-args.ts'
import type { AdminStorageOps, QuotaChoice } from './admin-storage.ts'
import type { HubWork } from './admin-work.ts'
import { listAudit } from './audit-log.ts'
import type { Backups } from './backup.ts'
import { parseBytes } from './byte-size.ts'
import type { AccountDeps } from './change.ts'
import { grantFields } from './grant-input.ts'
import { createRegistry, deleteRegistry, listRegistries } from './registries.ts'
import { createToken, deleteToken, listTokens } from './tokens.ts'
import { usedStorage } from './used-storage.ts'

/** A registry by its public name; null is the default one. */
export type RegistryName = { org: string; slug: string } | null

export interface AdminRepo {
  registry: RegistryName
  type: RepoType
  namespace: string
  name: string
}

type AdminRepoName = Pick<AdminRepo, 'namespace' | 'name'>

/** What `repo create|list|delete|restore|repack` calls. Values come back as JSON for the caller. */
export interface AdminRepoOps {
  create(principal: Principal, repo: AdminRepo & { private: boolean }): Promise<unknown>
  delete(principal: Principal, repo: AdminRepo & { now: boolean }): Promise<unknown>
  restore(principal: Principal, repo: AdminRepo & { as: AdminRepoName | null }): Promise<unknown>
  list(
    principal: Principal,
    filter: { registry: RegistryName; limit: number; deleted: boolean },
  ): Promise<unknown[]>
  /** Packs what has gathered; `prune`: everything anew, without what nothing reaches and whose grace has ended. */
  repack(principal: Principal, repo: AdminRepo & { prune: boolean }): Promise<unknown>
}

export interface AdminDeps extends AccountDeps {
  repos: AdminRepoOps
  work: HubWork
  storage: AdminStorageOps
  backups: Pick<Backups, 'create' | 'extend' | 'delete'>
}

export interface AdminRequest {
  resource: string
  verb: string
  args: Record<string, unknown>
}

/** Bytes as a number or as people write them; absent: what it is now. */
const quotaField = z
  .union([z.number(), z.string()])
  .optional()
  .transform((given, ctx): QuotaChoice => {
    if (given === undefined || given === 'none' || given === 'default') return given
    const bytes = parseBytes(String(given))
    if (bytes !== null) return bytes
    ctx.addIssue({
      code: 'custom',
      message: "a quota is given like 500GB or 1.5TiB, or as 'none' or 'default'",
    })
    return z.NEVER
  })

const AUDIT_PAGE_DEFAULT = 100
const DAY_MS = 24 * 3600_000

const requestSchema = z.strictObject({
  resource: z.string(),
  verb: z.string(),
  args: z.record(z.string(), z.unknown()).default({}),
})

type Action = (deps: AdminDeps, principal: Principal, args: unknown) => Promise<unknown>

/** Ties a schema to the operation that its values go to. */
function action<S extends z.ZodType>(
  schema: S,
  run: (deps: AdminDeps, principal: Principal, args: z.infer<S>) => Promise<unknown>,
): Action {
  return (deps, principal, args) => run(deps, principal, checked(schema, args))
}

const count = z.int().min(0)

const ACTIONS: Record<string, Record<string, Action>> = {
  user: {
    create: action(
      z.strictObject({
        name: nameField,
        id: idField.optional(),
        fullname: fullnameField.optional(),
        email: emailField.optional(),
        isAdmin: z.boolean().optional(),
      }),
      (deps, who, user) => createAccount(deps, who, { ...user, kind: 'user' }),
    ),
    list: action(z.strictObject({}), (deps, who) => listAccounts(deps, who, 'user')),
    quota: action(z.strictObject({ name: nameField, quota: quotaField }), (deps, who, { name, quota }) =>
      deps.storage.accountQuota(who, 'user', name, quota),
    ),
    delete: action(z.strictObject({ name: nameField }), (deps, who, { name }) =>
      deleteAccount(deps, who, 'user', name),
    ),
  },
  org: {
    create: action(
      z.strictObject({ name: nameField, id: idField.optional(), fullname: fullnameField.optional() }),
      (deps, who, org) => createAccount(deps, who, { ...org, kind: 'org' }),
    ),
    list: action(z.strictObject({}), (deps, who) => listAccounts(deps, who, 'org')),
    quota: action(z.strictObject({ name: nameField, quota: quotaField }), (deps, who, { name, quota }) =>
      deps.storage.accountQuota(who, 'org', name, quota),
    ),
    delete: action(z.strictObject({ name: nameField }), (deps, who, { name }) =>
      deleteAccount(deps, who, 'org', name),
    ),
  },
  member: {
    create: action(z.strictObject({ org: nameField, user: nameField, role: orgRoleField }), setMember),
    list: action(z.strictObject({ org: nameField }), (deps, who, { org }) => listMembers(deps, who, org)),
    delete: action(z.strictObject({ org: nameField, user: nameField }), removeMember),
  },
  token: {
    create: action(
      z.strictObject({
        user: nameField,
        name: tokenNameField,
        role: tokenRoleField.default('write'),
        token: tokenStringField.optional(),
        ...grantFields,
        expiresInDays: z.number().positive().max(TOKEN_LIFETIME_MAX_DAYS).optional(),
      }),
      (deps, who, { user, expiresInDays, ...token }) =>
        createToken(deps, who, user, {
          ...token,
          expiresAt: expiresInDays === undefined ? null : Math.round(deps.clock() + expiresInDays * DAY_MS),
        }),
    ),
    list: action(z.strictObject({ user: nameField }), (deps, who, { user }) => listTokens(deps, who, user)),
    delete: action(z.strictObject({ user: nameField, token: tokenNameField }), (deps, who, { user, token }) =>
      deleteToken(deps, who, user, token),
    ),
  },
  registry: {
    create: action(z.strictObject({ registry: registryField }), (deps, who, { registry }) =>
      createRegistry(deps, who, registry.org, registry.slug),
    ),
    list: action(z.strictObject({}), (deps, who) => listRegistries(deps, who)),
    delete: action(z.strictObject({ registry: registryField }), (deps, who, { registry }) =>
      deleteRegistry(deps, who, registry.org, registry.slug),
    ),
  },
  backup: {
    create: action(z.strictObject({}), (deps, who) => deps.backups.create(who)),
    extend: action(z.strictObject({ id: idField }), (deps, who, { id }) => deps.backups.extend(who, id)),
    delete: action(
      z.strictObject({ id: idField, copied: z.strictObject({ files: count, sizeBytes: count }).nullable() }),
      (deps, who, { id, copied }) => deps.backups.delete(who, id, copied),
    ),
  },
  audit: {
    list: action(
      z.strictObject({
        repo: z.string().max(400).optional(),
        actor: nameField.optional(),
        action: z.string().max(100).optional(),
        since: z.iso.datetime({ offset: true }).or(z.iso.date()).transform(Date.parse).optional(),
        before: idField.optional(),
        limit: z.int().min(1).max(ADMIN_LIST_MAX).default(AUDIT_PAGE_DEFAULT),
      }),
      listAudit,
    ),
  },
  storage: {
    list: action(z.strictObject({ account: nameField.optional() }), usedStorage),
  },
  repo: {
    create: action(
      z.strictObject({ ...repoFields, private: z.boolean().default(false) }),
      (deps, who, repo) => deps.repos.create(who, repo),
    ),
    list: action(
      z.strictObject({
        registry: repoFields.registry,
        deleted: z.boolean().default(false),
        limit: z.int().min(1).max(ADMIN_LIST_MAX).default(ADMIN_LIST_MAX),
      }),
      (deps, who, filter) => deps.repos.list(who, filter),
    ),
    delete: action(z.strictObject({ ...repoFields, now: z.boolean().default(false) }), (deps, who, repo) =>
      deps.repos.delete(who, repo),
    ),
    restore: action(
      z.strictObject({
        ...repoFields,
        as: z
          .strictObject({ namespace: nameField, name: nameField })
          .nullish()
          .transform((name) => name ?? null),
      }),
      (deps, who, repo) => deps.repos.restore(who, repo),
    ),
    quota: action(z.strictObject({ ...repoFields, quota: quotaField }), (deps, who, { quota, ...repo }) =>
      deps.storage.repoQuota(who, repo, quota),
    ),
    repack: action(z.strictObject({ ...repoFields, prune: z.boolean().default(false) }), (deps, who, repo) =>
      deps.repos.repack(who, repo),
    ),
  },
}

/** Carries out a request as it came from outside. BadRequest names each argument that is wrong. */
export async function admin(deps: AdminDeps, principal: Principal, request: unknown): Promise<unknown> {
  assertInstanceAdmin(principal)
  const { resource, verb, args }: AdminRequest = checked(requestSchema, request)
  if (resource === 'hub' && verb === 'stats') return deps.storage.stats(principal)
  if (resource === 'hub' && Object.hasOwn(deps.work, verb)) return deps.work[verb]!(principal, args)
  const verbs = Object.hasOwn(ACTIONS, resource) ? ACTIONS[resource] : undefined
  const run = verbs !== undefined && Object.hasOwn(verbs, verb) ? verbs[verb] : undefined
  if (run === undefined)
    throw new HubError(
      'BadRequest',
      `Administration knows ${Object.keys(ACTIONS).join(', ')}, each with create, list and delete (and repo with restore and repack, backup with extend, and user, org and repo with quota), and hub with stats, ${Object.keys(deps.work).join(', ')}`,
    )
  return run(deps, principal, args)
}
