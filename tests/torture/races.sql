-- What contenders do, one transaction for each thing that they fight over. They run through the same things in the same
-- order: who is ahead waits for a lock, and the others catch up, so that they stay together.
CREATE SCHEMA race;
CREATE UNLOGGED TABLE race.sessions (n integer PRIMARY KEY, id uuid NOT NULL, client_secret text NOT NULL);
-- What each contender was told. `claim` is what only one of them may be told: that it was his call which ended the session.
CREATE UNLOGGED TABLE race.answers (n integer NOT NULL, contender integer NOT NULL, act text NOT NULL, answer text NOT NULL);

CREATE FUNCTION race.act(act text, n integer, contender integer, id uuid, client_secret text) RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    payment text := pg_catalog.concat('p', contender, '-', id);
    answer text;
BEGIN
    CASE act
    WHEN 'pay' THEN
        SELECT pg_catalog.concat(p.status, ' ', p.rejection_reason) INTO answer
        FROM checkout.record_payment(id, payment, 'succeeded') AS p;
    WHEN 'pay the same' THEN
        SELECT pg_catalog.concat(p.status, ' ', p.rejection_reason, CASE WHEN p.idempotent_replay THEN ' again' END)
        INTO answer
        FROM checkout.record_payment(id, pg_catalog.concat('same-', id), 'succeeded') AS p;
    WHEN 'begin and pay' THEN
        PERFORM checkout.begin_payment(id, payment);
        SELECT pg_catalog.concat(p.status, ' ', p.rejection_reason) INTO answer
        FROM checkout.record_payment(id, payment, 'succeeded') AS p;
    WHEN 'begin' THEN
        SELECT p.status INTO answer FROM checkout.begin_payment(id, payment, lease => '1 second') AS p;
    WHEN 'fail' THEN
        SELECT p.status INTO answer FROM checkout.record_payment(id, payment, 'failed') AS p;
    WHEN 'expire' THEN
        SELECT s.status INTO answer FROM checkout.expire_checkout_session(id) AS s;
    WHEN 'cancel' THEN
        SELECT s.status INTO answer FROM checkout.cancel_checkout_session(id, client_secret, 'changed_mind') AS s;
    WHEN 'refund' THEN
        SELECT r.status INTO answer
        FROM checkout.record_refund(pg_catalog.concat('same-', id), pg_catalog.concat('r', contender, '-', id)) AS r;
    WHEN 'recover' THEN
        SELECT 'recovered' INTO answer FROM checkout.recover_checkout_session(id) AS s;
    WHEN 'read' THEN
        SELECT pg_catalog.concat('read ', s.status) INTO answer FROM checkout.get_checkout_session(id) AS s;
    END CASE;
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || CASE WHEN SQLSTATE OPERATOR(pg_catalog.<>) 'PT409' THEN ' ' || SQLERRM ELSE '' END;
END $$;

-- Each act in turn of `acts`, with another start for each contender.
CREATE PROCEDURE race.contend(contender integer, acts text[])
    LANGUAGE plpgsql AS $$
DECLARE
    one record;
    act text;
    answer text;
    ids race.sessions[] := ARRAY(SELECT s FROM race.sessions s ORDER BY s.n);
BEGIN
    FOREACH one IN ARRAY ids LOOP
        act := acts[1 + (one.n * 7 + contender * (1 + one.n % 3)) % pg_catalog.cardinality(acts)];
        answer := race.act(act, one.n, contender, one.id, one.client_secret);
        INSERT INTO race.answers VALUES (one.n, contender, act, answer);
        COMMIT;
    END LOOP;
END $$;

-- Buys one unit of each product, or with each coupon, and pays.
CREATE PROCEDURE race.buy(contender integer, product_ids text[], coupon boolean)
    LANGUAGE plpgsql AS $$
DECLARE
    product text;
    answer text;
    session uuid;
BEGIN
    FOREACH product IN ARRAY product_ids LOOP
        session := NULL;
        BEGIN
            SELECT s.checkout_session_id INTO session
            FROM checkout.create_checkout_session(
                product_id => CASE WHEN coupon THEN 'everything' ELSE product END, customer_id => 'c' || contender,
                coupon_code => CASE WHEN coupon THEN product END, expires_in => '1 hour') AS s;
            answer := 'held';
        EXCEPTION WHEN OTHERS THEN
            answer := SQLSTATE || ' ' || SQLERRM;
        END;
        COMMIT;
        IF session IS NOT NULL THEN
            BEGIN
                IF (contender + pg_catalog.hashtext(product)) % 4 = 0 THEN
                    PERFORM checkout.expire_checkout_session(session);
                    answer := 'given back';
                ELSE
                    SELECT pg_catalog.concat(p.status, ' ', p.rejection_reason) INTO answer
                    FROM checkout.record_payment(session, 'b' || session, 'succeeded') AS p;
                END IF;
            EXCEPTION WHEN OTHERS THEN
                answer := SQLSTATE || ' ' || SQLERRM;
            END;
            COMMIT;
        END IF;
        INSERT INTO race.answers VALUES (0, contender, product, answer);
        COMMIT;
    END LOOP;
END $$;

-- Renews each subscription, and pays; or cancels it at the end of its period.
CREATE PROCEDURE race.renew(contender integer, subscription_ids text[])
    LANGUAGE plpgsql AS $$
DECLARE
    subscription text;
    answer text;
    session uuid;
BEGIN
    FOREACH subscription IN ARRAY subscription_ids LOOP
        session := NULL;
        BEGIN
            IF contender = 0 AND pg_catalog.hashtext(subscription) % 5 = 0 THEN
                PERFORM checkout.cancel_subscription(subscription::uuid);
                answer := 'canceled';
            ELSE
                SELECT s.checkout_session_id INTO session
                FROM checkout.create_checkout_session(subscription_id => subscription) AS s;
                answer := 'renews';
            END IF;
        EXCEPTION WHEN OTHERS THEN
            answer := SQLSTATE || ' ' || SQLERRM;
        END;
        COMMIT;
        IF session IS NOT NULL THEN
            BEGIN
                SELECT pg_catalog.concat(p.status, ' ', p.rejection_reason) INTO answer
                FROM checkout.record_payment(session, pg_catalog.concat('n', contender, '-', session), 'succeeded') AS p;
            EXCEPTION WHEN OTHERS THEN
                answer := SQLSTATE || ' ' || SQLERRM;
            END;
            COMMIT;
        END IF;
        INSERT INTO race.answers VALUES (0, contender, subscription, answer);
        COMMIT;
    END LOOP;
END $$;
