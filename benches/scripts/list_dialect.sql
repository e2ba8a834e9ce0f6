SELECT * FROM checkout.handle_request('lomi', 'GET', '/checkout-sessions', '{}', '{"limit": "20"}');
