/** `cairn serve`. */
import type { CliIo } from './io.ts'

export async function serve(flags: Record<string, string>, { env, cwd, stdout }: CliIo): Promise<void> {
  const { readConfig } = await import('@cairn/server/config')
  const config = readConfig({ flags, env, cwd })
  const hub = await import('@cairn/server/main')
  await hub.serve(config, { stdout, isTty: stdout.isTTY ?? false })
}
