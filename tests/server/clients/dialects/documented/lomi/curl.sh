# Authentication
curl -H "x-api-key: your-api-key" https://api.lomi.africa/checkout-sessions

# Create checkout session
curl -X POST -H "x-api-key: your-api-key" \
  -H "Content-Type: application/json" \
  -d '{
    "amount": 10000,
    "currency_code": "XOF",
    "title": "Premium Plan",
    "customer_email": "customer@example.com",
    "success_url": "https://example.com/success"
  }' \
  "https://api.lomi.africa/checkout-sessions"

# List checkout sessions
curl -H "x-api-key: your-api-key" \
  "https://api.lomi.africa/checkout-sessions?status=open&limit=20"

# Get a checkout session
curl -H "x-api-key: your-api-key" \
  "https://api.lomi.africa/checkout-sessions/987e6543-e89b-12d3-a456-426614174000"
