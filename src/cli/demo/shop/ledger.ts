/** What the shop remembers of its own doing, in memory and so outside of every transaction. */
export class Ledger {
  /** When a COMMIT had been answered, per ref, in Unix ms. */
  readonly committedAt = new Map<string, number>()
  /** Refs of retried requests whose dedup key was taken: nothing may come of them. */
  readonly duplicates = new Set<string>()
  readonly rolledBack = new Set<string>()
  committedTransactions = 0
  rolledBackTransactions = 0

  committed(refs: readonly string[], duplicates: readonly string[]): void {
    const now = Date.now()
    for (const ref of refs) this.committedAt.set(ref, now)
    for (const ref of duplicates) this.duplicates.add(ref)
    this.committedTransactions++
  }

  undone(refs: readonly string[]): void {
    for (const ref of refs) this.rolledBack.add(ref)
    this.rolledBackTransactions++
  }
}
