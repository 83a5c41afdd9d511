-- Every operation of Customer.io's APIs can be enqueued: transactional messages, broadcasts, Pipelines, and the
-- two of the Track API that only its first version knows.

-- Which of Customer.io's APIs takes an operation; NULL for an operation that cannot be enqueued.
CREATE OR REPLACE FUNCTION "outbox".api_of(operation text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN operation IN ('identify', 'track', 'trackAnonymous', 'trackPageView', 'trackScreen', 'trackPush',
                       'addDevice', 'deleteDevice', 'suppress', 'unsuppress', 'destroy', 'mergeCustomers',
                       'entity') THEN 'track'
    WHEN operation IN ('sendEmail', 'sendPush', 'sendSMS', 'sendInboxMessage', 'sendInApp') THEN 'app'
    WHEN operation = 'triggerBroadcast' THEN 'broadcast'
    WHEN operation IN ('pipelines.identify', 'pipelines.track', 'pipelines.page', 'pipelines.screen',
                       'pipelines.group', 'pipelines.alias') THEN 'pipelines'
  END
$$;
--> statement-breakpoint
-- The person (or object, delivery, broadcast) an intent is about: intents with one key are delivered in order.
-- customerId 42, customerId "42" and identifiers {"id": 42} are one key; an email's case does not count.
CREATE OR REPLACE FUNCTION "outbox".ordering_key_of(operation text, payload jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN operation = 'mergeCustomers' THEN
      coalesce(payload #>> '{primary,id}', lower(payload #>> '{primary,email}'), payload #>> '{primary,cio_id}')
    WHEN operation = 'entity' THEN
      coalesce(
        payload #>> '{entity,identifiers,id}', lower(payload #>> '{entity,identifiers,email}'),
        payload #>> '{entity,identifiers,phone}', payload #>> '{entity,identifiers,cio_id}',
        payload #>> '{entity,identifiers,anonymous_id}', payload #>> '{entity,identifiers,cio_object_id}',
        (payload #>> '{entity,identifiers,object_type_id}') || '/' || (payload #>> '{entity,identifiers,object_id}'),
        payload #>> '{entity,primary,id}', lower(payload #>> '{entity,primary,email}'),
        payload #>> '{entity,primary,cio_id}')
    -- An anonymous invite has no id: it is about the address that it goes to.
    WHEN operation = 'trackAnonymous' THEN
      coalesce(nullif(payload ->> 'anonymousId', ''), lower(payload #>> '{data,recipient}'))
    WHEN operation = 'trackPush' THEN
      payload ->> 'deliveryId'
    WHEN operation IN ('sendEmail', 'sendPush', 'sendSMS', 'sendInboxMessage', 'sendInApp') THEN
      coalesce(
        payload #>> '{message,identifiers,id}', lower(payload #>> '{message,identifiers,email}'),
        payload #>> '{message,identifiers,cio_id}', lower(payload #>> '{message,to}'))
    WHEN operation = 'triggerBroadcast' THEN
      'broadcast/' || (payload ->> 'broadcastId')
    WHEN operation LIKE 'pipelines.%' THEN
      coalesce(payload #>> '{message,userId}', payload #>> '{message,anonymousId}')
    ELSE
      coalesce(
        payload ->> 'customerId',
        payload #>> '{identifiers,id}', lower(payload #>> '{identifiers,email}'),
        payload #>> '{identifiers,phone}', payload #>> '{identifiers,cio_id}')
  END
$$;
--> statement-breakpoint
-- Raises one clear error for what no relay could deliver. Shapes of payloads are the TypeScript client's to
-- check: what passes here and cannot be mapped is dead-lettered as 'invalid', never lost. Returns the ordering key.
--
-- A payload's text is up to twice as long here as on the wire, because jsonb writes spaces. So the bound is twice
-- Customer.io's: 32,000 bytes for an operation of Track or Pipelines, and 3,000,000 for a message or a broadcast,
-- which is an email with two megabytes of attachments in base64.
CREATE OR REPLACE FUNCTION "outbox".check_intent(
  operation text, payload jsonb, dedup_key text, dedup_window interval, ordering_key text,
  send_after timestamptz, expires_at timestamptz, workspace text, on_ambiguous text, priority text
) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  v_api text := "outbox".api_of(operation);
  v_limit integer := CASE WHEN v_api IN ('app', 'broadcast') THEN 3000000 ELSE 32000 END;
BEGIN
  IF v_api IS NULL THEN
    RAISE EXCEPTION 'outbox: unknown operation %', coalesce(quote_literal(operation), 'NULL')
      USING ERRCODE = 'invalid_parameter_value',
            HINT = 'identify, track, trackAnonymous, trackPageView, trackScreen, trackPush, addDevice, deleteDevice, suppress, unsuppress, destroy, mergeCustomers, entity, sendEmail, sendPush, sendSMS, sendInboxMessage, sendInApp, triggerBroadcast, pipelines.identify, pipelines.track, pipelines.page, pipelines.screen, pipelines.group, pipelines.alias';
  END IF;
  IF payload IS NULL OR jsonb_typeof(payload) <> 'object' THEN
    RAISE EXCEPTION 'outbox: %: payload must be a JSON object, got %', operation, coalesce(jsonb_typeof(payload), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF octet_length(payload::text) > 2 * v_limit THEN
    RAISE EXCEPTION 'outbox: %: payload is % bytes, Customer.io takes at most % bytes for one operation',
      operation, octet_length(payload::text), v_limit
      USING ERRCODE = 'invalid_parameter_value', HINT = 'Send less data, or a link to it.';
  END IF;
  IF coalesce(ordering_key, "outbox".ordering_key_of(operation, payload), '') = '' THEN
    RAISE EXCEPTION 'outbox: %: the payload names no %', operation,
      CASE operation WHEN 'triggerBroadcast' THEN 'broadcast' WHEN 'trackPush' THEN 'delivery' ELSE 'person' END
      USING ERRCODE = 'invalid_parameter_value',
            HINT = CASE
              WHEN operation = 'triggerBroadcast' THEN 'Give broadcastId.'
              WHEN operation = 'trackPush' THEN 'Give deliveryId.'
              WHEN operation = 'trackAnonymous' THEN 'Give anonymousId, or data.recipient for an invite.'
              WHEN operation = 'pipelines.alias' THEN 'Give message.userId.'
              WHEN v_api = 'pipelines' THEN 'Give message.userId or message.anonymousId.'
              WHEN v_api = 'app' THEN 'Give message.identifiers with one of id, email, cio_id.'
              ELSE 'Give customerId, or identifiers with one of id, email, phone, cio_id.'
            END;
  END IF;
  IF octet_length(ordering_key) > 500 THEN
    RAISE EXCEPTION 'outbox: %: ordering_key is % bytes, at most 500 are taken', operation, octet_length(ordering_key)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF dedup_key = '' OR octet_length(dedup_key) > 500 THEN
    RAISE EXCEPTION 'outbox: %: dedup_key is % bytes, 1 to 500 are taken', operation, octet_length(dedup_key)
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF dedup_key IS NOT NULL AND (dedup_window IS NULL OR dedup_window <= interval '0') THEN
    RAISE EXCEPTION 'outbox: %: dedup_window must be longer than nothing, got %', operation, coalesce(dedup_window::text, 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF expires_at <= send_after THEN
    RAISE EXCEPTION 'outbox: %: expires_at must be later than send_after', operation
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF workspace IS DISTINCT FROM 'default' AND (workspace IS NULL OR workspace !~ '^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$') THEN
    RAISE EXCEPTION 'outbox: %: workspace must be 1 to 63 letters, digits, - or _, got %', operation, coalesce(quote_literal(workspace), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF on_ambiguous IS NULL OR on_ambiguous NOT IN ('park', 'resend') THEN
    RAISE EXCEPTION 'outbox: %: on_ambiguous must be park or resend, got %', operation, coalesce(quote_literal(on_ambiguous), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF priority IS NULL OR priority NOT IN ('normal', 'bulk') THEN
    RAISE EXCEPTION 'outbox: %: priority must be normal or bulk, got %', operation, coalesce(quote_literal(priority), 'NULL')
      USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN coalesce(ordering_key, "outbox".ordering_key_of(operation, payload));
END
$$;
