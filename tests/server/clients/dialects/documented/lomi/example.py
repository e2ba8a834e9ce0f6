import requests

api_key = 'your-api-key'
base_url = 'https://api.lomi.africa'
headers = {'x-api-key': api_key}

# Create checkout session
def create_checkout_session():
    payload = {
        'amount': 10000,
        'currency_code': 'XOF',
        'title': 'Premium Plan',
        'customer_email': 'customer@example.com',
        'success_url': 'https://example.com/success',
        'cancel_url': 'https://example.com/cancel'
    }

    response = requests.post(
        f'{base_url}/checkout-sessions',
        headers=headers,
        json=payload
    )
    return response.json()

# List checkout sessions
def list_checkout_sessions(status=None, limit=20, offset=0):
    params = {'limit': limit, 'offset': offset}
    if status:
        params['status'] = status

    response = requests.get(
        f'{base_url}/checkout-sessions',
        headers=headers,
        params=params
    )
    return response.json()

# Get a checkout session
def get_checkout_session(session_id):
    response = requests.get(
        f'{base_url}/checkout-sessions/{session_id}',
        headers=headers
    )
    return response.json()
