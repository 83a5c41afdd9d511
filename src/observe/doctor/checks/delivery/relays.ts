import { readSchemaState } from '../../../../store/migrate/schema-version.ts'
import { select } from '../../../views/queryable.ts'
import { type RelayStatus, readRelayFleet } from '../../../views/read-relay-fleet.ts'
import type { Check, Installation } from '../../check.ts'
import { failure, type Finding, ok, warning } from '../../finding.ts'

/** Whether a relay runs, and whether the relays have one version, which the schema allows. */
export const relays: Check = { name: 'relays', run: checkRelays }

async function checkRelays({ db, names }: Installation): Promise<readonly Finding[]> {
  const alive = (await readRelayFleet(db, names)).filter((relay) => relay.alive)
  if (alive.length === 0) return [failure('no relay is running', 'customerio-outbox relay --port 8080')]
  const state = await readSchemaState((text, values) => select(db, text, values && [...values]), names)
  const versions = countVersions(alive)
  const findings = [
    ...alive
      .filter(({ schemaVersion }) => schemaVersion !== null && schemaVersion < (state?.oldestRelay ?? 0))
      .map((relay) => tooOld(relay, state?.oldestRelay ?? 0)),
    ...(versions.size > 1 ? [mixed(versions)] : []),
  ]
  if (findings.length > 0) return findings
  return [ok(`${alive.length} running, version ${[...versions.keys()].join()}`)]
}

function countVersions(relays: readonly RelayStatus[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { version } of relays) counts.set(version, (counts.get(version) ?? 0) + 1)
  return counts
}

/** A relay that was running before a `migrate` goes on, and may misread the new schema. */
function tooOld({ relayId, host, version, schemaVersion }: RelayStatus, oldest: number): Finding {
  return failure(
    `relay ${relayId.slice(0, 8)} on ${host}, version ${version}, knows schema version ${schemaVersion}; the schema needs ${oldest}`,
    `stop it on ${host}, and start the new version of customerio-outbox relay`,
  )
}

function mixed(versions: ReadonlyMap<string, number>): Finding {
  const list = [...versions].map(([version, count]) => `${count} of version ${version}`).join(', ')
  return warning(
    `relays of several versions run: ${list}`,
    'finish the upgrade; see docs/operations.md#housekeeping-and-upgrades',
  )
}
