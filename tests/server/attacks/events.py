"""Attacks by the ids of events: those of another tenant, and those that an attacker makes, knowing how they are made."""

import base64
import uuid

from attacks.guesses import VICTIMS, guesses, same_answers
from attacks.lab import Attack


def event_id(session, organization, sequence, environment):
    content = (
        uuid.UUID(session).bytes
        + uuid.UUID(organization).bytes
        + sequence.to_bytes(4, "big", signed=True)
        + environment
        + bytes(8)
    )
    return "evt_" + base64.urlsafe_b64encode(content).decode().rstrip("=")


def attacks():
    made = {
        "of the other organization": lambda me, t: t["event"],
        "made of its parts": lambda me, t: event_id(
            t["complete"], t["organization_id"], 1, t["environment"][:1].encode()
        ),
        "with the own organization": lambda me, t: event_id(t["complete"], me.home["organization_id"], 1, b"l"),
        "with the other organization, for an own session": lambda me, t: event_id(
            me.home["complete"], t["organization_id"], 1, b"l"
        ),
        "with another environment": lambda me, t: event_id(t["complete"], t["organization_id"], 1, b"t"),
        "with sequence 0": lambda me, t: event_id(
            t["complete"], t["organization_id"], 0, t["environment"][:1].encode()
        ),
        "with the greatest sequence": lambda me, t: event_id(
            t["complete"], me.home["organization_id"], 2**31 - 1, b"l"
        ),
        "with the least sequence": lambda me, t: event_id(t["complete"], me.home["organization_id"], -(2**31), b"l"),
        "with no environment": lambda me, t: event_id(t["complete"], t["organization_id"], 1, b""),
        "with a wrong environment": lambda me, t: event_id(t["complete"], t["organization_id"], 1, b"x"),
        "in base64 with padding": lambda me, t: t["event"] + "==",
    }
    for how, make in made.items():
        for tenant in VICTIMS:
            for who in ("B's secret key", "B's role"):
                yield Attack(f"event id {how}, {tenant}", who, page_after(make, tenant))
    for who in ("B's role", "anonymous", "B's secret key", "verifier"):
        for call in (
            "ack_webhook_events('jobs of bravo live', ARRAY[%s], gen_random_uuid())",
            "nack_webhook_event('jobs of bravo live', %s, gen_random_uuid())",
            "nack_webhook_event('jobs of alpha live', %s, gen_random_uuid())",
            "redeliver_webhook_events(ARRAY[%s])",
            "redeliver_webhook_events(ARRAY[%s], status => 'dead')",
            "record_webhook_attempt(%s, gen_random_uuid(), gen_random_uuid(), 200)",
            "record_webhook_attempts(jsonb_build_array(jsonb_build_object('event_id', %s::text, 'status_code', 200,"
            " 'webhook_endpoint_id', gen_random_uuid(), 'lease_token', gen_random_uuid())))",
            "release_webhook_delivery(%s, gen_random_uuid(), gen_random_uuid())",
            "list_webhook_attempts(%s)",
        ):
            yield Attack(
                call,
                who,
                guesses(
                    f"SELECT * FROM checkout.{call}",
                    lambda me: me.victim["event"],
                    lambda me: event_id(str(uuid.uuid4()), str(uuid.uuid4()), 1, b"l"),
                ),
            )


def page_after(make, tenant):
    def action(me):
        if me.key:
            me.present_key()
        event = make(me, me.lab.targets[tenant])
        me.do("SELECT * FROM checkout.list_webhook_events(starting_after => %s)", event)
        me.do(
            "SELECT * FROM checkout.list_webhook_events(checkout_session_id => %s, starting_after => %s)",
            me.lab.targets[tenant]["complete"],
            event,
        )
        existing = me.lab.targets[tenant]["event"]
        unknown = event_id(str(uuid.uuid4()), str(uuid.uuid4()), 1, b"l")
        same_answers(me, "SELECT * FROM checkout.list_webhook_events(starting_after => %s)", existing, unknown)
        me.do("SELECT * FROM checkout.list_webhook_attempts(%s)", event)
        same_answers(me, "SELECT * FROM checkout.list_webhook_attempts(%s)", existing, unknown)
        own = me.home["endpoint"]
        me.do("SELECT * FROM checkout.list_webhook_deliveries(%s, starting_after => %s)", own, event)
        statement = f"SELECT * FROM checkout.list_webhook_deliveries('{own}', starting_after => %s)"
        same_answers(me, statement, existing, unknown)

    return action
