CREATE TABLE IF NOT EXISTS orders (
  number  bigint GENERATED ALWAYS AS IDENTITY,
  id      text PRIMARY KEY,
  user_id text NOT NULL,
  total   numeric NOT NULL
);

CREATE OR REPLACE FUNCTION order_placed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM outbox.enqueue(
    'track',
    jsonb_build_object(
      'customerId', NEW.user_id,
      'name', 'order_placed',
      'data', jsonb_build_object('orderId', NEW.id, 'total', NEW.total)),
    dedup_key => 'order:' || NEW.id || ':placed');
  RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER order_placed AFTER INSERT ON orders
  FOR EACH ROW EXECUTE FUNCTION order_placed();
