/** Repositories for administrators, by the names of registry, namespace and repository. */
import { formatDate } from '@cairn/protocol/api/dates'
import { formatRepoId } from '@cairn/protocol/repo-id'

import type { RepoRow } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin, repoFor } from './access.ts'
import type { AdminRepoOps } from './admin.ts'
import type { OpsContext } from './context.ts'
import { deleteRepo, listDeletedRepos, purgeTime, restoreRepo } from './deleted-repos.ts'
import { packRepo } from './housekeeping.ts'
import { registryFor } from './locate.ts'
import { createRepo } from './repos.ts'

export function adminRepos(ctx: OpsContext): AdminRepoOps {
  return {
    async create(principal, { registry: name, type, namespace, name: repoName, private: isPrivate }) {
      const registry = await registryFor(ctx, name)
      // A Space without an SDK serves its files; nothing here runs one anyway.
      const sdk = type === 'space' ? 'static' : null
      const request = {
        registry,
        type,
        namespace,
        name: repoName,
        private: isPrivate,
        sdk,
        license: null,
        files: [],
        initialCommit: true,
        lfsMultipartAboveBytes: null,
      }
      return viewOf(await createRepo(ctx, principal, request))
    },
    async delete(principal, { registry: name, type, namespace, name: repoName, now }) {
      const registry = await registryFor(ctx, name)
      await deleteRepo(ctx, principal, { registry, type, namespace, name: repoName }, { grace: !now })
      return { id: `${namespace}/${repoName}`, type, deleted: true }
    },
    async restore(principal, { registry: name, type, namespace, name: repoName, as }) {
      const registry = await registryFor(ctx, name)
      return viewOf(await restoreRepo(ctx, principal, { registry, type, namespace, name: repoName }, as))
    },
    async list(principal, { registry: name, limit, deleted }) {
      assertInstanceAdmin(principal)
      const { id } = await registryFor(ctx, name)
      if (!deleted) return (await ctx.catalog.rows.repos.list(id, null, limit)).map(viewOf)
      return (await listDeletedRepos(ctx, principal, id, limit)).map((repo) => ({
        ...viewOf(repo),
        deletedAt: formatDate(repo.deletedAt ?? 0),
        restorableUntil: formatDate(purgeTime(ctx, repo.deletedAt ?? 0)),
      }))
    },
    async repack(principal, { registry: name, type, namespace, name: repoName, prune }) {
      assertInstanceAdmin(principal)
      const registry = await registryFor(ctx, name)
      const repo = await repoFor(ctx, principal, { registry, type, namespace, name: repoName }, 'admin')
      return { id: formatRepoId(repo), type: repo.type, ...(await packRepo(ctx, repo, prune)) }
    },
  }
}

function viewOf(repo: RepoRow): object {
  return {
    id: formatRepoId(repo),
    type: repo.type,
    private: repo.private,
    storageId: repo.id,
    createdAt: formatDate(repo.createdAt),
    lastModified: formatDate(repo.lastModified),
  }
}
