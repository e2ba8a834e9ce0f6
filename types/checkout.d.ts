// The types of schema checkout, for createClient<Database>() of supabase-js. scripts/types makes this file.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

type Checkout = Database["checkout"]

export type Database = {
  checkout: {
    Tables: Record<never, never>
    Views: {
      /** Checkout sessions of the caller's organization and environment, with their status as of now. */
      checkout_sessions: {
        Row: {
          checkout_session_id: string
          organization_id: string
          environment: "live" | "test"
          amount: number
          currency_code: string
          status: "open" | "complete" | "failed" | "expired"
          payment_status: "unpaid" | "processing" | "paid"
          payment_id: string | null
          attempts: number
          max_retry_attempts: number
          title: string | null
          description: string | null
          reference: string | null
          customer_id: string | null
          customer_email: string | null
          customer_name: string | null
          customer_phone: string | null
          product_id: string | null
          price_id: string | null
          subscription_id: string | null
          payment_link_id: string | null
          quantity: number
          allow_quantity: boolean
          allow_coupon_code: boolean
          require_billing_address: boolean
          is_spi: boolean
          is_pos: boolean
          country: string | null
          success_url: string | null
          cancel_url: string | null
          url: string | null
          payment_methods: string[] | null
          metadata: Json
          recovered_from: string | null
          expires_at: string
          completed_at: string | null
          created_at: string
          created_by: string | null
          created_with: "secret" | "publishable"
          trace_id: string | null
          updated_at: string
        }
        Relationships: []
      }
      /** The sessions whose status is open: the same as checkout_sessions with that filter. */
      open_checkout_sessions: {
        Row: {
          checkout_session_id: string
          organization_id: string
          environment: "live" | "test"
          amount: number
          currency_code: string
          status: "open" | "complete" | "failed" | "expired"
          payment_status: "unpaid" | "processing" | "paid"
          payment_id: string | null
          attempts: number
          max_retry_attempts: number
          title: string | null
          description: string | null
          reference: string | null
          customer_id: string | null
          customer_email: string | null
          customer_name: string | null
          customer_phone: string | null
          product_id: string | null
          price_id: string | null
          subscription_id: string | null
          payment_link_id: string | null
          quantity: number
          allow_quantity: boolean
          allow_coupon_code: boolean
          require_billing_address: boolean
          is_spi: boolean
          is_pos: boolean
          country: string | null
          success_url: string | null
          cancel_url: string | null
          url: string | null
          payment_methods: string[] | null
          metadata: Json
          recovered_from: string | null
          expires_at: string
          completed_at: string | null
          created_at: string
          created_by: string | null
          created_with: "secret" | "publishable"
          trace_id: string | null
          updated_at: string
        }
        Relationships: []
      }
      /** Payments of the caller's checkout sessions. Failed and rejected ones are included. */
      payments: {
        Row: {
          payment_id: string
          checkout_session_id: string
          organization_id: string
          environment: "live" | "test"
          status: "processing" | "succeeded" | "failed" | "canceled" | "rejected"
          rejection_reason: "session_expired" | "session_failed" | "already_paid" | "amount_mismatch" | "currency_mismatch" | null
          amount: number
          currency_code: string
          payment_method: string | null
          failure_code: string | null
          failure_message: string | null
          lease_expires_at: string | null
          refunded_amount: number
          pending_refund_amount: number
          reported_amount: number | null
          reported_currency_code: string | null
          applied_from: string | null
          occurred_at: string | null
          created_at: string
          updated_at: string
        }
        Relationships: [{
          foreignKeyName: "payments_of_checkout_sessions"
          columns: ["checkout_session_id"]
          isOneToOne: false
          referencedRelation: "checkout_sessions"
          referencedColumns: ["checkout_session_id"]
        }]
      }
      /** Refunds of the caller's payments. Failed ones are included. */
      refunds: {
        Row: {
          refund_id: string
          payment_id: string
          organization_id: string
          environment: "live" | "test"
          status: "pending" | "succeeded" | "failed"
          amount: number
          currency_code: string
          reason: string | null
          created_at: string
          updated_at: string
        }
        Relationships: [{
          foreignKeyName: "refunds_of_payments"
          columns: ["payment_id"]
          isOneToOne: false
          referencedRelation: "payments"
          referencedColumns: ["payment_id"]
        }]
      }
      /** Attempts to deliver events to the webhook endpoints of the caller's organization and environment. */
      webhook_attempts: {
        Row: {
          event_id: string
          webhook_endpoint_id: string
          attempt: number
          recorded_at: string
          status_code: number | null
          error: string | null
          duration: string | null
          response_body: string | null
          organization_id: string
          environment: "live" | "test"
          subject_id: string
          sequence: number
        }
        Relationships: [{
          foreignKeyName: "webhook_attempts_of_webhook_deliveries"
          columns: ["webhook_endpoint_id", "subject_id", "sequence"]
          isOneToOne: false
          referencedRelation: "webhook_deliveries"
          referencedColumns: ["webhook_endpoint_id", "subject_id", "sequence"]
        }]
      }
      /** Deliveries of events to the webhook endpoints and consumers of the caller's organization and environment. */
      webhook_deliveries: {
        Row: {
          event_id: string
          webhook_endpoint_id: string | null
          consumer: string | null
          event_type: string
          organization_id: string
          environment: "live" | "test"
          checkout_session_id: string | null
          status: "pending" | "leased" | "delivered" | "dead" | "paused"
          delivery_attempts: number
          next_attempt_at: string | null
          delivered_at: string | null
          dead_at: string | null
          last_attempt_at: string | null
          last_status_code: number | null
          last_error: string | null
          created_at: string
          subject_id: string
          sequence: number
        }
        Relationships: [{
          foreignKeyName: "webhook_deliveries_of_webhook_events"
          columns: ["subject_id", "sequence"]
          isOneToOne: false
          referencedRelation: "webhook_events"
          referencedColumns: ["subject_id", "sequence"]
        }]
      }
      /** Webhook endpoints of the caller's organization and environment, without their secrets. */
      webhook_endpoints: {
        Row: {
          webhook_endpoint_id: string
          organization_id: string
          environment: "live" | "test"
          url: string
          event_types: string[]
          body_format: "canonical" | "kobo" | "lomi" | "paygate" | "flutterwave" | "yuno"
          signature_scheme: "standard" | "stripe"
          description: string | null
          enabled: boolean
          disabled_reason: string | null
          disabled_at: string | null
          failing_since: string | null
          created_at: string
          created_by: string
          updated_at: string
          previous_secret_expires_at: string | null
        }
        Relationships: []
      }
      /** Webhook events of the caller's organization and environment, and the state of their deliveries. */
      webhook_events: {
        Row: {
          event_id: string
          event_type: "checkout.session.completed" | "checkout.session.expired" | "checkout.session.failed" | "checkout.session.expiring" | "checkout.session.payment_failed" | "checkout.session.payment_rejected" | "checkout.session.payment_applied" | "checkout.session.refunded" | "checkout.session.refund_failed" | "webhook_endpoint.disabled"
          organization_id: string
          environment: "live" | "test"
          subject_type: "checkout_session" | "webhook_endpoint"
          subject_id: string
          checkout_session_id: string | null
          sequence: number
          payment_id: string | null
          created_at: string
          status: "pending" | "leased" | "delivered" | "dead" | "skipped"
        }
        Relationships: [{
          foreignKeyName: "webhook_events_of_checkout_sessions"
          columns: ["checkout_session_id"]
          isOneToOne: false
          referencedRelation: "checkout_sessions"
          referencedColumns: ["checkout_session_id"]
        }]
      }
    }
    Functions: {
      /** Marks events that a consumer has leased as delivered, and returns how many it marked. */
      ack_webhook_events: {
        Args: {
          consumer: string
          event_ids: string[]
          lease_token: string
        }
        Returns: number
      }
      /** Puts a database to work that was restored or copied, and returns since when it is active. */
      activate_database: {
        Args: Record<PropertyKey, never>
        Returns: string
      }
      /** Pays an open session with a payment that another session has rejected, and returns the payment. */
      apply_payment: {
        Args: {
          payment_id: string
          checkout_session_id: string
        }
        Returns: Checkout["CompositeTypes"]["payment"]
      }
      /** Presents an API key for the rest of the transaction, and returns its organization, environment and kind. */
      authenticate: {
        Args: {
          api_key: string
        }
        Returns: {
          organization_id: string
          environment: "live" | "test"
          kind: "secret" | "publishable"
          api_key_id: string | null
        }[]
      }
      /** Records that a payment has begun, and returns the payment. */
      begin_payment: {
        Args: {
          checkout_session_id: string
          payment_id: string
          payment_method?: string | null
          lease?: string | null
        }
        Returns: Checkout["CompositeTypes"]["payment"]
      }
      /** For a relay: leases deliveries that are due, of all organizations, and returns the signed requests to send. */
      claim_webhook_deliveries: {
        Args: {
          batch_size?: number | null
          lease?: string | null
          per_endpoint?: number | null
          in_flight?: string[] | null
          except_organizations?: string[] | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_delivery_request"][]
      }
      /** Leases events that are due for a consumer, and returns them with their body and lease_token. */
      claim_webhook_events: {
        Args: {
          consumer: string
          batch_size?: number | null
          lease?: string | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_event"][]
      }
      /** Creates an API key and returns it, this one time with the key itself in api_key. */
      create_api_key: {
        Args: {
          organization_id: string
          kind: "secret" | "publishable"
          environment: "live" | "test"
          name?: string | null
          payment_methods?: string[] | null
          expires_at?: string | null
        }
        Returns: Checkout["CompositeTypes"]["api_key"]
      }
      /** Creates a checkout session and returns it. */
      create_checkout_session: {
        Args: {
          amount: number
          currency_code: string
          title?: string | null
          description?: string | null
          reference?: string | null
          customer_id?: string | null
          customer_email?: string | null
          customer_name?: string | null
          customer_phone?: string | null
          product_id?: string | null
          price_id?: string | null
          subscription_id?: string | null
          payment_link_id?: string | null
          quantity?: number | null
          allow_quantity?: boolean | null
          allow_coupon_code?: boolean | null
          require_billing_address?: boolean | null
          is_spi?: boolean | null
          is_pos?: boolean | null
          country?: string | null
          success_url?: string | null
          cancel_url?: string | null
          payment_methods?: string[] | null
          max_retry_attempts?: number | null
          metadata?: Json | null
          expires_at?: string | null
          expires_in?: string | null
          idempotency_key?: string | null
          trace_id?: string | null
        }
        Returns: Checkout["CompositeTypes"]["checkout_session"]
      }
      /** Creates an organization and returns its id. */
      create_organization: {
        Args: {
          name: string
          default_lifetime?: string | null
          minimum_lifetime?: string | null
          maximum_lifetime?: string | null
          max_retry_attempts?: number | null
          reference_policy?: "none" | "unique" | "error" | "return_existing" | "expire_previous" | null
          sub_minor_amounts?: boolean | null
          payment_methods?: string[] | null
          base_url?: string | null
          expiring_notice?: string | null
          maximum_lease?: string | null
          payment_method_leases?: Json | null
          require_payment_amount?: boolean | null
          app_link_schemes?: string[] | null
          strict_parameters?: boolean | null
          allowed_origins?: string[] | null
          organization_id?: string | null
        }
        Returns: string
      }
      /** Registers a consumer of events by its name, and returns it. */
      create_webhook_consumer: {
        Args: {
          name: string
          event_types?: string[] | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_consumer"]
      }
      /** Registers a URL for the organization's events in this environment, and returns the endpoint with its secret. */
      create_webhook_endpoint: {
        Args: {
          url: string
          event_types?: string[] | null
          body_format?: "canonical" | "kobo" | "lomi" | "paygate" | "flutterwave" | "yuno" | null
          signature_scheme?: "standard" | "stripe" | null
          description?: string | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_endpoint"]
      }
      /** Returns the environment that the caller acts in, live or test. */
      current_environment: {
        Args: Record<PropertyKey, never>
        Returns: string
      }
      /** Returns the organization that the caller acts for. */
      current_organization_id: {
        Args: Record<PropertyKey, never>
        Returns: string
      }
      /** Removes a consumer with its deliveries, and returns it. */
      delete_webhook_consumer: {
        Args: {
          name: string
          discard_undelivered?: boolean | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_consumer"]
      }
      /** Removes a webhook endpoint with its deliveries and attempts, and returns it. */
      delete_webhook_endpoint: {
        Args: {
          webhook_endpoint_id: string
          discard_undelivered?: boolean | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_endpoint"]
      }
      /** Expires an open checkout session now, and returns it. A session that is already expired does not change. */
      expire_checkout_session: {
        Args: {
          checkout_session_id: string
        }
        Returns: Checkout["CompositeTypes"]["checkout_session"]
      }
      /** Expires sessions of all organizations whose deadline has passed, and writes their events. */
      expire_due_checkout_sessions: {
        Args: {
          batch?: number | null
        }
        Returns: number
      }
      /** Returns a checkout session as it is now. */
      get_checkout_session: {
        Args: {
          checkout_session_id: string
        }
        Returns: Checkout["CompositeTypes"]["checkout_session"]
      }
      /** Lets a role call the functions of an access, and read its views. Only a superuser can call this. */
      grant_access: {
        Args: {
          role: string
          access: string
        }
        Returns: undefined
      }
      /** Answers an HTTP request in the way of a dialect. For a gateway that forwards requests and answers. */
      handle_request: {
        Args: {
          api: "kobo" | "lomi" | "paygate" | "flutterwave" | "yuno"
          method: string
          path: string
          headers?: Json | null
          query?: Json | null
          body?: string | null
        }
        Returns: Checkout["CompositeTypes"]["http_response"]
      }
      /** Returns the API keys of one organization, or of all, oldest first. */
      list_api_keys: {
        Args: {
          organization_id?: string | null
        }
        Returns: Checkout["CompositeTypes"]["api_key"][]
      }
      /** Returns checkout sessions, newest first. A session is returned if it matches every argument given. */
      list_checkout_sessions: {
        Args: {
          status?: "open" | "complete" | "failed" | "expired" | null
          customer_id?: string | null
          customer_email?: string | null
          reference?: string | null
          payment_id?: string | null
          created_after?: string | null
          created_before?: string | null
          page_size?: number | null
          starting_after?: string | null
          ending_before?: string | null
          page_offset?: number | null
        }
        Returns: Checkout["CompositeTypes"]["checkout_session"][]
      }
      /** For operators: returns dead deliveries, the most recent to die first. redeliver_webhook_events makes them due again. */
      list_dead_webhook_deliveries: {
        Args: {
          organization_id?: string | null
          webhook_endpoint_id?: string | null
          page_size?: number | null
          page_offset?: number | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_delivery"][]
      }
      /** Returns all organizations and their settings. */
      list_organizations: {
        Args: Record<PropertyKey, never>
        Returns: Checkout["CompositeTypes"]["organization"][]
      }
      /** Returns payments: those of a session oldest first, or else the newest first. Failed and rejected ones are included. */
      list_payments: {
        Args: {
          checkout_session_id?: string | null
          status?: "processing" | "succeeded" | "failed" | "canceled" | "rejected" | null
          rejection_reason?: "session_expired" | "session_failed" | "already_paid" | "amount_mismatch" | "currency_mismatch" | null
          payment_method?: string | null
          to_refund?: boolean | null
          occurred_after?: string | null
          occurred_before?: string | null
          page_size?: number | null
          starting_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["payment"][]
      }
      /** Returns the refunds of a payment, oldest first, including failed ones. */
      list_refunds: {
        Args: {
          payment_id: string
        }
        Returns: Checkout["CompositeTypes"]["refund"][]
      }
      /** Returns the attempts to deliver an event to the organization's webhook endpoints, or to one of them, oldest first. */
      list_webhook_attempts: {
        Args: {
          event_id: string
          webhook_endpoint_id?: string | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_attempt"][]
      }
      /** Returns the consumers of the caller's organization and environment, oldest first. */
      list_webhook_consumers: {
        Args: Record<PropertyKey, never>
        Returns: Checkout["CompositeTypes"]["webhook_consumer"][]
      }
      /** Returns the deliveries to a webhook endpoint. */
      list_webhook_deliveries: {
        Args: {
          webhook_endpoint_id: string
          status?: "pending" | "leased" | "delivered" | "dead" | "paused" | null
          page_size?: number | null
          starting_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_delivery"][]
      }
      /** Returns the organization's webhook endpoints in this environment, oldest first, without their secrets. */
      list_webhook_endpoints: {
        Args: Record<PropertyKey, never>
        Returns: Checkout["CompositeTypes"]["webhook_endpoint"][]
      }
      /** Returns the organization's webhook events. */
      list_webhook_events: {
        Args: {
          checkout_session_id?: string | null
          event_type?: string | null
          status?: "pending" | "leased" | "delivered" | "dead" | "skipped" | null
          page_size?: number | null
          starting_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_event"][]
      }
      /** Reports that a consumer could not deliver an event that it has leased, and returns the delivery. */
      nack_webhook_event: {
        Args: {
          consumer: string
          event_id: string
          lease_token: string
          error?: string | null
          retry_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_delivery"]
      }
      /** For a relay: returns the time when the next delivery is due or its lease ends. NULL if there is none. */
      next_webhook_attempt_at: {
        Args: {
          after?: string | null
        }
        Returns: string
      }
      /** For operators: returns the number of pending, leased, delivered and dead deliveries of each webhook endpoint and consumer. */
      outbox_status: {
        Args: Record<PropertyKey, never>
        Returns: {
          organization_id: string | null
          environment: "live" | "test" | null
          webhook_endpoint_id: string | null
          url: string | null
          consumer: string | null
          enabled: boolean | null
          failing_since: string | null
          pending: number | null
          leased: number | null
          delivered: number | null
          dead: number | null
          oldest_pending_at: string | null
          lag: string | null
        }[]
      }
      /** Presents the credential of an HTTP request. For PostgREST's setting db-pre-request. */
      pre_request: {
        Args: Record<PropertyKey, never>
        Returns: undefined
      }
      /** Returns the part of a checkout session that a payment page needs. */
      public_checkout_session: {
        Args: {
          checkout_session_id: string
          client_secret: string
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
      }
      /** Records how a payment ended, and returns the payment. Check its status. */
      record_payment: {
        Args: {
          checkout_session_id: string
          payment_id: string
          outcome: "succeeded" | "failed" | "canceled"
          amount?: number | null
          currency_code?: string | null
          payment_method?: string | null
          failure_code?: string | null
          failure_message?: string | null
          attempt_id?: string | null
          occurred_at?: string | null
        }
        Returns: Checkout["CompositeTypes"]["payment"]
      }
      /** Records that money of a payment was returned, or is being returned, and returns the refund. */
      record_refund: {
        Args: {
          payment_id: string
          refund_id: string
          amount?: number | null
          status?: "pending" | "succeeded" | "failed" | null
          reason?: string | null
        }
        Returns: Checkout["CompositeTypes"]["refund"]
      }
      /** For a relay: records the result of an attempt, and returns the delivery. */
      record_webhook_attempt: {
        Args: {
          event_id: string
          webhook_endpoint_id: string
          lease_token: string
          status_code?: number | null
          error?: string | null
          duration?: string | null
          response_body?: string | null
          retry_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_delivery"]
      }
      /** For a relay: records the results of many attempts at once, and returns their deliveries. */
      record_webhook_attempts: {
        Args: {
          attempts: Json
        }
        Returns: Checkout["CompositeTypes"]["webhook_delivery"][]
      }
      /** Creates an open checkout session with the contents of an expired one, and returns it. */
      recover_checkout_session: {
        Args: {
          checkout_session_id: string
          expires_at?: string | null
          expires_in?: string | null
        }
        Returns: Checkout["CompositeTypes"]["checkout_session"]
      }
      /** Makes events due again, and returns the number of deliveries. Their attempts start from the beginning. */
      redeliver_webhook_events: {
        Args: {
          event_ids?: string[] | null
          webhook_endpoint_id?: string | null
          created_after?: string | null
          created_before?: string | null
          status?: string | null
          webhook_consumer_id?: string | null
        }
        Returns: number
      }
      /** Returns a URL with {CHECKOUT_SESSION_ID} replaced by the id of a checkout session. */
      redirect_url: {
        Args: {
          url: string
          checkout_session_id: string
        }
        Returns: string
      }
      /** For a relay: gives a lease back without an attempt, so that the delivery is due at once. */
      release_webhook_delivery: {
        Args: {
          event_id: string
          webhook_endpoint_id: string
          lease_token: string
        }
        Returns: boolean
      }
      /** Returns the body of a webhook event in the format of a dialect. */
      render_webhook_event: {
        Args: {
          event_id: string
          api: "kobo" | "lomi" | "paygate" | "flutterwave" | "yuno"
        }
        Returns: string
      }
      /** Takes an access back that grant_access gave. Only a superuser can call this. */
      revoke_access: {
        Args: {
          role: string
          access: string
        }
        Returns: undefined
      }
      /** Makes an API key invalid, at once and for good, and returns it. */
      revoke_api_key: {
        Args: {
          api_key_id: string
        }
        Returns: Checkout["CompositeTypes"]["api_key"]
      }
      /** Creates an API key that replaces another, and returns it with the key itself. */
      roll_api_key: {
        Args: {
          api_key_id: string
          overlap?: string | null
          expires_at?: string | null
        }
        Returns: Checkout["CompositeTypes"]["api_key"]
      }
      /** Gives a webhook endpoint a new secret, and returns the endpoint, this one time with the secret. */
      roll_webhook_secret: {
        Args: {
          webhook_endpoint_id: string
          overlap?: string | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_endpoint"]
      }
      /** Makes the client_secret of every session of an organization invalid, and returns the organization. */
      rotate_client_secrets: {
        Args: {
          organization_id: string
        }
        Returns: Checkout["CompositeTypes"]["organization"]
      }
      /** Runs the tasks of the background worker for all organizations. */
      run_maintenance: {
        Args: {
          batch?: number | null
        }
        Returns: {
          task: string
          row_count: number
        }[]
      }
      /** Returns a row for everything that weakens the security of this installation. It should return no rows. */
      security_report: {
        Args: Record<PropertyKey, never>
        Returns: {
          finding: string
          object: string | null
          role: string | null
          advice: string
        }[]
      }
      /** Returns how many sessions were created in each hour, day, week or month, and how they ended. */
      session_funnel: {
        Args: {
          created_after?: string | null
          created_before?: string | null
          bucket?: "hour" | "day" | "week" | "month" | null
        }
        Returns: {
          bucket_start: string
          created: number
          completed: number
          failed: number
          expired: number
          open: number
          conversion: number
          median_time_to_pay: string | null
        }[]
      }
      /** Returns the checkout_session_id of the session that a dialect calls by this id. */
      session_id: {
        Args: {
          id: string
        }
        Returns: string
      }
      /** Returns the signature of a webhook. */
      sign_webhook: {
        Args: {
          webhook_id: string
          webhook_timestamp: string
          body: string
          secret: string
          scheme?: "standard" | "stripe" | null
        }
        Returns: string
      }
      /** Plays the buyer and the payment provider in the test environment, and returns the session. */
      simulate_payment: {
        Args: {
          checkout_session_id: string
          scenario: string
        }
        Returns: Checkout["CompositeTypes"]["checkout_session"]
      }
      /** Changes settings of an organization and returns it. */
      update_organization: {
        Args: {
          organization_id: string
          name?: string | null
          default_lifetime?: string | null
          minimum_lifetime?: string | null
          maximum_lifetime?: string | null
          max_retry_attempts?: number | null
          reference_policy?: "none" | "unique" | "error" | "return_existing" | "expire_previous" | null
          sub_minor_amounts?: boolean | null
          payment_methods?: string[] | null
          base_url?: string | null
          expiring_notice?: string | null
          maximum_lease?: string | null
          payment_method_leases?: Json | null
          require_payment_amount?: boolean | null
          app_link_schemes?: string[] | null
          strict_parameters?: boolean | null
          allowed_origins?: string[] | null
        }
        Returns: Checkout["CompositeTypes"]["organization"]
      }
      /** Changes a webhook endpoint, and returns it. */
      update_webhook_endpoint: {
        Args: {
          webhook_endpoint_id: string
          url?: string | null
          event_types?: string[] | null
          body_format?: "canonical" | "kobo" | "lomi" | "paygate" | "flutterwave" | "yuno" | null
          signature_scheme?: "standard" | "stripe" | null
          description?: string | null
          enabled?: boolean | null
        }
        Returns: Checkout["CompositeTypes"]["webhook_endpoint"]
      }
      /** Returns what is wrong with restored data, and how many rows it concerns. It should return no rows. */
      verify_restore: {
        Args: Record<PropertyKey, never>
        Returns: {
          problem: string
          row_count: number
        }[]
      }
      /** Returns true if a webhook with these headers and this body was signed with the secret, and not long ago. */
      verify_webhook: {
        Args: {
          headers: Json
          body: string
          secret: string
          scheme?: "standard" | "stripe" | null
          tolerance?: string | null
        }
        Returns: boolean
      }
      /** Returns the state of the background worker in this database. */
      worker_status: {
        Args: Record<PropertyKey, never>
        Returns: {
          state: string | null
          launcher_pid: number | null
          pid: number | null
          last_sweep_at: string | null
          next_sweep_at: string | null
          next_deadline: string | null
          overdue: number | null
          oldest_overdue_at: string | null
          lag: string | null
          failures: number | null
          last_error: string | null
          last_error_at: string | null
        }[]
      }
    }
    Enums: Record<never, never>
    CompositeTypes: {
      /** An API key of an organization. */
      api_key: {
        api_key_id: string
        organization_id: string
        environment: "live" | "test"
        kind: "secret" | "publishable"
        name: string | null
        payment_methods: string[] | null
        status: "active" | "replaced" | "expired" | "revoked"
        created_at: string
        created_by: string
        expires_at: string | null
        revoked_at: string | null
        replaced_by: string | null
        last_used_at: string | null
        api_key: string | null
      }
      /** A checkout session as it is at the moment of the call. */
      checkout_session: {
        checkout_session_id: string
        organization_id: string
        environment: "live" | "test"
        amount: number
        currency_code: string
        status: "open" | "complete" | "failed" | "expired"
        payment_status: "unpaid" | "processing" | "paid"
        payment_id: string | null
        attempts: number
        max_retry_attempts: number
        title: string | null
        description: string | null
        reference: string | null
        customer_id: string | null
        customer_email: string | null
        customer_name: string | null
        customer_phone: string | null
        product_id: string | null
        price_id: string | null
        subscription_id: string | null
        payment_link_id: string | null
        quantity: number
        allow_quantity: boolean
        allow_coupon_code: boolean
        require_billing_address: boolean
        is_spi: boolean
        is_pos: boolean
        country: string | null
        success_url: string | null
        cancel_url: string | null
        url: string | null
        client_secret: string | null
        payment_methods: string[] | null
        metadata: Json
        recovered_from: string | null
        expires_at: string
        completed_at: string | null
        created_at: string
        created_by: string | null
        created_with: "secret" | "publishable"
        trace_id: string | null
        updated_at: string
        idempotent_replay: boolean
      }
      /** The answer to an HTTP request. */
      http_response: {
        status: number
        headers: Json
        body: Json
      }
      /** A tenant and its settings. */
      organization: {
        organization_id: string
        name: string
        default_lifetime: string
        minimum_lifetime: string
        maximum_lifetime: string
        max_retry_attempts: number
        reference_policy: "none" | "unique" | "error" | "return_existing" | "expire_previous"
        sub_minor_amounts: boolean
        payment_methods: string[]
        base_url: string | null
        expiring_notice: string | null
        maximum_lease: string
        payment_method_leases: Json
        require_payment_amount: boolean
        app_link_schemes: string[]
        strict_parameters: boolean
        allowed_origins: string[]
        created_at: string
        updated_at: string
      }
      /** One payment of a checkout session. */
      payment: {
        payment_id: string
        checkout_session_id: string
        organization_id: string
        environment: "live" | "test"
        status: "processing" | "succeeded" | "failed" | "canceled" | "rejected"
        rejection_reason: "session_expired" | "session_failed" | "already_paid" | "amount_mismatch" | "currency_mismatch" | null
        amount: number
        currency_code: string
        payment_method: string | null
        failure_code: string | null
        failure_message: string | null
        lease_expires_at: string | null
        refunded_amount: number
        pending_refund_amount: number
        reported_amount: number | null
        reported_currency_code: string | null
        applied_from: string | null
        occurred_at: string | null
        created_at: string
        updated_at: string
        idempotent_replay: boolean
      }
      /** The part of a checkout session that a payment page needs. It has no personal data. */
      public_checkout_session: {
        checkout_session_id: string | null
        environment: "live" | "test" | null
        organization_name: string | null
        title: string | null
        description: string | null
        amount: number | null
        currency_code: string | null
        quantity: number | null
        allow_quantity: boolean | null
        allow_coupon_code: boolean | null
        require_billing_address: boolean | null
        payment_methods: string[] | null
        status: string | null
        payment_status: string | null
        expires_at: string | null
        success_url: string | null
        cancel_url: string | null
      }
      /** One refund of a payment. */
      refund: {
        refund_id: string
        payment_id: string
        organization_id: string
        environment: "live" | "test"
        status: "pending" | "succeeded" | "failed"
        amount: number
        currency_code: string
        reason: string | null
        created_at: string
        updated_at: string
        idempotent_replay: boolean
      }
      /** The result of an attempt to deliver an event to an endpoint. */
      webhook_attempt: {
        event_id: string
        webhook_endpoint_id: string
        attempt: number
        recorded_at: string
        status_code: number | null
        error: string | null
        duration: string | null
        response_body: string | null
      }
      /** A program of your own that claims events by its name. */
      webhook_consumer: {
        webhook_consumer_id: string
        organization_id: string | null
        environment: "live" | "test" | null
        name: string
        event_types: string[]
        created_at: string
        created_by: string
        updated_at: string
      }
      /** The delivery of one event to one receiver. */
      webhook_delivery: {
        event_id: string
        webhook_endpoint_id: string | null
        consumer: string | null
        event_type: string
        organization_id: string
        environment: "live" | "test"
        checkout_session_id: string | null
        status: "pending" | "leased" | "delivered" | "dead" | "paused"
        delivery_attempts: number
        next_attempt_at: string | null
        delivered_at: string | null
        dead_at: string | null
        last_attempt_at: string | null
        last_status_code: number | null
        last_error: string | null
        created_at: string
      }
      /** A request for a relay to send: POST the body to the url with the headers. */
      webhook_delivery_request: {
        event_id: string | null
        webhook_endpoint_id: string | null
        organization_id: string | null
        environment: "live" | "test" | null
        event_type: string | null
        url: string | null
        headers: Json | null
        body: string | null
        attempt: number | null
        lease_token: string | null
        lease_expires_at: string | null
        to_localhost: boolean | null
      }
      /** A URL that events of an organization are sent to. */
      webhook_endpoint: {
        webhook_endpoint_id: string
        organization_id: string
        environment: "live" | "test"
        url: string
        event_types: string[]
        body_format: "canonical" | "kobo" | "lomi" | "paygate" | "flutterwave" | "yuno"
        signature_scheme: "standard" | "stripe"
        description: string | null
        enabled: boolean
        disabled_reason: string | null
        disabled_at: string | null
        failing_since: string | null
        created_at: string
        created_by: string
        updated_at: string
        previous_secret_expires_at: string | null
        secret: string | null
      }
      /** An event of the outbox. */
      webhook_event: {
        event_id: string
        event_type: "checkout.session.completed" | "checkout.session.expired" | "checkout.session.failed" | "checkout.session.expiring" | "checkout.session.payment_failed" | "checkout.session.payment_rejected" | "checkout.session.payment_applied" | "checkout.session.refunded" | "checkout.session.refund_failed" | "webhook_endpoint.disabled"
        organization_id: string
        environment: "live" | "test"
        subject_type: "checkout_session" | "webhook_endpoint"
        subject_id: string
        checkout_session_id: string | null
        sequence: number
        payment_id: string | null
        created_at: string
        status: "pending" | "leased" | "delivered" | "dead" | "skipped"
        delivery_attempts: number | null
        lease_token: string | null
        body: string
      }
    }
  }
}
