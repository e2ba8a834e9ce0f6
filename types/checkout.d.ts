// The types of schema checkout, for createClient<Database>() of supabase-js. scripts/types makes this file.

export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

type Checkout = Database["checkout"]

export type Database = {
  checkout: {
    Tables: Record<never, never>
    Views: {
      /** Who has made, changed, rolled or revoked what of the caller's organization: in the caller's environment, or in both. Administrators call list_admin_log. */
      admin_log: {
        Row: {
          admin_log_id: string
          organization_id: string | null
          environment: "live" | "test" | null
          created_at: string
          session_role: string
          role: string
          credential: string | null
          action: string
          subject: string
          changes: Json
        }
        Relationships: []
      }
      /** Checkout sessions of the caller's organization and environment, with their status as of now. */
      checkout_sessions: {
        Row: {
          checkout_session_id: string
          organization_id: string
          environment: "live" | "test"
          amount: number
          currency_code: string
          status: "open" | "complete" | "failed" | "expired"
          payment_status: "unpaid" | "processing" | "paid" | "no_payment_required"
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
      /** Coupons of the caller's organization and environment, and how often they were redeemed. */
      coupons: {
        Row: {
          code: string
          organization_id: string
          environment: "live" | "test"
          percent_off: number | null
          amount_off: number | null
          currency_code: string | null
          valid_from: string | null
          valid_until: string | null
          max_redemptions: number | null
          max_redemptions_per_customer: number | null
          minimum_amount: number | null
          product_ids: string[] | null
          customers: "all" | "new" | "returning"
          description: string | null
          metadata: Json
          active: boolean
          held: number
          redeemed: number
          available: number | null
          created_at: string
          updated_at: string
        }
        Relationships: []
      }
      /** The hooks of the caller's organization that have failed in the last 30 days. What they had changed was rolled back. */
      hook_failures: {
        Row: {
          hook_failure_id: string
          organization_id: string
          environment: "live" | "test"
          checkout_session_id: string
          event: "completed" | "expired" | "failed" | "refunded"
          function_name: string
          sqlstate: string
          message: string
          created_at: string
        }
        Relationships: []
      }
      /** The stock of the caller's products. A product whose stock is not tracked has no row. */
      inventory: {
        Row: {
          product_id: string
          organization_id: string
          environment: "live" | "test"
          on_hand: number
          held: number
          available: number
          continue_selling: boolean
          updated_at: string
        }
        Relationships: []
      }
      /** Every change of on_hand of the caller's products. The reason is that of an adjustment, or created, sold or not tracked. */
      inventory_changes: {
        Row: {
          inventory_change_id: string
          product_id: string
          organization_id: string
          environment: "live" | "test"
          change: number
          on_hand: number
          reason: string | null
          created_by: string | null
          created_at: string
        }
        Relationships: [{
          foreignKeyName: "inventory_changes_of_products"
          columns: ["product_id"]
          isOneToOne: false
          referencedRelation: "products"
          referencedColumns: ["product_id"]
        }]
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
          payment_status: "unpaid" | "processing" | "paid" | "no_payment_required"
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
          rejection_reason: "session_expired" | "session_failed" | "already_paid" | "amount_mismatch" | "currency_mismatch" | "out_of_stock" | "trial_used" | "already_renewed" | "subscription_canceled" | null
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
      /** Prices of the caller's products. Archived ones are included. */
      prices: {
        Row: {
          price_id: string
          product_id: string
          organization_id: string
          environment: "live" | "test"
          currency_code: string
          amount: number | null
          minimum_amount: number | null
          maximum_amount: number | null
          suggested_amount: number | null
          minimum_quantity: number
          maximum_quantity: number | null
          interval_unit: "day" | "week" | "month" | "year" | null
          interval_count: number | null
          trial_period: string | null
          is_default: boolean
          active: boolean
          description: string | null
          metadata: Json
          created_at: string
          updated_at: string
        }
        Relationships: [{
          foreignKeyName: "prices_of_products"
          columns: ["product_id"]
          isOneToOne: false
          referencedRelation: "products"
          referencedColumns: ["product_id"]
        }]
      }
      /** Products of the caller's organization and environment, and their stock. */
      products: {
        Row: {
          product_id: string
          organization_id: string
          environment: "live" | "test"
          name: string
          description: string | null
          image_url: string | null
          active: boolean
          metadata: Json
          on_hand: number | null
          held: number | null
          available: number | null
          continue_selling: boolean | null
          created_at: string
          updated_at: string
        }
        Relationships: []
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
      /** How many calls of the caller's organization were refused in the last 7 days, by minutes. The worker writes them within about 10 seconds. If the library is not preloaded, nothing is counted, and a row without a count says so. */
      request_failures: {
        Row: {
          organization_id: string
          environment: "live" | "test"
          minute: string
          function_name: string
          sqlstate: string
          failure_count: number
          last_message: string | null
          last_failed_at: string
        }
        Relationships: []
      }
      /** What the caller's checkout sessions sell. A session that says only an amount has no lines. */
      session_lines: {
        Row: {
          checkout_session_id: string
          organization_id: string
          environment: "live" | "test"
          line: number
          kind: "item" | "shipping" | "tax" | "fee"
          product_id: string | null
          price_id: string | null
          title: string | null
          image_url: string | null
          unit_amount: number
          quantity: number
          subtotal: number
          discount: number
          total: number | null
          minimum_quantity: number
          maximum_quantity: number | null
          minimum_amount: number | null
          maximum_amount: number | null
          suggested_amount: number | null
        }
        Relationships: []
      }
      /** The subscriptions that the caller's checkout sessions begin or renew, and the period that a renewal pays. */
      session_periods: {
        Row: {
          checkout_session_id: string
          organization_id: string
          environment: "live" | "test"
          subscription_id: string
          trial: boolean
          period_start: string | null
          period_end: string | null
        }
        Relationships: []
      }
      /** The sums of the lines of the caller's checkout sessions, their coupons and billing addresses. */
      session_terms: {
        Row: {
          checkout_session_id: string
          organization_id: string
          environment: "live" | "test"
          subtotal: number
          discount: number
          shipping: number
          tax: number
          fees: number
          amount: number
          coupon_code: string | null
          coupon_tries: number
          billing_address: Json | null
        }
        Relationships: []
      }
      /** When buyers opened the pages of the caller's checkout sessions, and cancelled. A session that was never opened has no row. */
      session_visits: {
        Row: {
          checkout_session_id: string
          organization_id: string
          environment: "live" | "test"
          first_opened_at: string | null
          last_opened_at: string | null
          cancelled_at: string | null
          reason_code: string | null
          reason: string | null
        }
        Relationships: []
      }
      /** Subscriptions of the caller's organization and environment. Their status is as of now. */
      subscriptions: {
        Row: {
          subscription_id: string
          organization_id: string
          environment: "live" | "test"
          status: string | null
          customer_id: string | null
          customer_email: string | null
          product_id: string
          price_id: string
          quantity: number
          amount: number | null
          currency_code: string
          interval_unit: "day" | "week" | "month" | "year"
          interval_count: number
          time_zone: string
          anchor: string
          periods_paid: number
          current_period_start: string
          current_period_end: string
          trial_end: string | null
          ends_at: string
          cancel_at_period_end: boolean
          canceled_at: string | null
          checkout_session_id: string
          latest_checkout_session_id: string
          created_at: string
          updated_at: string
        }
        Relationships: []
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
          event_type: "checkout.session.completed" | "checkout.session.expired" | "checkout.session.failed" | "checkout.session.expiring" | "checkout.session.payment_failed" | "checkout.session.payment_rejected" | "checkout.session.payment_applied" | "checkout.session.refunded" | "checkout.session.refund_failed" | "checkout.session.cancelled" | "webhook_endpoint.disabled" | "requests.failing" | "subscription.created" | "subscription.renewed" | "subscription.renewal_due" | "subscription.past_due" | "subscription.ended"
          organization_id: string
          environment: "live" | "test"
          subject_type: "checkout_session" | "webhook_endpoint" | "subscription" | "organization"
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
      /** Adds units to the stock of a product, or takes some away, and returns the product. */
      adjust_inventory: {
        Args: {
          product_id: string
          change: number
          reason?: string | null
        }
        Returns: Checkout["CompositeTypes"]["product"]
      }
      /** Applies a coupon to an open checkout session, in the place of the one that it had. */
      apply_coupon: {
        Args: {
          checkout_session_id: string
          client_secret?: string | null
          code?: string | null
        }
        Returns: Checkout["CompositeTypes"]["coupon_answer"]
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
      /** Records that the buyer of an open session does not want to pay, and why, and returns the session. */
      cancel_checkout_session: {
        Args: {
          checkout_session_id: string
          client_secret: string
          reason_code?: string | null
          reason?: string | null
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
      }
      /** Cancels a subscription, and returns it. It is not renewed any more. */
      cancel_subscription: {
        Args: {
          subscription_id: string
          at_period_end?: boolean | null
        }
        Returns: Checkout["CompositeTypes"]["subscription"]
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
      /** Completes an open checkout session in which nothing is due, and returns it. */
      complete_free_checkout_session: {
        Args: {
          checkout_session_id: string
          client_secret?: string | null
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
      }
      /** Returns what coupons have brought: a row for each coupon and currency that some session has. */
      coupon_performance: {
        Args: {
          code?: string | null
          created_after?: string | null
          created_before?: string | null
        }
        Returns: {
          coupon_code: string
          currency_code: string
          sessions: number
          redemptions: number
          subtotal: number
          discount: number
          amount: number
        }[]
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
          lines?: Json | null
          coupon_code?: string | null
        }
        Returns: Checkout["CompositeTypes"]["checkout_session"]
      }
      /** Creates a coupon, and returns it. Its value does not change: for another value create another coupon. */
      create_coupon: {
        Args: {
          code: string
          percent_off?: number | null
          amount_off?: number | null
          currency_code?: string | null
          valid_from?: string | null
          valid_until?: string | null
          max_redemptions?: number | null
          max_redemptions_per_customer?: number | null
          minimum_amount?: number | null
          product_ids?: string[] | null
          customers?: "all" | "new" | "returning" | null
          description?: string | null
          metadata?: Json | null
        }
        Returns: Checkout["CompositeTypes"]["coupon"]
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
          uses_catalog?: boolean | null
          publishable_amounts?: boolean | null
          embedding_origins?: string[] | null
          payment_method_urls?: Json | null
          allow_restart?: boolean | null
          cancel_expires?: boolean | null
          time_zone?: string | null
          renewal_grace_period?: string | null
          renewal_notice?: string | null
          hooks_required?: boolean | null
          session_retention?: string | null
          personal_metadata_keys?: string[] | null
          request_failure_threshold?: number | null
          organization_id?: string | null
        }
        Returns: string
      }
      /** Adds a price to a product, and returns it. */
      create_price: {
        Args: {
          product_id: string
          currency_code: string
          amount?: number | null
          minimum_amount?: number | null
          maximum_amount?: number | null
          suggested_amount?: number | null
          price_id?: string | null
          minimum_quantity?: number | null
          maximum_quantity?: number | null
          is_default?: boolean | null
          description?: string | null
          metadata?: Json | null
          interval_unit?: string | null
          interval_count?: number | null
          trial_period?: string | null
        }
        Returns: Checkout["CompositeTypes"]["price"]
      }
      /** Adds a product to the catalog, and returns it. create_price says what it costs. */
      create_product: {
        Args: {
          name: string
          product_id?: string | null
          description?: string | null
          image_url?: string | null
          active?: boolean | null
          metadata?: Json | null
          on_hand?: number | null
          continue_selling?: boolean | null
        }
        Returns: Checkout["CompositeTypes"]["product"]
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
      /** Returns whom the caller acts for, and with which rights. */
      current_credential: {
        Args: Record<PropertyKey, never>
        Returns: Checkout["CompositeTypes"]["credential"]
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
      /** Deletes an organization with all its rows, in pieces. Nothing of it can be had back. */
      delete_organization: {
        Args: {
          organization_id: string
          confirm: string
          batch?: number | null
        }
        Returns: boolean
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
      /** Erases what is personal about a customer from the organization's rows, in the environment of the caller. */
      erase_customer: {
        Args: {
          customer_id?: string | null
          customer_email?: string | null
        }
        Returns: {
          kind: "secret" | "publishable" | null
          row_count: number | null
        }[]
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
      /** Returns what the organization has stored about a customer, in the environment of the caller. */
      export_customer: {
        Args: {
          customer_id?: string | null
          customer_email?: string | null
        }
        Returns: Checkout["CompositeTypes"]["customer_record"][]
      }
      /** Counts the sessions of past hours for session_funnel, for all organizations. */
      fold_sessions: {
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
      /** Returns a subscription as it is now. */
      get_subscription: {
        Args: {
          subscription_id: string
        }
        Returns: Checkout["CompositeTypes"]["subscription"]
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
      /** Returns who has made, changed, rolled or revoked what, the newest first. */
      list_admin_log: {
        Args: {
          organization_id?: string | null
          created_after?: string | null
          created_before?: string | null
        }
        Returns: Checkout["CompositeTypes"]["admin_log_entry"][]
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
      /** Returns coupons, newest first. */
      list_coupons: {
        Args: {
          active?: boolean | null
          page_size?: number | null
          starting_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["coupon"][]
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
      /** Returns the hooks of an organization, or of all, with the number of their failures and the last one. */
      list_hooks: {
        Args: {
          organization_id?: string | null
        }
        Returns: Checkout["CompositeTypes"]["hook"][]
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
      /** Returns prices, newest first: those of a product, or of all. */
      list_prices: {
        Args: {
          product_id?: string | null
          active?: boolean | null
          currency_code?: string | null
          page_size?: number | null
          starting_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["price"][]
      }
      /** Returns products, newest first. */
      list_products: {
        Args: {
          active?: boolean | null
          page_size?: number | null
          starting_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["product"][]
      }
      /** Returns the refunds of a payment, oldest first, including failed ones. */
      list_refunds: {
        Args: {
          payment_id: string
        }
        Returns: Checkout["CompositeTypes"]["refund"][]
      }
      /** Returns the lines of a checkout session, in their order. A session that says only an amount has none. */
      list_session_lines: {
        Args: {
          checkout_session_id: string
        }
        Returns: Checkout["CompositeTypes"]["session_line"][]
      }
      /** Returns subscriptions, newest first. A subscription is returned if it matches every argument given. */
      list_subscriptions: {
        Args: {
          status?: string | null
          customer_id?: string | null
          customer_email?: string | null
          product_id?: string | null
          price_id?: string | null
          page_size?: number | null
          starting_after?: string | null
        }
        Returns: Checkout["CompositeTypes"]["subscription"][]
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
      /** Returns what a monitor watches: a row for live and a row for test, with the sums of all organizations. */
      monitor_figures: {
        Args: Record<PropertyKey, never>
        Returns: {
          environment: "live" | "test" | null
          open_sessions: number | null
          overdue_sessions: number | null
          overdue_seconds: unknown | null
          created_sessions: number | null
          completed_sessions: number | null
          failed_sessions: number | null
          expired_sessions: number | null
          uncounted_seconds: unknown | null
          undelivered_events: number | null
          due_seconds: unknown | null
          dead_events: number | null
          disabled_endpoints: number | null
          rejected_payments: number | null
          rejected_seconds: unknown | null
          hook_failures: number | null
          refused_calls: number | null
        }[]
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
      /** Records that the buyer has opened the payment page, and returns the session as public_checkout_session does. */
      open_checkout_session: {
        Args: {
          checkout_session_id: string
          client_secret: string
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
      }
      /** For operators: returns the number of pending, leased and dead deliveries of each webhook endpoint and consumer. */
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
          dead: number | null
          oldest_pending_at: string | null
          lag: string | null
        }[]
      }
      /** Returns what the server of a payment page must know before it shows the page of a session. */
      page_policy: {
        Args: {
          checkout_session_id: string
        }
        Returns: Checkout["CompositeTypes"]["page_policy"]
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
      /** Removes the coupon of an open checkout session, and returns the session. */
      remove_coupon: {
        Args: {
          checkout_session_id: string
          client_secret?: string | null
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
      }
      /** Returns the body of a webhook event in the format of a dialect. */
      render_webhook_event: {
        Args: {
          event_id: string
          api: "kobo" | "lomi" | "paygate" | "flutterwave" | "yuno"
        }
        Returns: string
      }
      /** Starts an expired session again for its buyer, and returns the new session. */
      restart_checkout_session: {
        Args: {
          checkout_session_id: string
          client_secret: string
        }
        Returns: Checkout["CompositeTypes"]["restarted_checkout_session"]
      }
      /** Takes back a cancellation at the end of the period, while that period lasts, and returns the subscription. */
      resume_subscription: {
        Args: {
          subscription_id: string
        }
        Returns: Checkout["CompositeTypes"]["subscription"]
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
      /** Returns how many sessions were created in each hour, day, week or month, how far they came, and how they ended. */
      session_funnel: {
        Args: {
          created_after?: string | null
          created_before?: string | null
          bucket?: "hour" | "day" | "week" | "month" | null
          by?: "currency" | "method" | "product" | "country" | "environment" | null
        }
        Returns: {
          bucket_start: string
          value: string | null
          created: number
          opened: number
          payment_begun: number
          completed: number
          failed: number
          expired: number
          expired_unopened: number
          expired_opened: number
          expired_payment_begun: number
          expired_failed_attempt: number
          open: number
          cancelled: number
          cancellation_reasons: Json
          conversion_of_opened: number | null
          conversion_of_ended: number | null
          median_time_to_pay: string | null
          p90_time_to_pay: string | null
          amounts: Json
        }[]
      }
      /** Returns the checkout_session_id of the session that a dialect calls by this id. */
      session_id: {
        Args: {
          id: string
        }
        Returns: string
      }
      /** Stores the billing address of the buyer of an open checkout session, and returns the session. */
      set_billing_address: {
        Args: {
          checkout_session_id: string
          client_secret?: string | null
          address?: Json | null
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
      }
      /** Lets a function be called when sessions of an organization end or are refunded, in the same transaction. */
      set_hook: {
        Args: {
          organization_id: string
          event: string
          function: unknown
        }
        Returns: undefined
      }
      /** Changes the quantity of an item of an open checkout session, and returns the session. */
      set_quantity: {
        Args: {
          checkout_session_id: string
          client_secret?: string | null
          quantity?: number | null
          line?: number | null
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
      }
      /** Changes what the buyer pays for a unit of an item that has no fixed price, and returns the session. */
      set_unit_amount: {
        Args: {
          checkout_session_id: string
          client_secret?: string | null
          unit_amount?: number | null
          line?: number | null
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
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
      /** Plays the payment provider in the test environment for the buyer's page, and returns the session as the buyer sees it. */
      simulate_public_payment: {
        Args: {
          checkout_session_id: string
          client_secret: string
          scenario: string
        }
        Returns: Checkout["CompositeTypes"]["public_checkout_session"]
      }
      /** Ends a coupon, or puts it to use again, and returns it. Sessions that have it keep it. */
      update_coupon: {
        Args: {
          code: string
          active?: boolean | null
        }
        Returns: Checkout["CompositeTypes"]["coupon"]
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
          uses_catalog?: boolean | null
          publishable_amounts?: boolean | null
          embedding_origins?: string[] | null
          payment_method_urls?: Json | null
          allow_restart?: boolean | null
          cancel_expires?: boolean | null
          time_zone?: string | null
          renewal_grace_period?: string | null
          renewal_notice?: string | null
          hooks_required?: boolean | null
          session_retention?: string | null
          personal_metadata_keys?: string[] | null
          request_failure_threshold?: number | null
        }
        Returns: Checkout["CompositeTypes"]["organization"]
      }
      /** Archives a price, or makes it the default of its product, and returns it. */
      update_price: {
        Args: {
          price_id: string
          active?: boolean | null
          is_default?: boolean | null
        }
        Returns: Checkout["CompositeTypes"]["price"]
      }
      /** Changes a product, and returns it. Sessions that exist keep what they sell. */
      update_product: {
        Args: {
          product_id: string
          name?: string | null
          description?: string | null
          image_url?: string | null
          active?: boolean | null
          metadata?: Json | null
          track_inventory?: boolean | null
          continue_selling?: boolean | null
        }
        Returns: Checkout["CompositeTypes"]["product"]
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
      /** What somebody has made, changed, rolled or revoked. */
      admin_log_entry: {
        admin_log_id: string | null
        organization_id: string | null
        environment: "live" | "test" | null
        created_at: string | null
        session_role: string | null
        role: string | null
        credential: string | null
        action: string | null
        subject: string | null
        changes: Json | null
      }
      /** An API key of an organization. */
      api_key: {
        api_key_id: string
        organization_id: string
        environment: "live" | "test"
        kind: "secret" | "restricted" | "publishable"
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
        payment_status: "unpaid" | "processing" | "paid" | "no_payment_required"
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
      /** A discount code, and how often it was redeemed. */
      coupon: {
        code: string
        organization_id: string
        environment: "live" | "test"
        percent_off: number | null
        amount_off: number | null
        currency_code: string | null
        valid_from: string | null
        valid_until: string | null
        max_redemptions: number | null
        max_redemptions_per_customer: number | null
        minimum_amount: number | null
        product_ids: string[] | null
        customers: "all" | "new" | "returning"
        description: string | null
        metadata: Json
        active: boolean
        held: number
        redeemed: number
        available: number | null
        created_at: string
        updated_at: string
      }
      /** Whether a coupon was applied to a checkout session. */
      coupon_answer: {
        applied: boolean | null
        reason: string | null
        session: Checkout["CompositeTypes"]["public_checkout_session"] | null
      }
      /** Whom a caller acts for, and with which rights. */
      credential: {
        organization_id: string | null
        organization_name: string | null
        environment: "live" | "test" | null
        kind: "secret" | "publishable" | null
        name: string | null
      }
      /** One thing that is stored about a customer. */
      customer_record: {
        kind: "secret" | "publishable" | null
        record: Json | null
      }
      /** A function that is called when sessions of an organization end or are refunded. */
      hook: {
        organization_id: string | null
        event: string | null
        function: string | null
        owner: string | null
        fault: string | null
        failure_count: number | null
        last_failed_at: string | null
        last_failure: string | null
        created_at: string | null
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
        uses_catalog: boolean
        publishable_amounts: boolean
        embedding_origins: string[]
        payment_method_urls: Json
        allow_restart: boolean
        cancel_expires: boolean
        time_zone: string
        renewal_grace_period: string
        renewal_notice: string | null
        hooks_required: boolean
        session_retention: string | null
        personal_metadata_keys: string[]
        request_failure_threshold: number | null
        created_at: string
        updated_at: string
      }
      /** What the server of a payment page must know before the page is shown. */
      page_policy: {
        embedding_origins: string[] | null
      }
      /** One payment of a checkout session. */
      payment: {
        payment_id: string
        checkout_session_id: string
        organization_id: string
        environment: "live" | "test"
        status: "processing" | "succeeded" | "failed" | "canceled" | "rejected"
        rejection_reason: "session_expired" | "session_failed" | "already_paid" | "amount_mismatch" | "currency_mismatch" | "out_of_stock" | "trial_used" | "already_renewed" | "subscription_canceled" | null
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
      /** What one unit of a product costs. */
      price: {
        price_id: string
        product_id: string
        organization_id: string
        environment: "live" | "test"
        currency_code: string
        amount: number | null
        minimum_amount: number | null
        maximum_amount: number | null
        suggested_amount: number | null
        minimum_quantity: number
        maximum_quantity: number | null
        interval_unit: "day" | "week" | "month" | "year" | null
        interval_count: number | null
        trial_period: string | null
        is_default: boolean
        active: boolean
        description: string | null
        metadata: Json
        created_at: string
        updated_at: string
      }
      /** Something that is sold, and its stock. */
      product: {
        product_id: string
        organization_id: string
        environment: "live" | "test"
        name: string
        description: string | null
        image_url: string | null
        active: boolean
        metadata: Json
        on_hand: number | null
        held: number | null
        available: number | null
        continue_selling: boolean | null
        created_at: string
        updated_at: string
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
        subtotal: number | null
        discount: number | null
        coupon_code: string | null
        has_billing_address: boolean | null
        lines: Checkout["CompositeTypes"]["session_line"][] | null
        server_time: string | null
        attempts: number | null
        failure_code: string | null
        sold_out: boolean | null
        can_restart: boolean | null
        payment_method_urls: Json | null
        recurrence: Checkout["CompositeTypes"]["session_recurrence"] | null
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
      /** The session that replaces one that expired. */
      restarted_checkout_session: {
        checkout_session_id: string | null
        client_secret: string | null
        url: string | null
      }
      /** One line of what a checkout session sells. */
      session_line: {
        checkout_session_id: string | null
        line: number | null
        kind: "secret" | "publishable" | null
        product_id: string | null
        price_id: string | null
        title: string | null
        image_url: string | null
        unit_amount: number | null
        quantity: number | null
        subtotal: number | null
        discount: number | null
        total: number | null
        minimum_quantity: number | null
        maximum_quantity: number | null
        minimum_amount: number | null
        maximum_amount: number | null
        suggested_amount: number | null
      }
      /** What the buyer of a session agrees to pay for again and again. */
      session_recurrence: {
        amount: number | null
        interval_unit: string | null
        interval_count: number | null
        trial_end: string | null
        period_start: string | null
        period_end: string | null
      }
      /** What a customer pays for again and again. */
      subscription: {
        subscription_id: string | null
        organization_id: string | null
        environment: "live" | "test" | null
        status: string | null
        customer_id: string | null
        customer_email: string | null
        product_id: string | null
        price_id: string | null
        quantity: number | null
        amount: number | null
        currency_code: string | null
        interval_unit: string | null
        interval_count: number | null
        time_zone: string | null
        anchor: string | null
        periods_paid: number | null
        current_period_start: string | null
        current_period_end: string | null
        trial_end: string | null
        ends_at: string | null
        cancel_at_period_end: boolean | null
        canceled_at: string | null
        checkout_session_id: string | null
        latest_checkout_session_id: string | null
        created_at: string | null
        updated_at: string | null
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
        event_type: "checkout.session.completed" | "checkout.session.expired" | "checkout.session.failed" | "checkout.session.expiring" | "checkout.session.payment_failed" | "checkout.session.payment_rejected" | "checkout.session.payment_applied" | "checkout.session.refunded" | "checkout.session.refund_failed" | "checkout.session.cancelled" | "webhook_endpoint.disabled" | "requests.failing" | "subscription.created" | "subscription.renewed" | "subscription.renewal_due" | "subscription.past_due" | "subscription.ended"
        organization_id: string
        environment: "live" | "test"
        subject_type: "checkout_session" | "webhook_endpoint" | "subscription" | "organization"
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
