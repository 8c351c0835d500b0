/**
 * Routes of the Hub that this hub knows and does not have. They answer 501 with a reason, so that a client sees the
 * cause and no script takes a 200 for an effect. A row leaves this table when its route arrives.
 */
import { HubError } from '@cairn/protocol/errors'

import type { Method, Route } from '../route.ts'

/** What is missing, as the caller reads it, and its routes as `METHOD path`. */
const ABSENT: Readonly<Record<string, readonly string[]>> = {
  'Searching by meaning, documentation and leaderboards': [
    'GET /api/spaces/semantic-search',
    'GET /api/docs',
    'GET /api/docs/search',
    'GET {api}/leaderboard',
  ],
  'Resource groups': ['POST {api}/resource-group', 'GET {api}/resource-group'],
  'Notebooks, tokens and scans of a repository': ['GET {api}/notebook/*', 'GET {api}/jwt', 'GET {api}/scan'],
  'Discussions and pull requests': [
    'GET {api}/discussions',
    'POST {api}/discussions',
    'GET {api}/discussions/:num',
    'POST {api}/discussions/:num/comment',
    'POST {api}/discussions/:num/comment/:comment/edit',
    'POST {api}/discussions/:num/comment/:comment/hide',
    'POST {api}/discussions/:num/title',
    'POST {api}/discussions/:num/status',
    'POST {api}/discussions/:num/merge',
    'POST {api}/discussions/:num/pin',
    'DELETE {api}/discussions/:num/ref',
    'GET {api}/discussions/:num/storage',
  ],
  'Gated access': [
    'GET {api}/user-access-request/:status',
    'POST {api}/user-access-request/handle',
    'POST {api}/user-access-request/grant',
    'POST {api}/user-access-request/batch',
    'POST {api}/user-access-request/cancel',
    'POST {web}/ask-access',
    'GET {web}/user-access-report',
  ],
  Collections: [
    'GET /api/collections',
    'POST /api/collections',
    'GET /api/collections/*',
    'PATCH /api/collections/*',
    'DELETE /api/collections/*',
    'POST /api/collections/*',
  ],
  'Running Spaces': [
    'GET /api/spaces/hardware',
    'GET /api/spaces/templates',
    ...['runtime', 'metrics', 'events', 'secrets', 'variables', 'logs/run', 'logs/build'].map(
      (name) => `GET /api/spaces/:namespace/:name/${name}`,
    ),
    ...['hardware', 'sleeptime', 'pause', 'restart', 'dev-mode', 'storage', 'secrets', 'variables'].map(
      (name) => `POST /api/spaces/:namespace/:name/${name}`,
    ),
    ...['storage', 'secrets', 'variables', 'volumes'].map(
      (name) => `DELETE /api/spaces/:namespace/:name/${name}`,
    ),
    'PUT /api/spaces/:namespace/:name/volumes',
  ],
  "Revoking a member's token": ['POST /api/organizations/:org/settings/tokens/revoke'],
  Webhooks: [
    'GET /api/settings/webhooks',
    'POST /api/settings/webhooks',
    'GET /api/settings/webhooks/:id',
    'POST /api/settings/webhooks/:id',
    'DELETE /api/settings/webhooks/:id',
    'POST /api/settings/webhooks/:id/enable',
    'POST /api/settings/webhooks/:id/disable',
    'POST /api/settings/webhooks/:id/replay/:log',
  ],
  Notifications: [
    'GET /api/notifications',
    'POST /api/notifications',
    'PATCH /api/settings/notifications',
    'PATCH /api/settings/watch',
  ],
  'Billing, provisioning and service accounts': [
    'GET /api/users/:user/billing/usage/live',
    'GET /api/organizations/:org/audit-log/export',
    'GET /api/organizations/:org/billing/*',
    'GET /api/organizations/:org/resource-groups',
    'POST /api/organizations/:org/resource-groups',
    'GET /api/organizations/:org/scim/v2/*',
    'POST /api/organizations/:org/scim/v2/*',
    'GET /api/organizations/:org/service-accounts',
    'POST /api/organizations/:org/service-accounts',
    'GET /api/organizations/:org/settings/network-security',
    'GET /api/settings/mcp',
    'GET /api/settings/billing/*',
    'POST /api/agentic/provisioning/*',
  ],
  'Posts and blogs': ['POST /api/posts/*', 'DELETE /api/posts/*', 'POST /api/blog/*'],
  'Consoles, events and metrics of a repository': [
    'POST {api}/sql-console/embed',
    'PATCH {api}/sql-console/embed/:id',
    'GET /api/models/:namespace/:name/events',
    'GET /api/models/:namespace/:name/metrics',
    'GET /api/datasets/:namespace/:name/events',
    'GET /api/datasets/:namespace/:name/metrics',
    'GET /api/spaces/zero-gpu/quota',
    'GET /api/registry/token',
    'GET /.well-known/openapi.json',
  ],
  Papers: [
    'GET /api/papers',
    'GET /api/papers/search',
    'GET /api/papers/:id',
    'GET /api/daily_papers',
    'POST /api/papers/index',
    'POST /api/papers/:id/links',
    'POST /api/papers/:id/comment',
    'POST /api/settings/papers/claim',
  ],
  Jobs: [
    'GET /api/jobs/*',
    'POST /api/jobs/*',
    'PUT /api/jobs/*',
    'GET /api/scheduled-jobs/*',
    'POST /api/scheduled-jobs/*',
    'PUT /api/scheduled-jobs/*',
    'DELETE /api/scheduled-jobs/*',
  ],
  Buckets: [
    'GET /api/buckets/*',
    'POST /api/buckets/*',
    'PUT /api/buckets/*',
    'DELETE /api/buckets/*',
    'GET /buckets/*',
  ],
  Kernels: ['GET /api/kernels', 'GET /api/kernels/*', 'GET /kernels/*'],
  'Logging in by browser or by identity token': [
    'POST /oauth/token',
    'GET /oauth/authorize',
    'GET /oauth/userinfo',
    'POST /oauth/register',
    'GET /.well-known/openid-configuration',
  ],
}

export const absentRoutes: readonly Route[] = Object.entries(ABSENT).flatMap(([feature, rows]) =>
  rows.map((row): Route => {
    const [method = 'GET', path = ''] = row.split(' ')
    return {
      method: method as Method,
      path,
      hub: row,
      absent: true,
      handle: () => Promise.reject(new HubError('NotImplemented', `${feature}: not supported by this hub`)),
    }
  }),
)
