/**
 * How a route is written: data and a function from a call to a reply. The files under routes/ are the URL space;
 * API.md is generated from these tables.
 */
import type { IncomingMessage } from 'node:http'

import type { Principal, RepoLocator } from '../ops/access.ts'
import type { AdminDeps } from '../ops/admin.ts'
import type { OpsContext } from '../ops/context.ts'
import type { Query } from './query.ts'
import type { Reply } from './reply.ts'
import type { Site } from './urls.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE' | 'PATCH'

export interface Route {
  method: Method
  /**
   * Fastify's pattern. `{api}` stands for `/api/{models|datasets|spaces}/:namespace/:name` and `{web}` for
   * `/:namespace/:name`, `/datasets/:namespace/:name` and `/spaces/:namespace/:name`. GET answers HEAD too.
   */
  path: string
  /** The Hub's counterpart as the API reference spells it, or null when the route is ours alone. */
  hub: string | null
  /** One line for API.md where we differ knowingly. */
  quirk?: string
  /** The route judges the credential itself: a CAS token, or the signature of the address. Its principal is anonymous. */
  ownCredential?: true
  /** The route only says that it does not exist yet. */
  absent?: true
  handle: (call: Call) => Promise<Reply>
}

/** One request, parsed as far as every route needs it. */
export interface Call {
  ops: OpsContext
  admin: AdminDeps
  principal: Principal
  site: Site
  registry: RepoLocator['registry']
  requestId: string
  method: string
  /** Path and query as routed, still encoded. */
  url: string
  query: Query
  params: Record<string, string>
  headers: IncomingMessage['headers']
  /** Where it comes from, and the program that it says it is. */
  client: { address: string; userAgent: string }
  /** The unread body. */
  body: IncomingMessage
  /** Set on `{api}` and `{web}` routes. */
  repo: RepoLocator
  /** Encoded segments that the pattern's `*` matched. */
  rest: readonly string[]
  /** Aborted when the client went away. No getter: V8 makes a class of objects for each literal that has one. */
  signal: () => AbortSignal
}
