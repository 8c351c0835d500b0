/** Repositories for administrators, by the names of registry, namespace and repository. */
import { formatDate } from '@cairn/protocol/api/dates'
import { formatRepoId } from '@cairn/protocol/repo-id'

import type { RepoRow } from '../store/catalog/catalog.ts'
import { assertInstanceAdmin } from './access.ts'
import type { AdminRepoOps } from './admin.ts'
import type { OpsContext } from './context.ts'
import { registryFor } from './locate.ts'
import { createRepo, deleteRepo } from './repos.ts'

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
      }
      return viewOf(await createRepo(ctx, principal, request))
    },
    async delete(principal, { registry: name, type, namespace, name: repoName }) {
      await deleteRepo(ctx, principal, {
        registry: await registryFor(ctx, name),
        type,
        namespace,
        name: repoName,
      })
      return { id: `${namespace}/${repoName}`, type, deleted: true }
    },
    async list(principal, { registry: name, limit }) {
      assertInstanceAdmin(principal)
      return (await ctx.catalog.rows.repos.list((await registryFor(ctx, name)).id, null, limit)).map(viewOf)
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
