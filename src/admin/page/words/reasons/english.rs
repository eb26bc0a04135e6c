//! What each reason is called in English, and what to do about it. What it means says [`Reason::text`].

use crate::domain::reason::Reason;

/// In short, and what to do.
pub(super) fn english(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::Paid => ("Paid", "Nothing. If it stays undelivered, look at the order system's log."),
        Reason::Refunded => (
            "Refunded since",
            "Find out whether the order was delivered before the refund. on_refunded: forward would let such callbacks through.",
        ),
        Reason::NotPaidYet => ("Nobody has paid yet", "Nothing. The gate asks again by itself; so will the sender."),
        Reason::UserPaying => ("The payer is paying now", "Nothing. The gate asks again by itself."),
        Reason::AwaitingDeduction => ("Deduction not done yet", "Nothing. The gate asks again by itself."),
        Reason::OrderNotFound => (
            "WeChat Pay has no such order",
            "If the order is real, compare out_trade_no with the merchant platform, then the route's out_trade_no field, its channel rules, and the channel's prefix and suffix. Otherwise nothing.",
        ),
        Reason::NumberNotListed => (
            "Paid, but no source lists its number",
            "Nothing at first: the gate reads the source again and asks again. If it lasts, compare the order's number in the order system with out_trade_no here: the source may not list paid orders long enough. Somebody who makes pairs up gets it too.",
        ),
        Reason::NumberOfAnotherOrder => (
            "The number is another order's",
            "Search for the number to see both orders. Somebody tried to have one payment count for two, or the first callback that named this payment named a wrong order. If one payment pays several orders on purpose: number_proof: shared.",
        ),
        Reason::TradeStateUnknown => {
            ("A trade_state nobody knows", "Look the order up in the merchant platform, and report the state.")
        }
        Reason::Closed => ("Closed unpaid", "Nothing. The payer has to order again."),
        Reason::Revoked => ("Payment reversed", "Nothing. The money went back."),
        Reason::PayError => ("Payment failed", "Nothing. The payer has to try again."),
        Reason::AmountDiffers => (
            "Another amount than was paid",
            "Compare claim and answer. Either the callback was tampered with, or amount names a field that holds something else (amount_unit?).",
        ),
        Reason::ExpectedAmountDiffers => (
            "Another amount than the order costs",
            "There is money, and nothing sends it but a person who takes it at that price. Compare the two amounts below; refund it, let the source list the right price and unpark it, or press Redeliver and say why.",
        ),
        Reason::TransactionDiffers => (
            "Another transaction id than the payment's",
            "Compare claim and answer. Either the callback was tampered with, or transaction or fill names a field that holds something else.",
        ),
        Reason::TransactionOfOtherOrder => (
            "The payment of another order",
            "An attempt to use one payment for two orders, or a wrong number mapping. Look both orders up.",
        ),
        Reason::NotificationUnsigned => (
            "Notification without a signature",
            "If all of a channel's are refused by API v3, a proxy in front of the gate drops Wechatpay-* headers. Otherwise it is not from WeChat Pay: find out who sends to this path.",
        ),
        Reason::NotificationUndecipherable => (
            "Notification undecipherable",
            "If all of a channel's are refused, compare api_v3_key (for refunds by API v2: key) with the merchant platform. If it was replaced, list the old one too.",
        ),
        Reason::NotificationNotPayment => (
            "Notification of no payment",
            "Give refunds an address of their own (notify_url of the refund request), or write events: [payment, refund] on the route.",
        ),
        Reason::NotificationProbe => {
            ("WeChat Pay's probe", "Nothing. WeChat Pay sends the right notification after it.")
        }
        Reason::NotificationSerialUnknown => (
            "Notification with an unknown serial",
            "If honest ones get it, configure public_key_id and public_key, or platform_certificates: auto. Otherwise it is a forgery.",
        ),
        Reason::NotificationOutsideWindow => (
            "Notification from another time",
            "If all of them get it, this machine's clock is wrong: is NTP running? Otherwise somebody sends old notifications again.",
        ),
        Reason::NotificationCombined => (
            "Notification of a combined order",
            "The gate does not take combined orders. Point their notify_url at the order system itself.",
        ),
        Reason::NotificationKeysMissing => (
            "No keys to read the notification with",
            "API v3: add api_v3_key, and public_key_id with public_key or platform_certificates: auto. API v2: add key.",
        ),
        Reason::RefundConfirmed => {
            ("Refund notification delivered", "Nothing. How much was refunded is the notification's word alone.")
        }
        Reason::RefundNotConfirmed => (
            "Refund not confirmed",
            "Look the order up in the merchant platform. WeChat Pay sends the notification again.",
        ),
        Reason::NotificationBadlySigned => (
            "Notification badly signed",
            "If all of a channel's notifications are refused, its key is wrong or was replaced (run tollgate check --resolve), or a proxy in front writes bodies anew. Otherwise it is a forgery or, by API v2, one of WeChat Pay's probes.",
        ),
        Reason::NotificationForOtherMerchant => (
            "Notification for another merchant",
            "The notify_url of another account points to this channel's path, or appid and mch_id of the channel are mixed up.",
        ),
        Reason::NotificationNotSuccess => (
            "Notification of no payment",
            "Nothing. It was not paid by this attempt. WeChat Pay repeats it up to 15 times in a day.",
        ),
        Reason::QueryTimeout => (
            "WeChat Pay did not answer in time",
            "The gate asks again by itself. If there are many, find out whether the way to WeChat Pay is slow.",
        ),
        Reason::QueryFailed => (
            "WeChat Pay cannot be reached",
            "The gate asks again by itself. Look at outgoing connections, DNS and certificate authorities; the log's query failed lines have the cause.",
        ),
        Reason::RateLimited => (
            "Own query budget used up",
            "The gate asks again by itself. If the traffic is honest, raise wechat.queries_per_second; if it is a flood, set limits.rate_per_address.",
        ),
        Reason::WechatRateLimited => (
            "WeChat Pay wants fewer queries",
            "Lower wechat.queries_per_second, and ask WeChat Pay for the account's limit.",
        ),
        Reason::WechatSystemError => (
            "WeChat Pay has a system error",
            "Nothing. The gate asks again by itself. If it lasts, WeChat Pay has an outage.",
        ),
        Reason::QueryRefused => (
            "WeChat Pay refused the query",
            "Keys, serial, appid or mch_id of the channel are not right, or by API v3 this machine's clock: run tollgate check --resolve, which says which. Until then no order of this channel can be confirmed.",
        ),
        Reason::AnswerHttpStatus => (
            "Answer with an HTTP error",
            "Something between the gate and WeChat Pay answers in its place, or WeChat Pay has an outage. The log has the status.",
        ),
        Reason::AnswerTooLarge => {
            ("Answer too large", "It is not WeChat Pay's answer. Check wechat.hosts and what stands in between.")
        }
        Reason::AnswerUnreadable => {
            ("Answer unreadable", "It is not WeChat Pay's answer. Check wechat.hosts and what stands in between.")
        }
        Reason::AnswerUnsigned => (
            "Answer without a signature",
            "Single ones happen. If it lasts, check wechat.hosts and what stands in between.",
        ),
        Reason::AnswerBadlySigned => (
            "Answer badly signed",
            "Single ones are WeChat Pay's probes. If it lasts, the channel's key or sign_type is wrong; by API v3 the public key is not that of public_key_id.",
        ),
        Reason::AnswerSerialUnknown => (
            "Answer with an unknown serial",
            "Configure public_key_id and public_key of this merchant, or platform_certificates: auto; then run tollgate check --resolve.",
        ),
        Reason::AnswerOutsideWindow => ("Answer from another time", "This machine's clock is wrong. Is NTP running?"),
        Reason::CertificatesUnavailable => (
            "Platform certificate not available",
            "If the merchant has a WeChat Pay public key, configure public_key_id and public_key: then no download is needed.",
        ),
        Reason::AnswerForOtherOrder => ("Answer for another order", "Report it to WeChat Pay, with order and time."),
        Reason::AnswerForOtherMerchant => {
            ("Answer for another merchant", "Compare mch_id and sub_mch_id of the channel with the merchant platform.")
        }
        Reason::AnswerForOtherApp => {
            ("Answer for another application", "Compare appid and sub_appid of the channel with the merchant platform.")
        }
        Reason::AnswerIncomplete => ("Answer incomplete", "Report it, with order and time."),
        Reason::UnsupportedMediaType => (
            "Wrong content type",
            "If honest senders get it, the route's carrier is not what they send, or they name a charset that it cannot be in. content_type: any on the route reads the body whatever it is called.",
        ),
        Reason::BodyMalformed => {
            ("Body malformed", "Read the detail. Honest senders should not get it; a DOCTYPE in XML is an attack.")
        }
        Reason::FieldMissing => {
            ("No order in it", "If honest senders get it, the route's order is not their field's name.")
        }
        Reason::FieldRepeated => (
            "A field stands twice",
            "Read the detail. If honest senders get it, change them: their order system may read another order than they mean. A cookie of that name: cookies: ignore, if the order system reads no cookie as a parameter.",
        ),
        Reason::FieldMalformed => {
            ("A field's value is malformed", "Read the detail. tollgate verify --file tries a saved request.")
        }
        Reason::ChannelUnknown => {
            ("Channel not configured", "If honest senders get it, configure the channel or add a rule.")
        }
        Reason::RequestMalformed => (
            "Request malformed",
            "If honest senders get it, a proxy in between rewrites requests; save one and try tollgate verify --file.",
        ),
        Reason::TargetNotCanonical => (
            "Path not canonical",
            "If honest senders get it, they call a path with //, dots or needless escapes: correct their URL.",
        ),
        Reason::RouteUnknown => ("No such route", "If it is a callback, add a route. Otherwise nothing."),
        Reason::MethodNotAllowed => {
            ("Method not allowed", "If it is a callback, add the method to the route. Otherwise nothing.")
        }
        Reason::Misdirected => ("For another host", "Nothing, or correct the proxy in front."),
        Reason::TargetTooLong => ("Target too long", "If it is a callback, raise limits.head."),
        Reason::HeadTooLarge => ("Head too large", "If it is a callback, raise limits.head or limits.headers."),
        Reason::BodyTooLarge => ("Body too large", "If it is a callback, raise limits.body."),
        Reason::RequestTimeout => {
            ("Request not in time", "Single ones are broken connections. Many from one address are an attack.")
        }
        Reason::TooManyRequests => {
            ("Too many from one address", "If the address is a proxy of yours, name it in forwarding.trusted_proxies.")
        }
        Reason::UpstreamUnreachable => (
            "Order system cannot be reached",
            "It saw nothing. Is it up, and is upstream right? The gate sends again by itself as soon as it is due; Redeliver sends now.",
        ),
        Reason::UpstreamBroke => (
            "Order system broke off",
            "It may have booked the order: look in its log by request id or order. The gate sends again by itself.",
        ),
        Reason::UpstreamTimeout => (
            "Order system did not answer in time",
            "It may have booked the order: look in its log by request id or order. The gate sends again by itself.",
        ),
        Reason::UpstreamAnswerTooLarge => (
            "Order system's answer too large",
            "The callback was delivered; its answer, beyond 1 MiB, was not passed on. Look at what the order system answers.",
        ),
        Reason::NotAccepted => (
            "Order system did not accept it",
            "Look in the order system's log for why. If it did take it, accepted of the route is wrong: tollgate verify --answer. The gate sends again by itself; Redeliver sends now.",
        ),
        Reason::SecondPayment => (
            "Paid a second time",
            "The order was paid twice. Refund one of the two: the ledger shows both transaction ids. Redeliver sends this one all the same, if you say why.",
        ),
        Reason::PaidAfterClose => (
            "Paid after it was closed",
            "Find out whether the order system still delivers the order; refund it if not.",
        ),
        Reason::OverrideNeeded => (
            "A person has to decide",
            "Look at both amounts, or at what was accepted. Then press Redeliver and say what you decide, and why.",
        ),
        Reason::DeliveredOverPrice => {
            ("Delivered at another price, by a decision", "Nothing. The audit trail says who decided it, and why.")
        }
        Reason::DeliveredAgain => (
            "Delivered again, by a decision",
            "Nothing, if the order system books an order once. The audit trail says who decided it, and why.",
        ),
        Reason::ParkedByOperator => (
            "Parked by an operator",
            "Find out why: the audit trail says who did it. Then unpark it, or press Redeliver.",
        ),
        Reason::GaveUpAsking => (
            "Nobody paid in time",
            "Nothing, unless the payer says otherwise: press Ask WeChat Pay, and Redeliver if it is paid.",
        ),
        Reason::GaveUpDelivering => (
            "Given up delivering",
            "The money is there and the order is not booked. Put the order system right, then press Redeliver.",
        ),
        Reason::WindowOver => (
            "Waits for WeChat Pay to send again",
            "Nothing while WeChat Pay sends again, which it does 15 times in 24 h: its next notification is delivered. With resign on the route the gate sends again itself; so it does with upstream_window: none, if the order system does not look at the time.",
        ),
        Reason::AlreadyAccepted => ("Delivered by its callback", "Nothing."),
        Reason::CannotSynthesize => (
            "Its callback cannot be made",
            "The money is there and the order is not booked. Correct the route's synthesize (the log says what is read otherwise), then press Redeliver; or book the order by hand.",
        ),
        Reason::RouteGone => (
            "Route or channel gone",
            "Put the route or channel back into the configuration, then press Redeliver; or book the order by hand.",
        ),
        Reason::DeliveryUnderWay => {
            ("Still being delivered", "Nothing; the sender comes again. Is the order system slow?")
        }
        Reason::JournalUnavailable => {
            ("Journal cannot be written", "Make room on the disk, or replace it. The gate goes on by itself then.")
        }
        Reason::Overloaded => (
            "Overloaded",
            "Raise limits.connections (and the limit of open files) or limits.memory, or find out who holds them. If it is the journal, its disk is too slow.",
        ),
        Reason::InternalError => ("A fault in the gate", "Report it, with the log."),
    }
}
