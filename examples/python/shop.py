import os

import psycopg
from flask import Flask, request
from psycopg.types.json import Jsonb

app = Flask(__name__)
DATABASE_URL = os.environ["DATABASE_URL"]

with psycopg.connect(DATABASE_URL) as connection:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS orders (id text PRIMARY KEY, user_id text NOT NULL, total numeric NOT NULL)"
    )


@app.post("/orders")
def place_order():
    order = request.get_json()
    # The block is one transaction. It commits at its end, and rolls back if an exception leaves it.
    with psycopg.connect(DATABASE_URL) as connection:
        connection.execute(
            "INSERT INTO orders (id, user_id, total) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (order["id"], order["userId"], order["total"]),
        )
        duplicate = track(connection, order)
        if order.get("fail"):
            raise RuntimeError("the payment failed")  # rolls back the order and the event
    return {"id": order["id"], "duplicate": duplicate}, 201


def track(connection, order):
    """Enqueues the event of an order. Returns whether it was enqueued before."""
    event = {
        "customerId": order["userId"],
        "name": "order_placed",
        "data": {"orderId": order["id"], "total": order["total"]},
    }
    row = connection.execute(
        "SELECT duplicate FROM outbox.enqueue('track', %s, dedup_key => %s)",
        (Jsonb(event), f"order:{order['id']}:placed"),
    ).fetchone()
    return row[0]
