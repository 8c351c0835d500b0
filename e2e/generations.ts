/**
 * The client generations that the round trip is made with, and where. With CAIRN_MATRIX=full (`npm run matrix`) that is
 * all of them, at the root and under a prefix, over Xet and over LFS; without it what `inTest` says.
 */
export interface Generation {
  version: string
  /** What it consists of, below `e2e/`; null for what `npm ci` brings. */
  requirements: string | null
  /** What of its traffic can go over Xet. */
  xet: 'nothing' | 'downloads' | 'all'
  inTest: 'everywhere' | 'root over Xet' | 'nowhere'
}

export interface Setting extends Generation {
  mount: 'root' | 'prefix'
  usesXet: boolean
  isNewest: boolean
  label: string
}

/** Whether this run is of `npm run matrix`, with the clients that are many or heavy. */
export const isFull = process.env['CAIRN_MATRIX'] === 'full'

const python: readonly Generation[] = [
  { version: '0.19.4', requirements: 'requirements-0.19.txt', xet: 'nothing', inTest: 'everywhere' },
  { version: '0.23.5', requirements: 'requirements-0.23.txt', xet: 'nothing', inTest: 'nowhere' },
  { version: '0.28.1', requirements: 'requirements-0.28.txt', xet: 'nothing', inTest: 'nowhere' },
  { version: '0.33.5', requirements: 'requirements-0.33.txt', xet: 'all', inTest: 'root over Xet' },
  { version: '0.36.2', requirements: 'requirements-0.36.txt', xet: 'all', inTest: 'nowhere' },
  { version: '1.1.7', requirements: 'requirements-1.1.txt', xet: 'all', inTest: 'nowhere' },
  { version: '1.19.0', requirements: 'requirements-1.19.txt', xet: 'all', inTest: 'nowhere' },
  { version: '1.33.0', requirements: 'requirements-1.33.txt', xet: 'all', inTest: 'nowhere' },
  { version: '2.4.0', requirements: 'requirements-newest.txt', xet: 'all', inTest: 'everywhere' },
]

const js: readonly Generation[] = [
  { version: '0.15.2', requirements: 'requirements-js-0.15.json', xet: 'nothing', inTest: 'nowhere' },
  { version: '1.1.2', requirements: 'requirements-js-1.1.json', xet: 'nothing', inTest: 'nowhere' },
  { version: '2.0.1', requirements: 'requirements-js-2.0.json', xet: 'downloads', inTest: 'nowhere' },
  { version: '2.17.5', requirements: null, xet: 'all', inTest: 'everywhere' },
]

const walked = ({ inTest }: Generation): boolean => isFull || inTest !== 'nowhere'
export const pythonGenerations = python.filter(walked)
export const jsGenerations = js.filter(walked)

export function settingsOf(generations: readonly Generation[]): Setting[] {
  const newest = generations.at(-1)?.version
  const all = generations.flatMap((generation) =>
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
  const isPostgres = process.env['CAIRN_TEST_DATABASE'] === 'postgres'
  return all.filter(({ inTest, mount, usesXet }) => {
    const isEverywhere = isFull || inTest === 'everywhere'
    // Where the rows lie makes no difference to a prefix, or to how a client speaks of Xet: one engine is enough.
    return isPostgres ? isEverywhere && mount === 'root' : isEverywhere || (mount === 'root' && usesXet)
  })
}
