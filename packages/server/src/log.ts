/** Log lines: JSON on stderr, so that what a person should read stays alone on stdout. */
import { pino, type Logger } from 'pino'

import type { LogLevel } from './config.ts'

export function openLog(level: LogLevel): Logger {
  // Synchronous, so that the last words of a dying process arrive.
  return pino({ level, base: null }, pino.destination({ dest: 2, sync: true }))
}
