/** Every route there is. The order does not matter: Fastify prefers the more specific pattern. */
import type { Route } from '../route.ts'
import { absentRoutes } from './absent.ts'
import { adminRoutes } from './api/admin.ts'
import { avatarRoutes } from './api/avatars.ts'
import { discoverRoutes } from './api/discover.ts'
import { listRoutes } from './api/list.ts'
import { organizationRoutes } from './api/organizations.ts'
import { authCheckRoutes } from './api/repo/auth-check.ts'
import { commitRoutes } from './api/repo/commit.ts'
import { compareRoutes } from './api/repo/compare.ts'
import { downloadRoutes } from './api/repo/downloads.ts'
import { duplicateRoutes } from './api/repo/duplicate.ts'
import { infoRoutes } from './api/repo/info.ts'
import { lfsFilesRoutes } from './api/repo/lfs-files.ts'
import { likeRoutes } from './api/repo/like.ts'
import { pathsInfoRoutes } from './api/repo/paths-info.ts'
import { preuploadRoutes } from './api/repo/preupload.ts'
import { refRoutes } from './api/repo/refs.ts'
import { settingsRoutes } from './api/repo/settings.ts'
import { superSquashRoutes } from './api/repo/super-squash.ts'
import { treeRoutes } from './api/repo/tree.ts'
import { treeSizeRoutes } from './api/repo/treesize.ts'
import { xetTokenRoutes } from './api/repo/xet-token.ts'
import { createRoutes } from './api/repos/create.ts'
import { deleteRoutes } from './api/repos/delete.ts'
import { moveRoutes } from './api/repos/move.ts'
import { repositorySettingsRoutes } from './api/settings/repositories.ts'
import { tokenSettingsRoutes } from './api/settings/tokens.ts'
import { userRoutes } from './api/users.ts'
import { userLikesRoutes } from './api/users/likes.ts'
import { validateYamlRoutes } from './api/validate-yaml.ts'
import { whoamiRoutes } from './api/whoami-v2.ts'
import { reconstructionRoutes } from './cas/reconstructions.ts'
import { shardRoutes } from './cas/shards.ts'
import { xorbRoutes } from './cas/xorbs.ts'
import { gitRoutes } from './git.ts'
import { healthRoutes } from './health.ts'
import { lfsLockRoutes } from './lfs-locks.ts'
import { lfsRoutes } from './lfs.ts'
import { metricsRoutes } from './metrics.ts'
import { oauthRoutes } from './oauth.ts'
import { resolveRoutes } from './resolve.ts'
import { v2Routes } from './v2.ts'

export const routes: readonly Route[] = [
  ...healthRoutes,
  ...metricsRoutes,
  ...whoamiRoutes,
  ...validateYamlRoutes,
  ...createRoutes,
  ...deleteRoutes,
  ...moveRoutes,
  ...settingsRoutes,
  ...duplicateRoutes,
  ...authCheckRoutes,
  ...likeRoutes,
  ...userLikesRoutes,
  ...listRoutes,
  ...discoverRoutes,
  ...infoRoutes,
  ...treeRoutes,
  ...pathsInfoRoutes,
  ...refRoutes,
  ...superSquashRoutes,
  ...compareRoutes,
  ...treeSizeRoutes,
  ...lfsFilesRoutes,
  ...preuploadRoutes,
  ...commitRoutes,
  ...xetTokenRoutes,
  ...resolveRoutes,
  ...lfsRoutes,
  ...lfsLockRoutes,
  ...gitRoutes,
  ...xorbRoutes,
  ...shardRoutes,
  ...reconstructionRoutes,
  ...oauthRoutes,
  ...userRoutes,
  ...organizationRoutes,
  ...avatarRoutes,
  ...repositorySettingsRoutes,
  ...tokenSettingsRoutes,
  ...downloadRoutes,
  ...adminRoutes,
  ...v2Routes,
  ...absentRoutes,
]
