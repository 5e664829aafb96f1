"""Tickets issued before codes had editions are found again, with their fares and the key that signed them."""

import shutil
from pathlib import Path
from uuid import uuid4

import asyncpg

from services.platform.migrations import migrate
from services.ticketing import service
from tests.maas.tickets.test_layouts import sign_raw, write_layout_1

MIGRATIONS = Path(service.__file__).with_name("migrations")


async def test_a_ticket_of_the_first_layout_keeps_its_fares_and_names_its_key(
    database_url: str, tmp_path: Path
) -> None:
    for number in (1, 2):
        (path,) = MIGRATIONS.glob(f"{number:04}_*.sql")
        shutil.copy(path, tmp_path)
    await migrate(database_url, schema="ticketing", folder=tmp_path)
    payload, order_id = sign_raw(write_layout_1()), uuid4()
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "insert into ticketing.ticket (ticket_id, ticket_ref, order_id, rider_index, part, rider, "
            "traveller_id, payload, component_indices, valid_from, valid_until, issued_at) "
            "values ($1, '0011223344556677', $2, 1, 0, 'child', 'alice', $3, '{4,5,5}', now(), now(), now())",
            uuid4(),
            order_id,
            payload,
        )
        await migrate(database_url, schema="ticketing", folder=MIGRATIONS)
        code = await connection.fetchrow("select * from ticketing.ticket_code")
        fares = await connection.fetch("select fare_index, component_index from ticketing.ticket_fare")
    finally:
        await connection.close()
    # write_layout_1 is signed by key 7.
    assert (code["key_id"], code["edition"], code["form"], code["payload"]) == (7, 0, "static", payload)
    assert sorted((row["fare_index"], row["component_index"]) for row in fares) == [(4, 4), (5, 5)]
