/** A bar chart to be drawn: what is measured, by whom. */
export interface Chart {
  /** File name without its ending. */
  readonly name: string
  readonly title: string
  readonly bars: readonly { readonly label: string; readonly values: readonly number[] }[]
  /** Behind every number: `/s`, ` ms`. */
  readonly unit: string
}
