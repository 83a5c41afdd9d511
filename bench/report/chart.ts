/** A bar chart, independent of how it is drawn. */
export interface Chart {
  /** File name without extension. */
  readonly name: string
  readonly title: string
  readonly bars: readonly { readonly label: string; readonly values: readonly number[] }[]
  /** Suffix of every number: `/s`, ` ms`. */
  readonly unit: string
}
