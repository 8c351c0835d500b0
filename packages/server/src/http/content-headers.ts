/**
 * How uploaded content is presented to a browser. HTML and SVG must never run on the hub's origin: they have another
 * type (and every answer says nosniff), and whatever a browser makes of it stands in a sandbox without an origin.
 */

const SANDBOX = { 'Content-Security-Policy': "default-src 'none'; sandbox" }

/** Content that is addressed by its hash has no name to judge by. */
export const OPAQUE_HEADERS = {
  ...SANDBOX,
  'Content-Type': 'application/octet-stream',
  'Content-Disposition': 'attachment',
}

/** Types that a browser shows and that cannot carry script. Everything else is plain text or bytes. */
const SHOWN: Readonly<Record<string, string>> = {
  json: 'application/json; charset=utf-8',
  png: 'image/png',
  jpg: 'image/jpeg',
  jpeg: 'image/jpeg',
  gif: 'image/gif',
  webp: 'image/webp',
  wav: 'audio/wav',
  mp3: 'audio/mpeg',
  flac: 'audio/flac',
  ogg: 'audio/ogg',
  mp4: 'video/mp4',
  webm: 'video/webm',
}

const TEXT: ReadonlySet<string> = new Set(
  'txt md csv tsv py js ts jsonl yaml yml toml ini cfg html htm svg xml css sh gitattributes gitignore'.split(
    ' ',
  ),
)

export function contentHeaders(path: string, attachment: boolean): Record<string, string> {
  const name = path.slice(path.lastIndexOf('/') + 1)
  const extension = name.slice(name.lastIndexOf('.') + 1).toLowerCase()
  const type =
    SHOWN[extension] ?? (TEXT.has(extension) ? 'text/plain; charset=utf-8' : 'application/octet-stream')
  return {
    'Content-Type': type,
    'Content-Disposition': disposition(name, attachment),
    ...SANDBOX,
  }
}

/** huggingface_hub's pattern for the label of its progress bar wants `filename="…";` with the semicolon. */
function disposition(name: string, attachment: boolean): string {
  const kind = attachment ? 'attachment' : 'inline'
  // Most names need nothing of what follows.
  if (/^[\w.-]+$/.test(name)) return `${kind}; filename*=UTF-8''${name}; filename="${name}";`
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, '_')
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `${kind}; filename*=UTF-8''${encoded}; filename="${ascii}";`
}
