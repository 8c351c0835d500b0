/**
 * The fenced blocks of a page as programs. `sh`, `python` and `js` are programs as they stand, and a `text` block right
 * behind one is what it prints; a `console` block is commands after `$ ` with what each prints. Words after the
 * language say what a block needs: `env=tables`; or `skip="why it cannot run here"`, which a block of any language may.
 */
export interface Snippet {
  /** Of the opening fence, counted from 1. */
  line: number
  /** The `##` heading that it is under. */
  section: string
  language: string
  needs: Readonly<Record<string, string>>
  code: string
  /** What it prints, when the page shows that. */
  output: string | null
}

export interface ConsoleStep {
  command: string
  output: string
}

const programLanguages = new Set(['sh', 'python', 'js', 'console'])
const fence = /^```(?<language>\w*)(?<needs>.*)$/

/** Throws at a block that would neither run nor be compared: each is a program, an output, or said to be neither. */
export function snippetsOf(page: string): Snippet[] {
  const lines = page.split('\n')
  const snippets: Snippet[] = []
  let section = ''
  /** The program whose output may come next: nothing but empty lines has followed it. */
  let latest: Snippet | null = null
  for (let index = 0; index < lines.length; index += 1) {
    const text = lines[index] ?? ''
    const opening = fence.exec(text)?.groups
    if (text.startsWith('## ')) section = text.slice(3)
    if (opening === undefined) {
      if (text !== '') latest = null
      continue
    }
    const line = index + 1
    const end = lines.indexOf('```', line)
    if (end === -1) throw new Error(`line ${line}: this block has no end`)
    const { language = '' } = opening
    const needs = needsOf(opening['needs'] ?? '')
    const code = `${lines.slice(line, end).join('\n')}\n`
    index = end
    if (programLanguages.has(language) || needs['skip'] !== undefined) {
      latest = { line, section, language, needs, code, output: null }
      snippets.push(latest)
    } else if (language === 'text' && latest !== null) latest.output = code
    else throw new Error(`line ${line}: a '${language}' block is no program, nor the output of one`)
  }
  return snippets
}

function needsOf(words: string): Record<string, string> {
  const pairs = words.matchAll(/(?<name>\w+)=(?:"(?<quoted>[^"]*)"|(?<bare>\S+))/g)
  return Object.fromEntries(
    [...pairs].map(({ groups }) => [groups!['name'], groups!['quoted'] ?? groups!['bare']]),
  ) as Record<string, string>
}

/** Commands begin with `$ `; a line behind one that ends in `\` or `|` goes on with it. */
export function consoleSteps(code: string): ConsoleStep[] {
  const steps: ConsoleStep[] = []
  let isOpen = false
  for (const line of code.trimEnd().split('\n')) {
    const step = steps.at(-1)
    if (isOpen && step !== undefined) step.command += `\n${line}`
    else if (line.startsWith('$ ')) steps.push({ command: line.slice(2), output: '' })
    else if (step !== undefined) step.output += `${line}\n`
    else throw new Error(`a console block must begin with a command, not with '${line}'`)
    isOpen = /[\\|]$/.test(line) && (isOpen || line.startsWith('$ '))
  }
  return steps
}

/** Ids and dates are new in each run. */
const passing: readonly [RegExp, string][] = [
  [/\b[0-9a-f]{40}\b/g, '<commit>'],
  [/\b[0-9a-f]{24}\b/g, '<id>'],
  [/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>'],
]

/** Whether a program printed what the page shows. `…` stands for anything; alone on a line, for any lines. */
export function printsAsShown(shown: string, printed: string): boolean {
  const [pattern, text] = [shown, printed].map((side) =>
    passing.reduce((rest, [found, name]) => rest.replace(found, name), side).trimEnd(),
  ) as [string, string]
  const source = pattern
    .split('\n')
    .map((line) =>
      line
        .split('…')
        .map((words) => RegExp.escape(words))
        .join('.*'),
    )
    .join('\n')
    .replaceAll(/^\.\*$/gm, '[^]*')
  return new RegExp(`^${source}$`).test(text)
}
