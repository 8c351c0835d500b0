/** Sizes as people write and read them. */

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  ...Object.fromEntries(
    ['K', 'M', 'G', 'T', 'P'].flatMap((letter, index): [string, number][] => [
      [letter, 1000 ** (index + 1)],
      [`${letter}B`, 1000 ** (index + 1)],
      [`${letter}IB`, 1024 ** (index + 1)],
    ]),
  ),
}

/** `100GB`, `1.5 TiB`, `5000000`; null when it is none of these, or more than a number holds exactly. */
export function parseBytes(text: string): number | null {
  const [, number = '', unit = ''] = /^(\d{1,16}(?:\.\d{1,6})?) ?([a-z]{0,3})$/i.exec(text.trim()) ?? []
  const factor = UNITS[unit.toUpperCase()]
  const bytes = number === '' || factor === undefined ? NaN : Math.round(Number(number) * factor)
  return Number.isSafeInteger(bytes) ? bytes : null
}

/** In powers of 1000, as disks are sold and Hugging Face counts. */
export function formatBytes(bytes: number): string {
  let value = bytes
  for (const unit of ['bytes', 'kB', 'MB', 'GB', 'TB']) {
    if (value < 1000) return `${unit === 'bytes' ? value : value.toFixed(value < 10 ? 2 : 1)} ${unit}`
    value /= 1000
  }
  return `${value.toFixed(1)} PB`
}
