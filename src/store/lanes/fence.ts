import { serverStart } from '../connection/server-sql.ts'
import type { Fence } from './lane.ts'

/** The parameters `$1` to `$4` of `fenceHolds`. */
export function fenceValues({ destination, lane, epoch, relayId }: Fence): unknown[] {
  return [destination, lane, epoch, relayId]
}

/**
 * SQL: a condition on `outbox.lanes`. It selects the lane's row while the fence in `$1` to `$4` is valid.
 *
 * @param server The parameter with the fence's server, such as `$5`. Default: the fence is valid on any server.
 */
export function fenceHolds(server?: `$${number}`): string {
  const sameServer = server === undefined ? '' : ` AND ${serverStart} = ${server}`
  return `destination = $1 AND lane = $2 AND epoch = $3 AND relay_id = $4${sameServer}`
}

/** SQL: the CTE `fence`, with one row if the fence is valid. The row is locked until the transaction ends. */
export function fenceCte(q: string, server?: `$${number}`): string {
  return `fence AS (
       SELECT 1 FROM ${q}.lanes WHERE ${fenceHolds(server)} FOR SHARE
     )`
}
