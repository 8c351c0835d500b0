/** What a start prints: where the hub is, and lines to paste into a shell. */

export interface BannerFacts {
  /** What clients use. */
  url: string
  dataDir: string
  /** null: not known, or not valid any more. */
  adminToken: string | null
  adminTokenPath: string
  /** Only then may the token itself be shown: output that is not a terminal is kept somewhere. */
  isTty: boolean
  /** Tokens that the bootstrap file left to the hub, and where their strings were put. */
  generated: { count: number; path: string } | null
}

export function formatBanner(facts: BannerFacts): string {
  const { url, dataDir, adminToken, adminTokenPath, isTty, generated } = facts
  const shown = isTty && adminToken !== null ? shellWord(adminToken) : `"$(cat ${shellWord(adminTokenPath)})"`
  const token =
    adminToken === null
      ? [
          `  # The token in ${adminTokenPath} is missing or was deleted; make another one:`,
          `  export HF_TOKEN="$(cairn admin token create admin --name another --data ${shellWord(dataDir)})"`,
        ]
      : [`  export HF_TOKEN=${shown}`]
  return [
    `Cairn is ready at ${url}`,
    `Data in ${dataDir}`,
    '',
    'Point a Hugging Face client at it:',
    '',
    `  export HF_ENDPOINT=${shellWord(url)}`,
    ...token,
    '',
    '  hf upload admin/my-model ./my-model',
    '  hf download admin/my-model',
    '',
    ...(generated === null
      ? []
      : [`Tokens that the bootstrap file left to the hub: ${generated.count}, in ${generated.path}`, '']),
  ].join('\n')
}

/** Quoted where a POSIX shell would not take it as it is. */
function shellWord(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
