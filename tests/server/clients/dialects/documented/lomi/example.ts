import axios from 'axios';

const apiKey = 'your-api-key';
const baseURL = 'https://api.lomi.africa';

// Create checkout session
const createCheckoutSession = async () => {
  const response = await axios.post(`${baseURL}/checkout-sessions`, {
    amount: 10000,
    currency_code: 'XOF',
    title: 'Premium Plan',
    customer_email: 'customer@example.com',
    product_id: 'product-id',
    success_url: 'https://example.com/success',
    cancel_url: 'https://example.com/cancel',
    allow_coupon_code: true
  }, {
    headers: { 'x-api-key': apiKey }
  });

  return response.data;
};

// List checkout sessions
const listCheckoutSessions = async (status?: string) => {
  const response = await axios.get(`${baseURL}/checkout-sessions`, {
    headers: { 'x-api-key': apiKey },
    params: {
      status,
      limit: 20,
      offset: 0
    }
  });

  return response.data;
};

// Get a checkout session
const getCheckoutSession = async (sessionId: string) => {
  const response = await axios.get(`${baseURL}/checkout-sessions/${sessionId}`, {
    headers: { 'x-api-key': apiKey }
  });

  return response.data;
};
