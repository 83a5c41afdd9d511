import type { Transaction } from '../../../src/index.ts'

/** An open transaction of an app: the object that it passes to `enqueue`, and its own statements. */
export interface AppTransaction {
  readonly tx: Transaction
  run(statement: string): Promise<unknown>
  /**
   * Runs `work` under a savepoint of the library. If `work` throws, the library rolls back to it and throws the same error.
   * Absent if the library has no savepoints. The suite then runs SAVEPOINT as a statement.
   */
  nested?(work: (tx: Transaction) => Promise<void>): Promise<unknown>
}

/** Lends `check` a handle that is not an open transaction. */
export type Lend = (check: (handle: unknown) => Promise<void>) => Promise<unknown>

/** A library that is connected to a migrated database. */
export interface OpenLibrary {
  /** Commits the transaction of `work`, or rolls it back if `work` throws. */
  transaction<T>(work: (app: AppTransaction) => Promise<T>): Promise<T>
  /** The handles that a caller may pass by mistake, by a name for the test. */
  readonly outside: Readonly<Record<string, Lend>>
  /** Reads the database. Absent if it is the suite's own database. */
  rows?(statement: string): Promise<Record<string, unknown>[]>
  close(): Promise<unknown>
}

/** A Postgres library of which `enqueue` accepts the transactions. */
export interface Library {
  readonly name: string
  open(url: string): Promise<OpenLibrary>
  /** What each refusal of a handle of this library says. */
  readonly refusal: RegExp
  /** The names of the handles of `outside`: tests are named before a library is open. */
  readonly outside: readonly string[]
  /**
   * Whether a transaction that has ended is refused even if its connection is in another transaction meanwhile. Libraries
   * without a state of their own leave the proof to the database, which sees only the connection.
   */
  readonly knowsItsEnd: boolean
}
