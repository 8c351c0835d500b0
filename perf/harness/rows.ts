/** What a benchmark found, and the arithmetic on it: medians, the ratio to the reference, whether the bound holds. */

export type Unit = 'requests/s' | 'MB/s' | 'MiB/s' | '%' | 'ms' | 'µs' | 's' | 'MB' | 'CPU ms/GiB'

/** A figure or a ratio that must not be passed. */
export interface Bound {
  on: 'ours' | 'ratio'
  atMost?: number
  atLeast?: number
}

export interface Row {
  what: string
  unit: Unit
  /** One value a round. */
  ours: readonly number[]
  /** Values of the same rounds. */
  reference?: { name: string; values: readonly number[] }
  bound?: Bound
}

export interface Judged {
  ours: number
  reference: number | null
  /** Ours by the reference: the median of the rounds' own ratios, which a machine that slows down midway moves least. */
  ratio: number | null
  /** Null without a bound. */
  holds: boolean | null
}

export function median(values: readonly number[]): number {
  if (values.length === 0) return Number.NaN
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export function judge({ ours, reference, bound }: Row): Judged {
  if (reference !== undefined && reference.values.length !== ours.length)
    throw new TypeError('Ours and the reference were not measured in the same rounds')
  const ratio =
    reference === undefined ? null : median(ours.map((value, round) => value / reference.values[round]!))
  const judged = { ours: median(ours), reference: reference ? median(reference.values) : null, ratio }
  if (bound === undefined) return { ...judged, holds: null }
  const figure = bound.on === 'ours' ? judged.ours : (ratio ?? Number.NaN)
  // Written so that a figure that is no number never holds.
  return { ...judged, holds: figure <= (bound.atMost ?? Infinity) && figure >= (bound.atLeast ?? -Infinity) }
}
