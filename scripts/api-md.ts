/**
 * API.md from the route tables: `npm run api-md` writes it, test/api-md.test.ts notices when it is stale. The file of
 * a route is found by importing every file under routes/ and looking for the table that the route is a row of.
 */
import { glob, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

import type { Route } from '@cairn/server/http/route'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const routesFolder = 'packages/server/src/http/routes'

/** Where API.md lies. */
export const apiMdPath: string = join(root, 'API.md')

/** A part of the URL space; a route belongs to the first one that matches its path. */
const AREAS: readonly { title: string; paths: RegExp }[] = [
  { title: 'The hub itself', paths: /^\/(?:health|api\/admin)$/ },
  { title: 'Who asks', paths: /^\/(?:api\/whoami-v2$|oauth\/|\.well-known\/)/ },
  { title: 'Making and deleting repositories', paths: /^\/api\/(?:repos\/|validate-yaml$)/ },
  { title: 'One repository', paths: /^\{api\}/ },
  { title: 'Git LFS', paths: /^\{web\}\/info\/lfs\// },
  { title: 'Files, and git over HTTP', paths: /^\{web\}/ },
  { title: 'Xet content', paths: /^\/cas\// },
  { title: 'Pulling GGUF models: Ollama, older llama.cpp', paths: /^\/v2\// },
  { title: 'Running Spaces', paths: /^\/api\/spaces\/:namespace\// },
  { title: 'Everything else', paths: /^/ },
]

/** The tables under routes/, by file, and the one that the server mounts. */
export async function readRouteTables(): Promise<{
  mounted: readonly Route[]
  tables: { file: string; table: readonly Route[] }[]
}> {
  const files = await Array.fromAsync(glob('**/*.ts', { cwd: join(root, routesFolder) }))
  const tables: { file: string; table: readonly Route[] }[] = []
  let mounted: readonly Route[] = []
  for (const file of files.toSorted()) {
    if (file.endsWith('.test.ts')) continue
    const url = pathToFileURL(join(root, routesFolder, file)).href
    const values = Object.values((await import(url)) as Record<string, unknown>)
    for (const table of values.filter(isRouteTable)) {
      if (file === 'index.ts') mounted = table
      else tables.push({ file, table })
    }
  }
  return { mounted, tables }
}

function isRouteTable(value: unknown): value is readonly Route[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((row: Partial<Route>) => typeof row.path === 'string' && typeof row.handle === 'function')
  )
}

export async function renderApiMd(): Promise<string> {
  const { mounted, tables } = await readRouteTables()
  const fileOf = (route: Route): string => {
    const owner = tables.find(({ table }) => table.includes(route))
    if (owner === undefined) throw new Error(`${route.method} ${route.path} is in no file's exported table`)
    return owner.file
  }
  const absentCount = mounted.filter(({ absent }) => absent).length
  const sections = AREAS.map(({ title, paths }) => {
    const rows = mounted.filter(({ path }) => AREAS.find((area) => area.paths.test(path))?.paths === paths)
    // A stable sort: within done and absent the order is that of the tables.
    const sorted = rows.toSorted((a, b) => Number(a.absent ?? false) - Number(b.absent ?? false))
    return rows.length === 0 ? '' : `\n## ${title}\n\n${formatTable(sorted, fileOf)}\n`
  })
  return `# The HTTP API, route by route

Generated from the route tables by \`npm run api-md\`; edit those. ${mounted.length - absentCount} routes are there,
${absentCount} more of the Hub's answer 501 with a reason.

- \`{api}\` stands for \`/api/models/:namespace/:name\`, \`/api/datasets/…\` and \`/api/spaces/…\`; \`{web}\` for
  \`/:namespace/:name\`, \`/datasets/…\` and \`/spaces/…\`, each with or without \`.git\`. GET answers HEAD too.
- Under a registry's prefix (\`/{org}/{registry}/huggingface\`) all routes are the same.
- File: below \`${routesFolder}/\`. Hub: the route of the Hub that it stands for; *ours* when there is none.
- **done**: as clients of the Hub expect it. **quirk**: done, and knowingly different in one way. **absent**: answers 501.
- What all routes share (errors, pages, private repositories) is in [docs/api-design.md](docs/api-design.md).
${sections.join('')}`
}

function formatTable(routes: readonly Route[], fileOf: (route: Route) => string): string {
  const rows = routes.map((route) => {
    const { method, path, hub, quirk, absent } = route
    const state = absent ? 'absent' : quirk === undefined ? 'done' : `quirk: ${quirk}`
    const cells = [
      `\`${method} ${path}\``,
      `\`${fileOf(route)}\``,
      hub === null ? '*ours*' : `\`${hub}\``,
      state,
    ]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return ['| Route | File | Hub | State |', '|---|---|---|---|', ...rows].join('\n')
}

if (import.meta.main) await writeFile(apiMdPath, await renderApiMd())
