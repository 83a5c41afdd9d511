import type { Status } from '../../../observe/views/read-status.ts'

/** One part of the status, below the health. */
export interface Section {
  readonly title: string
  /** @param width Columns of the terminal. */
  readonly render: (status: Status, width: number) => string
}
