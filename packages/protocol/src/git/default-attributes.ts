/** The `.gitattributes` of a fresh repository: which files go to LFS by name (hub-api.md §3.1). */
import type { RepoType } from '../repo-id.ts'

const EVERYWHERE = `*.7z *.arrow *.bin *.bz2 *.ckpt *.ftz *.gz *.h5 *.joblib *.lfs.* *.mlmodel *.model *.msgpack *.npy
  *.npz *.onnx *.ot *.parquet *.pb *.pickle *.pkl *.pt *.pth *.rar *.safetensors saved_model/**/* *.tar.* *.tar *.tflite
  *.tgz *.wasm *.xz *.zip *.zst *tfevents*`
const DATASETS = `*.lz4 *.mds *.pcm *.sam *.raw *.aac *.flac *.mp3 *.ogg *.wav *.bmp *.gif *.png *.tiff *.jpg *.jpeg *.webp
  *.mp4 *.webm`

export function defaultAttributes(type: RepoType): string {
  const patterns = (type === 'dataset' ? `${EVERYWHERE} ${DATASETS}` : EVERYWHERE).split(/\s+/)
  return patterns.map((pattern) => `${lfsAttributesLine(pattern)}\n`).join('')
}

/**
 * The line that sends exactly this file to LFS, for a root `.gitattributes`. Blanks become classes, as `git lfs track`
 * writes them. A path of some 2,000 bytes makes a line that git skips.
 */
export function trackingLine(path: string): string {
  const pattern = path.replace(/[*?[\\]/g, (char) => `\\${char}`).replace(/[ \t\r\n]/g, '[[:space:]]')
  return lfsAttributesLine(`/${pattern}`)
}

function lfsAttributesLine(pattern: string): string {
  return `${pattern} filter=lfs diff=lfs merge=lfs -text`
}
