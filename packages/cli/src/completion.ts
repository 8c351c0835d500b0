/** Completion scripts, made from the commands themselves so that they cannot fall behind. */
import type { Command } from 'commander'

import { UsageError } from './io.ts'

interface Place {
  /** Words before the cursor, e.g. `admin user`. */
  path: string
  words: { word: string; description: string }[]
}

export function completionScript(program: Command, shell: string): string {
  const places = placesOf(program, [])
  switch (shell) {
    case 'bash':
      return bashScript(places)
    case 'zsh':
      // zsh runs bash's completion functions.
      return `autoload -Uz bashcompinit && bashcompinit\n${bashScript(places)}`
    case 'fish':
      return fishScript(places)
    default:
      throw new UsageError(`there is no completion for '${shell}': choose bash, zsh or fish`)
  }
}

function placesOf(command: Command, path: readonly string[]): Place[] {
  const words = [
    ...command.commands.map((c) => ({ word: c.name(), description: c.description() })),
    ...command.options.flatMap(({ long, description }) => (long ? [{ word: long, description }] : [])),
    { word: '--help', description: 'display help' },
  ]
  return [
    { path: path.join(' '), words },
    ...command.commands.flatMap((c) => placesOf(c, [...path, c.name()])),
  ]
}

function bashScript(places: readonly Place[]): string {
  const cases = places.map(
    ({ path, words }) => `    '${path}') words='${words.map((w) => w.word).join(' ')}' ;;`,
  )
  const paths = places.map(({ path }) => `'${path}'`).join('|')
  return `_cairn() {
  local path= next i words
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${path:+$path }\${COMP_WORDS[i]}"
    case "$next" in ${paths}) path="$next" ;; esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _cairn cairn
`
}

function fishScript(places: readonly Place[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`
  const paths = places.flatMap(({ path }) => (path === '' ? [] : [quoted(path)])).join(' ')
  const lines = places.flatMap(({ path, words }) =>
    words.map(({ word, description }) => {
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`
      return `complete -c cairn -n "test (__cairn_path) = ${quoted(path)}" ${what} -d ${quoted(description)}`
    }),
  )
  return `function __cairn_path
  set -l path ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim -- "$path $word")
    contains -- "$next" ${paths}; and set path "$next"
  end
  echo "'$path'" | string trim -c "'"
end
${lines.join('\n')}
`
}
