import type { Intent } from '../intent.ts'

type Ids = Readonly<Record<string, unknown>> | undefined

/**
 * The ordering key of a checked intent. The SQL function `ordering_key_of` has the same rules. An encrypted intent needs it
 * here, because the database cannot read the payload.
 */
export function orderingKeyOf(intent: Intent): string {
  return String(keyOf(intent) ?? '')
}

function keyOf(intent: Intent): unknown {
  switch (intent.operation) {
    case 'mergeCustomers':
      return ofPerson(intent.primary)
    case 'entity': {
      const entity = intent.entity as { readonly identifiers?: Ids; readonly primary?: Ids }
      return ofPerson(entity.identifiers) ?? ofObject(entity.identifiers) ?? ofPerson(entity.primary)
    }
    case 'trackAnonymous':
      return intent.anonymousId === '' ? lower(intent.data?.recipient) : intent.anonymousId
    case 'trackPush':
      return intent.deliveryId
    case 'sendEmail':
    case 'sendPush':
    case 'sendSMS':
    case 'sendInboxMessage':
    case 'sendInApp': {
      const { identifiers, to } = intent.message as { readonly identifiers?: Ids; readonly to?: unknown }
      return ofPerson(identifiers) ?? lower(to)
    }
    case 'triggerBroadcast':
      return `broadcast/${intent.broadcastId}`
    case 'pipelines.identify':
    case 'pipelines.track':
    case 'pipelines.page':
    case 'pipelines.screen':
    case 'pipelines.group':
    case 'pipelines.alias': {
      const { userId, anonymousId } = intent.message as {
        readonly userId?: unknown
        readonly anonymousId?: unknown
      }
      return userId ?? anonymousId
    }
    default:
      return intent.customerId ?? ofPerson(intent.identifiers)
  }
}

function ofPerson(ids: Ids): unknown {
  return ids?.id ?? lower(ids?.email) ?? ids?.phone ?? ids?.cio_id
}

function ofObject(ids: Ids): unknown {
  const { anonymous_id, cio_object_id, object_type_id, object_id } = ids ?? {}
  return (
    anonymous_id ??
    cio_object_id ??
    (object_type_id == null || object_id == null ? undefined : `${object_type_id}/${object_id}`)
  )
}

/** Customer.io ignores the case of an email. */
function lower(email: unknown): string | undefined {
  return email == null ? undefined : String(email).toLowerCase()
}
