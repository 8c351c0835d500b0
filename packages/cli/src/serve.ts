/** `cairn serve`. */
import type { CliIo } from './io.ts'

export async function serve(
  flags: Record<string, string>,
  { env, cwd, stdout, stderr }: CliIo,
): Promise<void> {
  const { readConfig } = await import('@cairn/server/config')
  const config = readConfig({ flags, env, cwd, isLogWatched: stderr.isTTY === true })
  const hub = await import('@cairn/server/main')
  await hub.serve(config, { stdout, isTty: stdout.isTTY ?? false })
}
