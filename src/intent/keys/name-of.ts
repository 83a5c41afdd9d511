import type { Intent } from '../intent.ts'

/** The most characters of a name, as in the SQL function `name_of`. */
const MOST = 500

/**
 * What an intent sends: the name of an event or screen, the path of a page, the template of a message, the id of a broadcast.
 * Null for other operations. The SQL function `name_of` has the same rules.
 */
export function nameOf(intent: Intent): string | null {
  const name = fieldOf(intent)
  return name === undefined || name === null ? null : [...String(name)].slice(0, MOST).join('')
}

function fieldOf(intent: Intent): unknown {
  switch (intent.operation) {
    case 'track':
    case 'trackAnonymous':
    case 'trackScreen':
      return intent.name
    case 'trackPageView':
      return intent.path
    case 'entity':
      return (intent.entity as { readonly name?: unknown }).name
    case 'pipelines.track':
      return intent.message.event
    case 'pipelines.identify':
    case 'pipelines.page':
    case 'pipelines.screen':
    case 'pipelines.group':
    case 'pipelines.alias':
      return (intent.message as { readonly name?: unknown }).name
    case 'sendEmail':
    case 'sendPush':
    case 'sendSMS':
    case 'sendInboxMessage':
    case 'sendInApp':
      return (intent.message as { readonly transactional_message_id?: unknown }).transactional_message_id
    case 'triggerBroadcast':
      return intent.broadcastId
    default:
      return undefined
  }
}
