/** The channels of transactional messages: the `{kind}` of `/v1/send/{kind}`. */
export const sendKinds = ['email', 'push', 'sms', 'inbox_message', 'in_app'] as const

/** The channel of a transactional message. */
export type FakeSendKind = (typeof sendKinds)[number]

/** How a broadcast names its recipients. `default` means the recipients that were set up in Customer.io. */
export type FakeAudience = 'default' | 'recipients' | 'ids' | 'emails' | 'per_user_data' | 'data_file_url'
