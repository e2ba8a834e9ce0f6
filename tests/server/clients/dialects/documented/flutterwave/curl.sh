curl --request POST \
  --url https://developersandbox-api.flutterwave.com/checkout/sessions \
  --header 'Authorization: Bearer <token>' \
  --header 'Content-Type: application/json' \
  --data '
{
  "amount": 12.34,
  "currency": "NGN",
  "customer_id": "<string>",
  "redirect_url": "<string>",
  "reference": "<string>",
  "max_retry_attempts": 3,
  "session_duration": 1442
}
'
