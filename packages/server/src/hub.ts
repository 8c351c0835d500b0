/** A hub that knows accounts and administration only. */
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { isIPv6, type AddressInfo } from 'node:net'

import { HubError } from '@cairn/protocol/errors'
import type { Logger } from 'pino'

import type { Config } from './config.ts'
import type { DataDir } from './data-dir.ts'
import type { Principal } from './ops/access.ts'
import { admin, type AdminDeps } from './ops/admin.ts'
import type { AccountDeps } from './ops/change.ts'
import { hashToken } from './ops/token-string.ts'
import { whoami } from './ops/whoami.ts'
import { openSqliteCatalog } from './store/catalog/sqlite.ts'

export interface Hub {
  readonly deps: AccountDeps
  /** The address it listens on, e.g. `http://0.0.0.0:8080`. */
  listen(): Promise<{ url: string }>
  /** As the operator. */
  admin(request: unknown): Promise<unknown>
  close(): Promise<void>
}

export async function createHub(config: Config, dataDir: DataDir, log: Logger): Promise<Hub> {
  const catalog = await openSqliteCatalog({ path: dataDir.catalogPath })
  const absent = (): never => {
    throw new HubError('NotImplemented')
  }
  const deps: AdminDeps = {
    catalog,
    clock: Date.now,
    random: randomBytes,
    repos: { create: absent, delete: absent, list: absent },
  }
  async function principalOf(authorization = ''): Promise<Principal> {
    const found = await catalog.rows.tokens.getByHash(hashToken(authorization.replace(/^Bearer /, '')))
    if (found === null) throw new HubError('InvalidCredentials')
    const { token, account } = found
    return {
      kind: 'user',
      accountId: account.id,
      name: account.name,
      isAdmin: account.isAdmin,
      tokenId: token.id,
      tokenRole: token.role,
      grants: token.grants,
    }
  }
  const server = createServer((request, response) => {
    void (async () => {
      try {
        let text = ''
        for await (const chunk of request) text += String(chunk)
        let answer: unknown = { status: 'ok' }
        if (request.url === '/api/admin')
          answer = await admin(deps, await principalOf(request.headers.authorization), JSON.parse(text))
        if (request.url === '/api/whoami-v2')
          answer = await whoami(deps, await principalOf(request.headers.authorization))
        response.end(JSON.stringify(answer))
      } catch (error) {
        if (!(error instanceof HubError)) log.error({ err: error }, 'request failed')
        response.statusCode = error instanceof HubError ? error.status : 500
        response.end(JSON.stringify({ error: error instanceof HubError ? error.message : 'Internal error' }))
      }
    })()
  })
  return {
    deps,
    async listen() {
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(config.port, config.host, resolve)
      })
      const { port } = server.address() as AddressInfo
      return { url: `http://${isIPv6(config.host) ? `[${config.host}]` : config.host}:${port}` }
    },
    admin: (request) => admin(deps, { kind: 'operator' }, request),
    async close() {
      server.close()
      server.closeAllConnections()
      await catalog[Symbol.asyncDispose]()
    },
  }
}
