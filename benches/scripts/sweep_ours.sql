SELECT checkout.expire_due_checkout_sessions(1000);
