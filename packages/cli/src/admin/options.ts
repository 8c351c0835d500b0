/** What several commands of administration take, and say. */
import { UsageError } from '../io.ts'
import type { Target } from './send.ts'

export type Options = Record<string, string | boolean | number | undefined>

export function targetOf(options: Options): Target {
  return {
    data: options['data'] as string | undefined,
    endpoint: options['endpoint'] as string | undefined,
  }
}

export function repoArgs(id: string | undefined, options: Options): Record<string, unknown> {
  return { type: options['type'], registry: options['registry'], ...repoName(id) }
}

export function repoName(id: string | undefined): { namespace: string; name: string } {
  const [namespace, name, ...rest] = (id ?? '').split('/')
  if (!namespace || !name || rest.length > 0)
    throw new UsageError(`'${id}' is not a repository: give NAMESPACE/NAME`)
  return { namespace, name }
}

export function summarizeCheck({
  repositories = 0,
  largeFiles = 0,
  xorbs = 0,
}: Record<string, number>): string {
  return `${repositories} repositories, ${largeFiles} large files and ${xorbs} xorbs checked`
}
