/**
 * Log lines on stderr, so that what a person should read stays alone on stdout: JSON for programs, or a line of words for
 * people. Whatever is logged while a request is answered carries its id, and no line leaves with a secret in it.
 */
import { pino, type Logger } from 'pino'

import type { LogFormat, LogLevel } from './config.ts'
import { requestIds } from './ops/request-id.ts'

export interface LogChoice {
  level: LogLevel
  format: LogFormat
}

export function openLog({ level, format }: LogChoice, write: (line: string) => void = toStderr()): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: () => {
      const requestId = requestIds.getStore()
      return requestId === undefined ? {} : { requestId }
    },
  }
  return pino(options, {
    write: (line: string) => write(format === 'json' ? withoutSecrets(line) : inWords(withoutSecrets(line))),
  })
}

function toStderr(): (line: string) => void {
  // Synchronous, so that the last words of a dying process arrive.
  const stderr = pino.destination({ dest: 2, sync: true })
  return (line) => stderr.write(line)
}

/**
 * Tokens, credentials in headers and addresses, and signatures. Nobody logs them; but messages of errors come from
 * databases, git and clients, and may quote anything.
 */
const SECRETS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\bhf_\w{4,}/g, 'hf_[redacted]'],
  [/\b(bearer|basic)((?:\s|%20|\+)+)[\w.~+/=:%-]{4,}/gi, '$1$2[redacted]'],
  [/((?:x-amz-)?signature|token|access_?token|password|secret)(=|%3D)[^&\s"'\\]+/gi, '$1$2[redacted]'],
  [/\/\/[^/\s"'\\@]+@/g, '//[redacted]@'],
]

function withoutSecrets(line: string): string {
  return SECRETS.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line)
}

/** `12:34:56.789 ERROR request failed requestId=…`, and below it where an error came from. */
function inWords(line: string): string {
  const { time, level, msg, err, ...fields } = JSON.parse(line) as Record<string, unknown>
  const words = [
    String(time).slice(11, 23),
    String(level).toUpperCase().padEnd(5),
    typeof msg === 'string' ? msg : '',
    ...Object.entries(fields).map(([name, value]) => `${name}=${inWord(value)}`),
  ]
  const stack = (err as { stack?: unknown } | undefined)?.stack
  const below = typeof stack === 'string' ? stack.split('\n').map((each) => `\n  ${printed(each)}`) : []
  return `${words.join(' ')}${below.join('')}\n`
}

function inWord(value: unknown): string {
  return printed(typeof value === 'string' && !/[\s"=]/.test(value) ? value : JSON.stringify(value))
}

/** Nothing that a terminal would obey. */
function printed(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what must not get through
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?')
}
