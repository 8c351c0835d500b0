/** What a request looks up: the reads of the catalog and of git, in their order. */
import type { TestHub } from '@cairn/testkit/start-hub'

/** What jobs look up would be counted with the requests: from now on they find nothing to do. */
export function stopJobs({ hub }: TestHub): void {
  hub.ops.catalog.rows.outbox.count = () => Promise.resolve(0)
}

/** Rows that requests and jobs read beside the question of who may see what. */
const BESIDE: ReadonlySet<string> = new Set(['outbox', 'downloads'])

export interface Lookups {
  clear(): void
  /** As `group.method`. */
  made(): string[]
}

type Methods = Record<string, (...args: unknown[]) => unknown>

export function countLookups({ hub }: TestHub): Lookups {
  const made: string[] = []
  const watch = (group: string, target: Methods): void => {
    for (const name of methodsOf(target)) {
      const own = target[name]
      if (own === undefined) continue
      target[name] = (...args) => {
        made.push(`${group}.${name}`)
        return own.apply(target, args)
      }
    }
  }
  for (const [group, rows] of Object.entries(hub.ops.catalog.rows))
    if (!BESIDE.has(group)) watch(group, rows as unknown as Methods)
  watch('git', hub.ops.git as unknown as Methods)
  return { clear: () => void made.splice(0), made: () => [...made] }
}

/** Its own and those of its class. */
function methodsOf(target: Methods): string[] {
  const names = new Set(Object.keys(target))
  const prototype = Object.getPrototypeOf(target) as object | null
  if (prototype !== null && prototype !== Object.prototype)
    for (const name of Object.getOwnPropertyNames(prototype)) names.add(name)
  names.delete('constructor')
  return [...names].filter((name) => typeof target[name] === 'function')
}
