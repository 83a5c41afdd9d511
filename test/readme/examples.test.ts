import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { examplesOfSources } from './examples.ts'
import { type PublicItem, publicItems } from './public-items.ts'
import { Sandbox } from './sandbox.ts'

/** To do: public items whose doc comments are not complete yet. */
const INCOMPLETE: ReadonlySet<string> = new Set(
  `CopiedDatabaseError FakeCustomerIo FakeCustomerIo.behave FakeCustomerIo.close FakeCustomerIo.delivery
  FakeCustomerIo.handle FakeCustomerIo.misbehave FakeCustomerIo.object FakeCustomerIo.person
  FakeCustomerIo.reset FakeCustomerIo.until FakeCustomerIoOptions.appApiKey FakeCustomerIoOptions.host
  FakeCustomerIoOptions.keepOperations FakeCustomerIoOptions.keepRequests FakeCustomerIoOptions.latencyMs
  FakeCustomerIoOptions.limits FakeCustomerIoOptions.pipelinesWriteKey FakeCustomerIoOptions.port
  FakeCustomerIoOptions.region FakeCustomerIoOptions.sequenceOf FakeCustomerIoOptions.siteId
  FakeCustomerIoOptions.trackApiKey InvalidSettingError MigrateOptions.lockWaitMs MigrateOptions.onWait
  MigrateOptions.schema Relay Relay.start Relay.stop Relay.updateWorkspaces RelayOptions.acceptCopy
  RelayOptions.batchSize RelayOptions.breaker RelayOptions.checkRegion RelayOptions.connections
  RelayOptions.customerio RelayOptions.deliveredRetentionDays RelayOptions.intentRetry RelayOptions.lanes
  RelayOptions.listenConnectionString RelayOptions.pollIntervalMs RelayOptions.requestTimeoutMs
  RelayOptions.retry RelayOptions.schema RelayOptions.workspaces WorkspaceOptions.allowRecipients
  WorkspaceOptions.anonymousOnV2 WorkspaceOptions.appApiKey WorkspaceOptions.appUrl
  WorkspaceOptions.identifyTimestamp WorkspaceOptions.maxAgeSeconds WorkspaceOptions.pipelinesUrl
  WorkspaceOptions.pipelinesWriteKey WorkspaceOptions.region WorkspaceOptions.requestsPerSecond
  WorkspaceOptions.siteId WorkspaceOptions.trackApiKey WorkspaceOptions.trackUrl WrongRegionError
  createRelay migrate migrationScript publishedLimits startFakeCustomerIo`.split(/\s+/),
)

/** To do: files with examples that do not compile yet. */
const NOT_COMPILED: readonly string[] = ['src/testing/fake/fake-customerio.ts']

describe('examples in doc comments', () => {
  let sandbox: Sandbox
  beforeAll(async () => {
    sandbox = await Sandbox.create()
  })
  afterAll(() => sandbox[Symbol.asyncDispose]())

  test('every example compiles', async () => {
    const examples = examplesOfSources().filter(({ file }) => !NOT_COMPILED.includes(file))
    expect(examples.length).toBeGreaterThanOrEqual(30)
    for (const example of examples) await sandbox.add(example)
    expect(await sandbox.check()).toEqual({ status: 0, output: '' })
  })
})

describe('doc comments of public items', () => {
  const entries = ['src/index.ts', 'src/testing/index.ts'] as const

  test.each(entries)('%s: functions, classes, methods and options have their tags', (entry) => {
    const items = publicItems(entry)
    expect(items.length).toBeGreaterThan(3)
    const incomplete = items.filter(({ name, missing }) => missing.length > 0 && !INCOMPLETE.has(name))
    expect(incomplete.map(describeItem)).toEqual([])
  })
})

function describeItem({ name, file, missing }: PublicItem): string {
  return `${file}: ${name} lacks ${missing.join(', ')}`
}
