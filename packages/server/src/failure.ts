/** Failures that an operator can mend: what happened and what to do, without a stack. */
import { HubError } from '@cairn/protocol/errors'

import { ConfigError } from './config.ts'
import { DataDirError } from './data-dir.ts'
import { BootstrapError } from './ops/bootstrap.ts'
import { CatalogUnavailableError, SchemaVersionError } from './store/catalog/catalog.ts'

/** One line, or null: the failure is a fault of the hub's own and deserves its stack. */
export function explainFailure(error: unknown): string | null {
  if (error instanceof BootstrapError) return `bootstrap: ${error.message}`
  if (error instanceof SchemaVersionError)
    return `${error.message}: start the version of Cairn that wrote it, or restore a backup; nothing was changed`
  if (error instanceof CatalogUnavailableError)
    return `the database ${error.place} cannot be used: ${error.reason}`
  if (error instanceof ConfigError || error instanceof DataDirError || error instanceof HubError)
    return error.message

  const { code, syscall, address, port } = error as NodeJS.ErrnoException & {
    address?: string
    port?: number
  }
  if (syscall !== 'listen' && syscall !== 'getaddrinfo' && syscall !== 'bind') return null
  const place = `${address ?? 'the host'}${port === undefined ? '' : ` port ${port}`}`
  if (code === 'EADDRINUSE')
    return `${place} is taken: stop the program that listens there, or choose another port with --port (0 picks a free one)`
  if (code === 'EACCES')
    return `${place} may not be used by this user: choose a port from 1024 on with --port`
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `this machine has no such address to listen on (${place}): choose another one with --host`
  return null
}
