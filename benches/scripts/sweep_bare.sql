DELETE FROM checkout_data.open_sessions WHERE deadline <= now();
