/** Every route there is. The order does not matter: Fastify prefers the more specific pattern. */
import type { Route } from '../route.ts'
import { absentRoutes } from './absent.ts'
import { adminRoutes } from './api/admin.ts'
import { discoverRoutes } from './api/discover.ts'
import { listRoutes } from './api/list.ts'
import { commitRoutes } from './api/repo/commit.ts'
import { infoRoutes } from './api/repo/info.ts'
import { pathsInfoRoutes } from './api/repo/paths-info.ts'
import { preuploadRoutes } from './api/repo/preupload.ts'
import { refRoutes } from './api/repo/refs.ts'
import { treeRoutes } from './api/repo/tree.ts'
import { xetTokenRoutes } from './api/repo/xet-token.ts'
import { createRoutes } from './api/repos/create.ts'
import { deleteRoutes } from './api/repos/delete.ts'
import { validateYamlRoutes } from './api/validate-yaml.ts'
import { whoamiRoutes } from './api/whoami-v2.ts'
import { reconstructionRoutes } from './cas/reconstructions.ts'
import { shardRoutes } from './cas/shards.ts'
import { xorbRoutes } from './cas/xorbs.ts'
import { healthRoutes } from './health.ts'
import { lfsRoutes } from './lfs.ts'
import { oauthRoutes } from './oauth.ts'
import { resolveRoutes } from './resolve.ts'

export const routes: readonly Route[] = [
  ...healthRoutes,
  ...whoamiRoutes,
  ...validateYamlRoutes,
  ...createRoutes,
  ...deleteRoutes,
  ...listRoutes,
  ...discoverRoutes,
  ...infoRoutes,
  ...treeRoutes,
  ...pathsInfoRoutes,
  ...refRoutes,
  ...preuploadRoutes,
  ...commitRoutes,
  ...xetTokenRoutes,
  ...resolveRoutes,
  ...lfsRoutes,
  ...xorbRoutes,
  ...shardRoutes,
  ...reconstructionRoutes,
  ...oauthRoutes,
  ...adminRoutes,
  ...absentRoutes,
]
