"""Calls by chance, beside a model of what they do: every answer, and what is stored at the end, is as the model says."""

import contextlib
import io
import traceback
from decimal import Decimal

import hypothesis
import psycopg2
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule, run_state_machine_as_test

AMOUNT = Decimal("12.50")
STEPS, EXAMPLES_AT_ONCE = 50, 20
IDS = st.sampled_from("abcdef")


class Session:
    """What is known of a session. No time passes: nothing ends by the clock."""

    def __init__(self, id, retries, root=None):
        self.id, self.retries, self.root = id, retries, root or self
        self.status, self.attempts, self.holder, self.paid_by = "open", 0, None, None
        self.events, self.recoveries = [], []

    def fails(self):
        if self.status == "open" and self.attempts > self.retries and self.holder is None:
            self.status = "failed"
            self.events.append("failed")
            return True
        return False

    def accept(self, payment):
        self.status, self.paid_by, self.holder = "complete", payment.id, None
        self.events.append("completed")
        payment.status, payment.reason = "succeeded", None


class Payment:
    def __init__(self, id, session):
        self.id, self.sessions, self.status, self.reason, self.refunds = id, [session], None, None, {}


class Model(RuleBasedStateMachine):
    sessions = Bundle("sessions")
    # Set by run().
    part = db = connection = None

    @initialize()
    def begin_with_a_tenant(self):
        """A new organization, for which the connection then acts as an ordinary role."""
        self.known, self.payments, self.keys, self.refunds = {}, {}, {}, {}
        with self.connection.cursor() as cursor:
            cursor.execute("RESET SESSION AUTHORIZATION")
            cursor.execute("SELECT checkout.create_organization('Model') AS id")
            cursor.execute(
                "SELECT set_config('checkout_sessions.organization_id', %s, false)", (cursor.fetchone()["id"],)
            )
            cursor.execute(f"SET SESSION AUTHORIZATION {self.db.shop}")

    def ask(self, function, *arguments, **named):
        """The row of the answer, or the SQLSTATE of the refusal."""
        self.part.count("steps")
        given = ", ".join(["%s"] * len(arguments) + [f"{name} => %s" for name in named])
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(f"SELECT * FROM checkout.{function}({given})", [*arguments, *named.values()])
                rows = cursor.fetchall()
                return rows if function.startswith("list_") else rows[0]
            except psycopg2.Error as error:
                return error.pgcode

    @rule(target=sessions, key=st.none() | IDS, retries=st.integers(0, 2))
    def create(self, key, retries):
        answer = self.ask(
            "create_checkout_session", AMOUNT, "EUR", customer_id="c", max_retry_attempts=retries, idempotency_key=key
        )
        if key in self.keys:
            session, used = self.keys[key]
            if used != retries:
                assert answer == "PT409", answer
            else:
                assert (answer["checkout_session_id"], answer["status"], answer["idempotent_replay"]) == (
                    session.id,
                    session.status,
                    True,
                )
            return multiple()
        session = Session(answer["checkout_session_id"], retries)
        assert session.id not in self.known and answer["status"] == "open"
        self.known[session.id] = session
        if key:
            self.keys[key] = session, retries
        return session

    @rule(session=sessions, id=IDS)
    def begin(self, session, id):
        answer, payment = self.ask("begin_payment", session.id, id), self.payments.get(id)
        if payment and (session not in payment.sessions or payment.status in ("succeeded", "rejected")):
            assert answer == "PT409", answer
        elif payment and payment.status == "processing" and session.holder == id:
            assert answer["status"] == "processing" and answer["idempotent_replay"]
        elif session.status != "open" or session.holder:
            assert answer == "PT409", answer
        else:
            assert answer["status"] == "processing" and not answer["idempotent_replay"]
            payment = self.payments.setdefault(id, Payment(id, session))
            payment.status, session.holder = "processing", id

    @rule(session=sessions, id=IDS, outcome=st.sampled_from(["succeeded", "succeeded", "failed", "failed", "canceled"]))
    def record(self, session, id, outcome):
        answer, payment = self.ask("record_payment", session.id, id, outcome), self.payments.get(id)
        if payment and session not in payment.sessions:
            assert answer == "PT409", answer
            return
        status = payment.status if payment else None
        replay = (
            status == "succeeded"
            or status == "rejected"
            or status == "failed"
            and outcome in ("failed", "canceled")
            or status == "canceled"
            and outcome == "canceled"
        )
        if not replay:
            payment = self.payments.setdefault(id, Payment(id, session))
            self.settle(session, payment, outcome)
        assert (answer["status"], answer["rejection_reason"]) == (payment.status, payment.reason), (
            dict(answer),
            payment.status,
        )
        assert bool(answer["idempotent_replay"]) == replay, dict(answer)

    def settle(self, session, payment, outcome):
        if session.holder == payment.id:
            session.holder = None
        if outcome == "succeeded" and session.status == "open":
            session.accept(payment)
        elif outcome == "succeeded":
            payment.status = "rejected"
            payment.reason = {"complete": "already_paid"}.get(session.status, f"session_{session.status}")
            session.events.append("payment_rejected")
        elif outcome == "failed" and session.status == "open":
            payment.status = "failed"
            counts = session.attempts <= session.retries
            session.attempts += counts
            if not session.fails() and counts:
                session.events.append("payment_failed")
        else:
            payment.status = outcome
            session.fails()

    @rule(session=sessions)
    def expire(self, session):
        answer = self.ask("expire_checkout_session", session.id)
        if session.status in ("complete", "failed") or session.status == "open" and session.holder:
            assert answer == "PT409", answer
            return
        if session.status == "open":
            session.status = "expired"
            session.events.append("expired")
        assert answer["status"] == "expired"

    @rule(target=sessions, session=sessions)
    def recover(self, session):
        answer, root = self.ask("recover_checkout_session", session.id), session.root
        living = [one for one in root.recoveries if one.status in ("open", "complete")]
        if session.status != "expired" or any(one.status == "complete" for one in living):
            assert answer == "PT409", answer
            return multiple()
        if living:
            assert answer["checkout_session_id"] == living[0].id
            return multiple()
        recovered = Session(answer["checkout_session_id"], session.retries, root)
        assert recovered.id not in self.known and answer["recovered_from"] == session.id
        self.known[recovered.id] = recovered
        root.recoveries.append(recovered)
        return recovered

    @rule(id=IDS, refund=IDS, amount=st.sampled_from([None, Decimal("0.01"), Decimal("5"), AMOUNT, Decimal("12.51")]))
    def refund(self, id, refund, amount):
        answer, payment = self.ask("record_refund", id, refund, amount), self.payments.get(id)
        known = self.refunds.get(refund)
        if payment is None:
            assert answer == "PT404", answer
            return
        left = AMOUNT - sum(payment.refunds.values())
        if payment.status not in ("succeeded", "rejected") or known and known != id:
            assert answer == "PT409", answer
        elif known:
            if amount is not None and amount != payment.refunds[refund]:
                assert answer == "PT409", answer
            else:
                assert (answer["amount"], answer["idempotent_replay"]) == (payment.refunds[refund], True)
        elif (amount or left) > left or left == 0:
            assert answer == "PT409", answer
        else:
            assert (answer["amount"], answer["status"]) == (amount or left, "succeeded")
            payment.refunds[refund], self.refunds[refund] = amount or left, id
            # The session that is paid with it, or that has rejected it.
            payment.sessions[-1].events.append("refunded")

    @rule(id=IDS, session=sessions)
    def apply(self, id, session):
        answer, payment = self.ask("apply_payment", id, session.id), self.payments.get(id)
        if payment is None:
            assert answer == "PT404", answer
        elif payment.status == "succeeded" and session in payment.sessions:
            assert answer["status"] == "succeeded"
        elif payment.status != "rejected" or payment.refunds or session.status != "open":
            assert answer == "PT409", answer
        else:
            assert answer["status"] == "succeeded"
            payment.sessions[-1].events.append("payment_applied")
            payment.sessions.append(session)
            session.accept(payment)

    @rule(status=st.sampled_from([None, "open", "complete", "failed", "expired"]), size=st.integers(1, 4))
    def list(self, status, size):
        shown, after = [], None
        while page := self.ask("list_checkout_sessions", status=status, page_size=size, starting_after=after):
            shown += page
            after = page[-1]["checkout_session_id"]
        expected = {one.id: one.status for one in self.known.values() if status in (None, one.status)}
        assert len(shown) == len(expected) and {row["checkout_session_id"]: row["status"] for row in shown} == expected

    def teardown(self):
        for session in self.known.values():
            row = self.ask("get_checkout_session", session.id)
            told = (row["status"], row["attempts"], row["payment_id"] if row["status"] == "complete" else None)
            assert told == (session.status, session.attempts, session.paid_by), (dict(row), vars(session))
            events = [event["event_type"].rpartition(".")[2] for event in self.db.events(session.id)]
            assert events == session.events, (events, session.events)
        self.part.count("sessions", len(self.known))


def run(part):
    server = part.server("one", "checkout_sessions.worker_enabled=off")
    db = server.create_database()
    number = 0
    while part.goes_on():
        number += 1
        connection = db.connect()
        told = io.StringIO()

        class Round(Model):
            pass

        Round.part, Round.db, Round.connection = part, db, connection
        settings = hypothesis.settings(
            max_examples=EXAMPLES_AT_ONCE,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        try:
            with contextlib.redirect_stdout(told):
                run_state_machine_as_test(hypothesis.seed(f"{part.seed} {number}")(Round), settings=settings)
        except Exception:
            part.violation(f"round {number}: {told.getvalue()[-3000:]}\n{traceback.format_exc()[-3000:]}")
        connection.close()
        part.count("examples", EXAMPLES_AT_ONCE)
    part.settle(server)
