import { bullmq } from './bullmq/peer.ts'
import { floor } from './floor/peer.ts'
import { graphile } from './graphile/peer.ts'
import { outbox, outboxMixed, outboxUnlimited } from './outbox/peer.ts'
import type { Peer } from './peer.ts'
import { pgBossBatch, pgBossSingle } from './pg-boss/peer.ts'

/** All peers of the measure `drain`, in the order of the tables. */
export const PEERS: readonly Peer[] = [
  outbox,
  outboxUnlimited,
  outboxMixed,
  floor,
  pgBossBatch,
  pgBossSingle,
  graphile,
  bullmq(5),
  bullmq(50),
]
