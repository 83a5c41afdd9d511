/** UTF-8 text within a buffer: an operation as Customer.io takes it, as `outbox.wire_of` makes it. */
export interface WireText {
  readonly buffer: Buffer
  readonly start: number
  readonly end: number
}
