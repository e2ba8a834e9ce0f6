curl -X POST https://api.44.200.142.19.nip.io/v1/checkout/sessions \
-H "Authorization: Bearer sk_test_..." \
-H "Content-Type: application/json" \
-d '{
"amount": 5000,
"currency": "GHS",
"success_url": "https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}",
"cancel_url": "https://yoursite.com/cancel",
"customer_email": "customer@example.com",
"metadata": {
"order_id": "1234"
}
}'

curl https://api.44.200.142.19.nip.io/v1/checkout/sessions/cs_abc123def456 \
-H "Authorization: Bearer sk_test_..."

curl "https://api.44.200.142.19.nip.io/v1/checkout/sessions?status=complete&limit=10" \
-H "Authorization: Bearer sk_test_..."

curl -X POST https://api.44.200.142.19.nip.io/v1/checkout/sessions/cs_abc123def456/expire \
-H "Authorization: Bearer sk_test_..."
