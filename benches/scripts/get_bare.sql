SELECT * FROM checkout_data.checkout_sessions
WHERE organization_id = :tenant AND environment = 'live' AND checkout_session_id = :id;
