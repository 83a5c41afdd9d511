/** The shop's own record, in memory: no rollback undoes it. */
export class Ledger {
  /** When COMMIT was answered, by ref, in Unix ms. */
  readonly committedAt = new Map<string, number>()
  /**
   * Refs of intents that enqueue found to be duplicates, because an earlier request had used the dedup key. They must not be
   * delivered.
   */
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
