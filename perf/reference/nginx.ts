/** nginx as one process that serves a folder with sendfile. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'

import { waitForAnswer, type ServerProcess } from '../harness/server.ts'

/** Throws when nginx is not installed. `folder` also gets its configuration. */
export async function startNginx(folder: string): Promise<ServerProcess> {
  const port = await freePort()
  const config = join(folder, 'nginx.conf')
  await writeFile(
    config,
    `daemon off; master_process off; pid ${folder}/nginx.pid; error_log ${folder}/nginx.log;
events {}
http {
  access_log off; sendfile on; tcp_nopush on; default_type application/octet-stream;
  client_body_temp_path ${folder}/tmp; proxy_temp_path ${folder}/tmp; fastcgi_temp_path ${folder}/tmp;
  uwsgi_temp_path ${folder}/tmp; scgi_temp_path ${folder}/tmp;
  server { listen 127.0.0.1:${port}; root ${folder}; }
}
`,
  )
  // As root nginx would read as another user, who may not look into a temporary folder.
  await chmod(folder, 0o755)
  const child = spawn('nginx', ['-p', folder, '-c', config], { stdio: ['ignore', 'ignore', 'inherit'] })
  const exit = once(child, 'exit')
  const url = `http://127.0.0.1:${port}`
  await Promise.race([
    waitForAnswer(url),
    exit.then(() => {
      throw new Error('nginx did not start: is it installed?')
    }),
  ])
  return {
    url,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exit
    },
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
