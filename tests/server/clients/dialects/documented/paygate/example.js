app.post('/create-checkout', async (req, res) => {
const { orderId, amount } = req.body
const session = await paygate.checkout.sessions.create({
amount,
currency: 'GHS',
success_url: `${process.env.FRONTEND_URL}/success?session_id={CHECKOUT_SESSION_ID}`,
cancel_url: `${process.env.FRONTEND_URL}/cart`,
metadata: { order_id: orderId }
})
res.json({ checkoutUrl: session.url })
})
// Success page verification
app.get('/verify-session', async (req, res) => {
const { session_id } = req.query
const session = await paygate.checkout.sessions.retrieve(session_id)
if (session.status === 'complete' && session.payment_status === 'paid') {
res.json({ success: true, orderId: session.metadata.order_id })
} else {
res.json({ success: false })
}
})