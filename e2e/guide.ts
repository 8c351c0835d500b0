/** The lines that docs/clients.md gives to users of a program which only the full matrix has. */
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const page = join(dirname(fileURLToPath(import.meta.url)), '..', 'docs', 'clients.md')

/** Blocks of one language under the `##` heading that begins with `section`. */
export async function guideBlocks(section: string, language: string): Promise<string[]> {
  const text = await readFile(page, 'utf8')
  const part = text.split(/^## /m).find((candidate) => candidate.startsWith(section)) ?? ''
  const blocks = [...part.matchAll(/^```(\w+)[^\n]*\n([\s\S]*?)^```$/gm)]
  return blocks.flatMap(([, found, code = '']) => (found === language ? [code] : []))
}
