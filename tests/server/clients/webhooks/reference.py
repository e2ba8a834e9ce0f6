"""The reference library for Python, on lines of JSON, as in reference.js for JavaScript."""

import json
import sys
from datetime import datetime, timezone

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    message = json.loads(line)
    webhook = Webhook(message["secret"])
    if "headers" in message:
        try:
            webhook.verify(message["body"], message["headers"])
            answer = True
        except (WebhookVerificationError, ValueError):
            answer = False
    else:
        now = datetime.now(tz=timezone.utc)
        answer = {
            "webhook-id": message["id"],
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": webhook.sign(message["id"], now, message["body"]),
        }
    print(json.dumps(answer))
