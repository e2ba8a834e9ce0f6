WITH turn AS MATERIALIZED (SELECT nextval('bench.turn') AS n)
SELECT checkout.apply_coupon(c.checkout_session_id, code => 'SUMMER') FROM turn JOIN bench.couponed c USING (n);
