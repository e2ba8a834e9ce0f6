"""Rows that are in no document, and that hold for all five dialects."""

import uuid

from dialects import rows
from dialects.shop import same

# A request that creates a session: the path, and a valid body.
CREATE = {
    "kobo": ("/v1/checkout/session/initialize", {"amount": 100, "email": "jane@example.com"}),
    "lomi": ("/checkout-sessions", {"amount": 1, "currency_code": "XOF", "customer_id": "c"}),
    "paygate": ("/v1/checkout/sessions", {
        "amount": 1, "success_url": "https://shop.example/paid", "cancel_url": "https://shop.example/cart",
    }),
    "flutterwave": ("/checkout/sessions", {"amount": 1, "currency": "NGN"}),
    "yuno": ("/v1/checkout/sessions", {
        "merchant_order_id": "1234", "country": "CO", "amount": {"currency": "COP", "value": 1},
    }),
}
# The dialect's names of the session's id and of its status, if it has one.
SHOWN = {
    "kobo": ("id", {"complete": "completed", "failed": "failed", "expired": "expired"}),
    "lomi": ("checkout_session_id", {"complete": "complete", "failed": "expired", "expired": "expired"}),
    "paygate": ("id", {"complete": "complete", "failed": "expired", "expired": "expired"}),
    "flutterwave": ("id", None),
    "yuno": ("checkout_session", None),
}


def create(shop, headers=None, **options):
    path, body = CREATE[shop.dialect]
    return shop.send("POST", path, body, headers=headers, **options)


def session_of(answer):
    body = answer.body
    return body.get("data", body)


def id_of(shop, answer):
    return session_of(answer)[SHOWN[shop.dialect][0]].removeprefix("cs_")


def idempotency_key_is_honoured(shop):
    path, body = CREATE[shop.dialect]
    for name in ("Idempotency-Key", "X-Idempotency-Key"):
        headers = {name: f"{name}-of-order-1"}
        first, again = create(shop, headers), create(shop, headers)
        assert 200 <= first.status < 300 and "Idempotent-Replayed" not in first.headers
        assert (again.status, again.text, again.headers["Idempotent-Replayed"]) == (first.status, first.text, "true")
        other = shop.send("POST", path, {**body, "amount": body["amount"] + 1 if shop.dialect != "yuno" else
                                         {"currency": "COP", "value": 2}}, headers=headers)
        assert other.status == 409
    assert shop.count() == 2


def scenario_plays_in_test_only(shop):
    for scenario, status in (("complete", "complete"), ("fail", "failed"), ("expire", "expired")):
        answer = create(shop, {"X-Scenario-Key": scenario}, environment="test")
        assert 200 <= answer.status < 300, answer
        assert shop.row(id_of(shop, answer))["status"] == status
        if SHOWN[shop.dialect][1]:
            assert session_of(answer)["status"] == SHOWN[shop.dialect][1][status]
        assert create(shop, {"X-Scenario-Key": scenario}).status == 400
    assert create(shop, {"X-Scenario-Key": "error:503"}, environment="test").status == 503
    assert create(shop, {"X-Scenario-Key": "error:503"}).status == 400
    assert shop.count() == 3


def trace_id_is_sent_back(shop):
    answer = create(shop, {"X-Trace-Id": "trace-123456"})
    assert answer.headers["X-Trace-Id"] == "trace-123456"
    assert shop.row(id_of(shop, answer))["trace_id"] == "trace-123456"


def unknown_parameter_is_passed_over(shop):
    path, body = CREATE[shop.dialect]
    plain, extended = create(shop), shop.send("POST", path, {**body, "utm_source": {"a": [1]}})
    assert extended.status == plain.status and list(session_of(extended)) == list(session_of(plain))


def strict_parameters_are_known(shop):
    path, body = CREATE[shop.dialect]
    strict = shop.another(strict_parameters=True)
    accepted = strict.send("POST", path, {**body, "utm_source": None})
    assert 200 <= accepted.status < 300, accepted
    member = {"paygate": "success_url"}.get(shop.dialect, "amount")
    wrong = {name: value for name, value in body.items() if name != member} | {member[:2] + member[3:]: body[member]}
    strict.refused(400, f"{member[:2] + member[3:]} is not a parameter; did you mean {member}?", "POST", path, wrong)
    strict.refused(400, "utm_source is not a parameter", "POST", path, body, query={"utm_source": "mail"})
    strict.refused(401, "", "POST", path, wrong, key=False)
    assert strict.count() == 1


def head_is_answered_as_get(shop):
    path, _ = CREATE[shop.dialect]
    assert shop.send("HEAD", path + "s/1/2/3").status == 404
    get = {"kobo": "/v1/checkout/session/verify/nothing", "yuno": f"{path}/nothing"}.get(shop.dialect, path)
    wanted, answer = shop.send("GET", get), shop.send("HEAD", get)
    assert (answer.status, answer.text) == (wanted.status, None)
    if wanted.status == 405:
        assert answer.headers["Allow"] == wanted.headers["Allow"] == "POST, OPTIONS"


def options_names_the_methods(shop):
    path, _ = CREATE[shop.dialect]
    answer = shop.send("OPTIONS", path, key=False)
    assert (answer.status, answer.text) == (204, None) and answer.headers["Allow"].startswith("POST, ")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert shop.send("OPTIONS", path + "s/1/2/3", key=False).status == 404


def request_id_is_always_sent_back(shop):
    answer = create(shop)
    made = uuid.UUID(answer.headers["X-Request-Id"])
    assert made.version == 7 and shop.row(id_of(shop, answer))["trace_id"] == str(made)
    answer = create(shop, {"X-Request-Id": "mine-1", "X-Trace-Id": "trace-123456"})
    assert answer.headers["X-Request-Id"] == "mine-1"
    assert shop.row(id_of(shop, answer))["trace_id"] == "trace-123456"
    for refused in (create(shop, key=False), shop.send("PUT", "/"), shop.send("OPTIONS", CREATE[shop.dialect][0])):
        assert uuid.UUID(refused.headers["X-Request-Id"]).version == 7
    for unsuitable in ("", " ", "x" * 256, "a\nb", ["a\tb"], 7):
        assert uuid.UUID(create(shop, {"X-Request-Id": unsuitable}).headers["X-Request-Id"]).version == 7


def path_is_lenient(shop):
    path, body = CREATE[shop.dialect]
    for variant in (path + "/", path + "?source=web"):
        assert shop.send("post", variant, body).status == create(shop).status
    for unknown in (path + "s/1/2/3", path.upper(), "/" + path, "", "*"):
        assert shop.send("POST", unknown, body).status == 404, unknown
    answer = shop.send("PATCH", path, body)
    assert answer.status == 405 and "POST" in answer.headers["Allow"]


def body_must_be_an_object(shop):
    path, body = CREATE[shop.dialect]
    shape = list(shop.send("PATCH", path).body)
    for wrong in (None, "[]", "null", "7", '"text"', "[{}, {}]"):
        answer = shop.send("POST", path, wrong)
        assert answer.status == 400 and "body must be a JSON object" in answer.text, (wrong, answer)
        assert list(answer.body) == shape
    assert shop.count() == 0


def nesting_has_an_end(shop):
    path, _ = CREATE[shop.dialect]
    shape = list(shop.send("PATCH", path).body)
    answer = shop.send("POST", path, '{"metadata": ' + '{"a": ' * 1000 + "1" + "}" * 1001)
    assert answer.status == 400 and list(answer.body) == shape
    assert shop.count() == 0


def app_may_be_returned_to(shop):
    path, body = CREATE[shop.dialect]
    name = {"kobo": "callback_url", "flutterwave": "redirect_url", "yuno": "callback_url"}.get(shop.dialect, "success_url")
    link = {**body, name: "myapp://done?session={CHECKOUT_SESSION_ID}"}
    shop.refused(400, f"{name} must be an http or https URL", "POST", path, link)
    shop = shop.another(app_link_schemes=["MyApp"])
    answer = shop.send("POST", path, link)
    assert 200 <= answer.status < 300, answer
    assert shop.row(id_of(shop, answer))["success_url"] == session_of(answer)[name] == link[name]
    shop.refused(400, f"{name} must be an http or https URL", "POST", path, {**body, name: "other://done"})


def header_that_is_no_text_is_400(shop):
    shape = list(shop.send("PATCH", CREATE[shop.dialect][0]).body)
    for name in ("Idempotency-Key", "X-Idempotency-Key", "X-Scenario-Key", "x-api-key", "Authorization"):
        for value in (7, {"a": 1}, True, [[]]):
            answer = create(shop, {name: value})
            assert answer.status == 400 and "must be a text" in answer.text, (name, value, answer)
            assert list(answer.body) == shape
    assert shop.count() == 0


def key_of_another_kind_is_401(shop):
    expired = shop.new_key()
    shop.market.admin("SELECT checkout.revoke_api_key(%s)", expired["api_key_id"])
    shape = create(shop, key=False)
    for key in (expired["api_key"], "", "x" * 10_000, "sk_live_'; --"):
        answer = create(shop, key=key) if key else create(shop, shop.credential(""), key=False)
        assert answer.status == 401 and same(answer.body, shape.body)
    both = create(shop, {"x-api-key": shop.key(), "authorization": f"Bearer {shop.another().key()}"}, key=False)
    assert both.status == 401
    assert shop.count() == 0


for dialect in CREATE:
    documented = rows.of(dialect)
    if dialect != "flutterwave":  # which documents its headers
        name, says = "X-Idempotency-Key", "(silent) it or Idempotency-Key makes create safe to repeat"
        documented("header", name, says)(idempotency_key_is_honoured)
        says = "(silent) complete, fail, expire, error:<status>; in the test environment only"
        documented("header", "X-Scenario-Key", says)(scenario_plays_in_test_only)
        documented("header", "X-Trace-Id", "(silent) kept with the session and sent back")(trace_id_is_sent_back)
    says = "(silent) parameters that are not documented are passed over"
    documented("rule", "other parameters", says)(unknown_parameter_is_passed_over)
    says = "(silent) refused with 400 and the nearest name, if the organization has strict_parameters"
    documented("rule", "other parameters", says)(strict_parameters_are_known)
    documented("operation", "HEAD", "(silent) as GET, without a body")(head_is_answered_as_get)
    documented("operation", "OPTIONS", "(silent) 204, with the path's methods in Allow")(options_names_the_methods)
    says = "(silent) sent back with every answer; a new UUID if the request has none"
    documented("header", "X-Request-Id", says)(request_id_is_always_sent_back)
    says = "(silent) a slash at the end does not matter; others are 404, other methods 405 with Allow"
    documented("rule", "paths", says)(path_is_lenient)
    documented("error", "400 body", "(silent) a body that is no JSON object")(body_must_be_an_object)
    documented("error", "400 nesting", "(silent) a body that is nested deeper than can be read")(nesting_has_an_end)
    documented("error", "400 headers", "(silent) a header that is no text")(header_that_is_no_text_is_400)
    says = "(silent) also to an app, with one of the organization's app_link_schemes"
    documented("rule", "return URLs", says)(app_may_be_returned_to)
    says = "(silent) unknown, revoked and contradicting keys get one status"
    documented("error", "401", says)(key_of_another_kind_is_401)
