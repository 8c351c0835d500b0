/**
 * The client generations that the round trip is made with. A run has those marked `always`; with CAIRN_MATRIX=full
 * (`npm run matrix`) all of them.
 */
export interface Generation {
  version: string
  /** What it consists of, below `e2e/`; null for what `npm ci` brings. */
  requirements: string | null
  /** What of its traffic can go over Xet. */
  xet: 'nothing' | 'downloads' | 'all'
  always: boolean
}

const isFull = process.env['CAIRN_MATRIX'] === 'full'

const python: readonly Generation[] = [
  { version: '0.19.4', requirements: 'requirements-0.19.txt', xet: 'nothing', always: true },
  { version: '0.23.5', requirements: 'requirements-0.23.txt', xet: 'nothing', always: false },
  { version: '0.28.1', requirements: 'requirements-0.28.txt', xet: 'nothing', always: false },
  { version: '0.33.5', requirements: 'requirements-0.33.txt', xet: 'all', always: true },
  { version: '0.36.2', requirements: 'requirements-0.36.txt', xet: 'all', always: false },
  { version: '1.1.7', requirements: 'requirements-1.1.txt', xet: 'all', always: false },
  { version: '1.19.0', requirements: 'requirements-1.19.txt', xet: 'all', always: false },
  { version: '1.33.0', requirements: 'requirements-1.33.txt', xet: 'all', always: false },
  { version: '2.4.0', requirements: 'requirements-newest.txt', xet: 'all', always: true },
]

const js: readonly Generation[] = [
  { version: '0.15.2', requirements: 'requirements-js-0.15.json', xet: 'nothing', always: false },
  { version: '1.1.2', requirements: 'requirements-js-1.1.json', xet: 'nothing', always: false },
  { version: '2.0.1', requirements: 'requirements-js-2.0.json', xet: 'downloads', always: false },
  { version: '2.17.5', requirements: null, xet: 'all', always: true },
]

export const pythonGenerations = python.filter(({ always }) => isFull || always)
export const jsGenerations = js.filter(({ always }) => isFull || always)

/** Each generation at both mounts, with its Xet where it has one and without. */
export function settingsOf(
  generations: readonly Generation[],
): (Generation & { mount: 'root' | 'prefix'; usesXet: boolean; isNewest: boolean; label: string })[] {
  const newest = generations.at(-1)?.version
  return generations.flatMap((generation) =>
    (['root', 'prefix'] as const).flatMap((mount) =>
      (generation.xet === 'nothing' ? [false] : [true, false]).map((usesXet) => ({
        ...generation,
        mount,
        usesXet,
        isNewest: generation.version === newest,
        label: `${generation.version} over ${usesXet ? 'Xet' : 'LFS'} at the ${mount}`,
      })),
    ),
  )
}
