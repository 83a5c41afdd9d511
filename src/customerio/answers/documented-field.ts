/** Field names of the published descriptions of Customer.io's APIs. Apps choose all other names. */
const NAMES = new Set(
  `batch type action identifiers id email phone cio_id anonymous_id object_type_id object_id cio_object_id
  name attributes timestamp data primary secondary device token platform last_used device_token device_id
  delivery_id event path url title search referrer keywords recipient from_address cio_relationships
  relationship_attributes cio_subscription_preferences _update
  to from cc bcc reply_to subject preheader body body_plain body_amp language headers attachments message message_data
  transactional_message_id send_at image_url link sound custom_data custom_device custom_payload
  disable_message_retention send_to_unsubscribed queue_draft tracked fake_bcc disable_css_preprocessing auto_create
  recipients ids emails per_user_data data_file_url email_add_duplicates email_ignore_missing id_ignore_missing
  userId anonymousId messageId groupId objectTypeId previousId traits properties context integrations category`
    .split(/\s+/)
    .filter((name) => name !== ''),
)

const MAX_SEGMENTS = 8

/**
 * The documented beginning of the path of a field. `attributes.plan` becomes `attributes`, because the app chose `plan`;
 * `cio_relationships[0].identifiers` stays. Undefined if the path begins with an unknown name, which may be a value.
 */
export function documentedField(path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  const segments = path.split(/(?=[.[])/, MAX_SEGMENTS)
  const end = segments.findIndex((segment) => !isDocumented(segment))
  return segments.slice(0, end === -1 ? undefined : end).join('') || undefined
}

function isDocumented(segment: string): boolean {
  return /^\[\d{1,4}\]$/.test(segment) || NAMES.has(segment.replace(/^\./, ''))
}
