-- An app of any language writes only its own table.
BEGIN;
INSERT INTO orders (id, user_id, total) VALUES ('1', 'ana', 10), ('2', 'bo', 20);
COMMIT;

BEGIN;
INSERT INTO orders (id, user_id, total) VALUES ('3', 'ana', 30);
ROLLBACK; -- the event of order 3 is rolled back too

BEGIN;
INSERT INTO orders (id, user_id, total) VALUES ('1', 'ana', 10) ON CONFLICT DO NOTHING; -- a repeated request
INSERT INTO orders (id, user_id, total) VALUES ('4', 'ana', 40), ('5', 'bo', 50), ('6', 'ana', 60);
COMMIT;
