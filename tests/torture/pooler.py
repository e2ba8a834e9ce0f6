"""Many clients of several tenants on a few connections of pgbouncer, of which some set what the next one inherits."""

import test_pooler
from support.pooler import poolers
from test_pooler import CLIENTS, CONNECTIONS, Client

test_pooler.TRANSACTIONS = 40


def make_keys(db):
    """The keys of both environments of two organizations, as the fixture of the same name makes them."""
    return test_pooler.keys.__wrapped__(db)


def run(part):
    server = part.server("one", "max_connections=60")
    db = server.create_database()
    keys = make_keys(db)
    with poolers(db, ("web", "backend")) as make:
        pooler = make(CONNECTIONS)
        number = 0
        while part.goes_on():
            number += 1
            clients = [Client(pooler, keys, f"{part.seed} {number} {n}") for n in range(CLIENTS)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
            for client in clients:
                part.count("transactions", client.count)
                part.count("refusals of who shows no key", client.refusals)
                for what in client.wrong:
                    part.violation(what)
            served = {backend for client in clients for backend in client.served}
            part.count("connections", len(served))
    part.settle(server)
