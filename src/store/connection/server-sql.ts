/**
 * SQL: when the server that runs the statement was started, in Unix seconds as text. A failover and a restore start a
 * server, so each of them gives another value. A relay then forgets what it knows of the earlier server.
 */
export const serverStart = 'extract(epoch FROM pg_postmaster_start_time())::text'

/**
 * SQL for the select list: makes the transaction's commit wait until the write-ahead log is on disk, even if the database
 * or the role sets `synchronous_commit` to `off` or `local`. Stronger settings stay. Lasts until the transaction ends.
 */
export const durably = `CASE WHEN current_setting('synchronous_commit') IN ('off', 'local')
    THEN set_config('synchronous_commit', 'on', true) END`
