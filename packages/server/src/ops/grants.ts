/**
 * What a fine-grained token may do: permissions by the Hub's names, everywhere (`global`) or on one account or
 * repository (`scoped`). The shape is that of whoami (hub-api.md §2.1). A grant never gives more than the token's
 * account has; ops/access.ts takes the intersection at each use. Scopes hold ids, so that a repository that takes a
 * deleted one's name does not inherit its tokens.
 */
import { REPO_TYPES, type RepoType } from '@cairn/protocol/repo-id'
import { z } from 'zod'

import { GRANT_SCOPES_MAX } from '../limits.ts'

/** The Hub's own names, and ours for this hub itself. Those of features that are not here are kept and shown, and open nothing. */
const PERMISSIONS = [
  'repo.content.read',
  'repo.access.read',
  'repo.write',
  'discussion.write',
  'collection.read',
  'collection.write',
  'post.write',
  'job.read',
  'job.write',
  'inference.serverless.write',
  'inference.endpoints.infer.write',
  'inference.endpoints.write',
  'user.billing.read',
  'user.mcp.read',
  'user.notifications.read',
  'user.notifications.write',
  'user.social.likes.write',
  'user.webhooks.read',
  'user.webhooks.write',
  'org.read',
  'org.write',
  'org.repos.read',
  'org.members.read',
  'org.members.write',
  'org.auditLog.read',
  'org.auditLog.write',
  'org.billing.read',
  'org.networkSecurity.read',
  'org.networkSecurity.write',
  'org.serviceAccounts.read',
  'org.serviceAccounts.write',
  'resourceGroup.write',
  'hub.metrics.read',
] as const
export type Permission = (typeof PERMISSIONS)[number]

const IMPLIED: Partial<Record<Permission, readonly Permission[]>> = {
  'repo.content.read': ['repo.write'],
  'repo.access.read': ['repo.write'],
  'collection.read': ['collection.write'],
  'org.read': ['org.write'],
  'org.repos.read': ['org.read', 'org.write'],
  'org.members.read': ['org.members.write', 'org.write'],
  'org.members.write': ['org.write'],
}

export const permissionField = z.enum(PERMISSIONS)
const permissionsField = z.array(permissionField).max(PERMISSIONS.length)
export const entityTypeField = z.enum(['user', 'org', ...REPO_TYPES])
export type EntityType = z.infer<typeof entityTypeField>

const grantsSchema = z.object({
  canReadGatedRepos: z.boolean(),
  global: permissionsField,
  scoped: z
    .array(
      z.object({
        entity: z.object({ _id: z.string(), type: entityTypeField, name: z.string() }),
        permissions: permissionsField,
      }),
    )
    .max(GRANT_SCOPES_MAX),
})
export type Grants = z.infer<typeof grantsSchema>

const NO_GRANTS: Grants = { canReadGatedRepos: false, global: [], scoped: [] }

/** From the catalog. What cannot be read there grants nothing. */
export function readGrants(json: string | null): Grants {
  if (json === null) return NO_GRANTS
  const parsed = grantsSchema.safeParse(JSON.parse(json))
  return parsed.success ? parsed.data : NO_GRANTS
}

/** Whether a grant covers this account's things, or this one repository of it. */
export function permits(
  grants: Grants,
  permission: Permission,
  on: { ownerId: string; repo?: { type: RepoType; id: string } },
): boolean {
  const held = (permissions: readonly Permission[]) =>
    permissions.includes(permission) || IMPLIED[permission]?.some((p) => permissions.includes(p)) === true
  return (
    held(grants.global) ||
    grants.scoped.some(
      ({ entity, permissions }) =>
        held(permissions) &&
        (entity.type === 'user' || entity.type === 'org'
          ? entity._id === on.ownerId
          : entity._id === on.repo?.id && entity.type === on.repo.type),
    )
  )
}
