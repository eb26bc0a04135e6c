//! Every verdict and every reason, as the fixed strings that logs, metrics, journal and pages use alike
//! (`docs/reasons.md` lists them; a test keeps that page complete).

use std::fmt;

/// What the gate holds of an order after asking (docs/reasons.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// WeChat Pay says, signed, that this order is paid, and the claim agrees.
    Paid,
    /// Not paid yet, as far as anybody knows: ask again.
    Pending,
    /// It will not be paid any more.
    Unpaid,
    /// It was paid, and a refund (full or partial) was started.
    Refunded,
    /// The answer is right and the claim is not.
    Contradicted,
    /// No trustworthy answer: ask again.
    Unknown,
}

impl Verdict {
    /// Every verdict: metrics have a series for each.
    pub const ALL: [Self; 6] =
        [Self::Paid, Self::Pending, Self::Unpaid, Self::Refunded, Self::Contradicted, Self::Unknown];

    /// The word in logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Pending => "pending",
            Self::Unpaid => "unpaid",
            Self::Refunded => "refunded",
            Self::Contradicted => "contradicted",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a callback came to its end, and so what the sender is told (`gate/reply.rs` has the table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The HTTP message itself, a limit, or the route.
    Request,
    /// What the callback says, or which channel it names.
    Claim,
    /// What WeChat Pay says.
    Verdict(Verdict),
    /// What the legacy system did.
    Upstream,
    /// What the follow-up did with it, after it was answered.
    FollowUp,
    /// What the gate could not do: a journal that cannot be written, no room, a fault.
    Gate,
}

macro_rules! reasons {
    ($($name:ident = $code:literal, $stage:expr, $text:literal, $remedy:literal;)*) => {
        /// Why a callback went the way it went.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $text] $name,)*
        }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The fixed word in logs, metrics, journal and pages: a row of `docs/reasons.md`.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The reason with this fixed word.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }

            /// The stage of the request flow at which a callback ends for this reason.
            #[must_use]
            pub const fn stage(self) -> Stage {
                match self { $(Self::$name => $stage,)* }
            }

            /// What it means, for the operator.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What the operator does about it.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

reasons! {
    // What WeChat Pay says.
    Paid = "paid", Stage::Verdict(Verdict::Paid), "WeChat Pay confirmed, signed, that this order is paid.", "Nothing. If accepted is false, the order system answered, but not as the route's accepted wants: look at its log.";
    Refunded = "refunded", Stage::Verdict(Verdict::Refunded), "The order was paid, and a refund (full or partial) was started since.", "With on_refunded: refuse, find out whether the order was delivered before the refund. forward lets such callbacks through, marked REFUND.";
    RefundConfirmed = "refund-confirmed", Stage::Verdict(Verdict::Refunded), "A refund notification whose order was paid, as the order query says: forwarded with X-Verified-Event: refund.", "Nothing. How much was refunded is the notification's word alone; ask WeChat Pay for the refund before much depends on it.";
    NotPaidYet = "not-paid-yet", Stage::Verdict(Verdict::Pending), "trade_state NOTPAY: nobody has paid this order so far.", "Nothing; the sender comes again. Many from one address are guesses, or an APP that calls before the payment is done.";
    UserPaying = "user-paying", Stage::Verdict(Verdict::Pending), "trade_state USERPAYING: the payer is typing the password.", "Nothing; the sender comes again.";
    AwaitingDeduction = "awaiting-deduction", Stage::Verdict(Verdict::Pending), "trade_state ACCEPT: the deduction was accepted and is not done yet.", "Nothing; the sender comes again.";
    OrderNotFound = "order-not-found", Stage::Verdict(Verdict::Pending), "ORDERNOTEXIST (API v3: ORDER_NOT_EXIST): this merchant has no such order; too early, a wrong number mapping, or made up.", "If the order is real: compare what was asked (out_trade_no in the line) with the merchant platform, then the route's out_trade_no field and channel rules and the channel's prefix and suffix. Otherwise nothing.";
    TradeStateUnknown = "trade-state-unknown", Stage::Verdict(Verdict::Pending), "A trade_state that this version does not know.", "Look the order up in the merchant platform, and report the state.";
    NumberNotListed = "number-not-listed", Stage::Verdict(Verdict::Pending), "It is paid, and no source of pending orders of the route lists the order with this number, or did.", "Nothing at first: the source is read again. If it lasts, the source does not list paid orders long enough, cannot be read, or lists another number; somebody who makes pairs up gets it too.";
    RefundNotConfirmed = "refund-not-confirmed", Stage::Verdict(Verdict::Pending), "A refund notification whose order the order query does not know as paid, by that transaction and so much.", "Read detail, and look the order up in the merchant platform. WeChat Pay sends the notification again.";
    Closed = "closed", Stage::Verdict(Verdict::Unpaid), "trade_state CLOSED: the order was closed unpaid.", "Nothing. The payer has to order again.";
    Revoked = "revoked", Stage::Verdict(Verdict::Unpaid), "trade_state REVOKED: the payment was reversed.", "Nothing. The money went back.";
    PayError = "pay-error", Stage::Verdict(Verdict::Unpaid), "trade_state PAYERROR: the payment failed.", "Nothing. The payer has to try again.";
    NotificationNotSuccess = "notification-not-success", Stage::Verdict(Verdict::Unpaid), "WeChat Pay notifies, rightly signed, of no payment: return_code or result_code is not SUCCESS.", "Nothing. It was not paid by this attempt; no order is asked about. WeChat Pay repeats it up to 15 times in a day, since only success would end that, and what was not delivered is never answered so.";
    // The claim is wrong.
    AmountDiffers = "amount-differs", Stage::Verdict(Verdict::Contradicted), "The callback, or the bill that the order was found in, names another amount than was paid.", "Look the order up: a tampered callback, or amount names a field that holds something else (amount_unit?). One found in the bill is parked, and delivered by tollgate redeliver --override amount --because WHY only.";
    ExpectedAmountDiffers = "expected-amount-differs", Stage::Verdict(Verdict::Contradicted), "Another amount was paid than the order costs by its source of pending orders.", "Parked, since there is money: nothing sends it but a person who takes it at that price. Compare the two amounts; refund it, let the source list the right price and unpark it, or tollgate redeliver --override amount --because WHY.";
    TransactionDiffers = "transaction-differs", Stage::Verdict(Verdict::Contradicted), "The callback names another transaction id than the order's payment has.", "Look the order up: a tampered callback, or transaction or fill names a field that holds something else.";
    TransactionOfOtherOrder = "transaction-of-other-order", Stage::Verdict(Verdict::Contradicted), "The claimed transaction id belongs to another order.", "An attempt to use one payment for two orders, or a wrong number mapping. Look both orders up.";
    NumberOfAnotherOrder = "number-of-another-order", Stage::Verdict(Verdict::Contradicted), "The number belongs to another order: what the route's number_proof goes by does not name this one.", "Somebody tried to have one payment count for two orders, or the first callback that named this payment named a wrong order. Look both orders up: tollgate lookup with the number. If one payment pays several orders on purpose: number_proof: shared.";
    NotificationUnsigned = "notification-unsigned", Stage::Verdict(Verdict::Contradicted), "A WeChat Pay notification without a signature: no sign in it or, by API v3, a Wechatpay-* header missing.", "If all of a channel's are refused by API v3, a proxy in front of the gate drops headers. Otherwise not from WeChat Pay: find out who sends to this path.";
    NotificationBadlySigned = "notification-badly-signed", Stage::Verdict(Verdict::Contradicted), "A notification whose signature fits none of the channel's keys: forged, changed on the way, or the key is wrong.", "If all of a channel's are refused, its key is wrong or was replaced (tollgate check --resolve), or a proxy in front writes bodies anew. Otherwise a forgery or, by API v2, one of WeChat Pay's probes.";
    NotificationForOtherMerchant = "notification-for-other-merchant", Stage::Verdict(Verdict::Contradicted), "A notification whose appid, mch_id or sub_mch_id is not the channel's.", "The notify_url of another account points to this channel's path, or appid and mch_id of the channel are mixed up.";
    NotificationUndecipherable = "notification-undecipherable", Stage::Verdict(Verdict::Contradicted), "A notification whose sealed part none of the channel's keys opens, or which is no envelope: forged, or the key is wrong.", "Compare api_v3_key (for refunds by API v2: key) with the merchant platform. If it was replaced, list the old one too for a day, and for API v2 until its refunds are done.";
    NotificationProbe = "notification-probe", Stage::Verdict(Verdict::Contradicted), "One of WeChat Pay's probes: a notification with a wrong signature (WECHATPAY/SIGNTEST/), sent to see whether it is refused.", "Nothing. WeChat Pay sends the right one after it. Probes are counted in tollgate_wechat_probes_total.";
    NotificationSerialUnknown = "notification-serial-unknown", Stage::Verdict(Verdict::Contradicted), "A notification whose Wechatpay-Serial names no key that the channel has: forged, or the key is not configured.", "If honest ones get it: configure public_key_id and public_key, or platform_certificates: auto. tollgate check names what the channel can verify with.";
    NotificationOutsideWindow = "notification-outside-window", Stage::Verdict(Verdict::Contradicted), "A notification whose Wechatpay-Timestamp is 5 minutes or more from this machine's clock.", "If all of them get it, this machine's clock is wrong: is NTP running? Single ones are old notifications sent again by somebody else.";
    NotificationNotPayment = "notification-not-payment", Stage::Verdict(Verdict::Contradicted), "A notification of something other than a payment, such as a refund on a route that takes payments only.", "Give refunds an address of their own: notify_url of the refund request, or the merchant platform's refund settings. If the order system takes both on this one, add refund to the route's events.";
    NotificationCombined = "notification-combined", Stage::Verdict(Verdict::Contradicted), "A notification of a combined order (combine_out_trade_no), which has several orders and transaction ids.", "The gate does not take combined orders. Their sub-orders can come as callbacks of the APP, one for each; point the notify_url of combined orders at the order system itself, or at an address of its own.";
    // No trustworthy answer.
    QueryTimeout = "query-timeout", Stage::Verdict(Verdict::Unknown), "No answer within confirm_deadline; the gate goes on asking in the background.", "If many: look at confirm_ms and the query failed lines; is the way to WeChat Pay slow?";
    QueryFailed = "query-failed", Stage::Verdict(Verdict::Unknown), "WeChat Pay could not be reached (connection, TLS, DNS).", "Read the cause in the query failed line: outgoing connections, DNS, certificate authorities.";
    RateLimited = "rate-limited", Stage::Verdict(Verdict::Unknown), "The merchant's own query budget (wechat.queries_per_second) is used up.", "If the traffic is honest, raise wechat.queries_per_second. If it is a flood, set limits.rate_per_address.";
    WechatRateLimited = "wechat-rate-limited", Stage::Verdict(Verdict::Unknown), "WeChat Pay says FREQUENCY_LIMITED, or status 429: it wants fewer queries.", "Lower wechat.queries_per_second; ask WeChat Pay for the account's limit.";
    WechatSystemError = "wechat-system-error", Stage::Verdict(Verdict::Unknown), "WeChat Pay says SYSTEMERROR (API v3: SYSTEM_ERROR) or another transient error.", "Nothing; the next callback asks again. If it lasts, WeChat Pay has an outage.";
    QueryRefused = "query-refused", Stage::Verdict(Verdict::Unknown), "WeChat Pay refused the query: keys, serial, appid or mch_id of the channel are not right, or by API v3 this machine's clock.", "tollgate check --resolve says which, and the query failed line has WeChat Pay's code; put it right.";
    AnswerHttpStatus = "answer-http-status", Stage::Verdict(Verdict::Unknown), "The answer's HTTP status was not 200.", "Something between the gate and WeChat Pay answers instead, or WeChat Pay has an outage. The query failed line has the status.";
    AnswerTooLarge = "answer-too-large", Stage::Verdict(Verdict::Unknown), "The answer was larger than any answer is.", "Not WeChat Pay's answer. Check wechat.hosts and what stands in between.";
    AnswerUnreadable = "answer-unreadable", Stage::Verdict(Verdict::Unknown), "The answer was not the XML or JSON that WeChat Pay sends, read strictly.", "As answer-too-large.";
    AnswerUnsigned = "answer-unsigned", Stage::Verdict(Verdict::Unknown), "The answer had no sign or, by API v3, a Wechatpay-* header was missing.", "Single ones happen. If it lasts, check wechat.hosts and what stands in between.";
    AnswerBadlySigned = "answer-badly-signed", Stage::Verdict(Verdict::Unknown), "The answer's signature fits none of the channel's keys.", "Single ones are WeChat Pay's probes. If it lasts, the key or sign_type is wrong; by API v3 the public key is not that of public_key_id, or a proxy on the way to WeChat Pay writes answers anew.";
    AnswerSerialUnknown = "answer-serial-unknown", Stage::Verdict(Verdict::Unknown), "The answer's Wechatpay-Serial names no key that the channel has.", "Configure public_key_id and public_key of this merchant, or platform_certificates: auto; tollgate check --resolve tries it.";
    AnswerOutsideWindow = "answer-outside-window", Stage::Verdict(Verdict::Unknown), "The answer's Wechatpay-Timestamp is 5 minutes or more from this machine's clock.", "This machine's clock is wrong: is NTP running? tollgate_wechat_clock_offset_seconds has the difference.";
    CertificatesUnavailable = "certificates-unavailable", Stage::Verdict(Verdict::Unknown), "A platform certificate is needed and cannot be downloaded at the moment.", "Read the cause in the line about platform certificates. If the merchant has a WeChat Pay public key, configure public_key_id and public_key: then no download is needed.";
    AnswerForOtherOrder = "answer-for-other-order", Stage::Verdict(Verdict::Unknown), "A signed answer for another order than was asked for.", "Report it to WeChat Pay, with order and time.";
    AnswerForOtherMerchant = "answer-for-other-merchant", Stage::Verdict(Verdict::Unknown), "A signed answer for another mch_id or sub_mch_id.", "Compare mch_id and sub_mch_id of the channel with the merchant platform.";
    AnswerForOtherApp = "answer-for-other-app", Stage::Verdict(Verdict::Unknown), "A signed answer for another appid or sub_appid.", "Compare appid and sub_appid of the channel with the merchant platform.";
    AnswerIncomplete = "answer-incomplete", Stage::Verdict(Verdict::Unknown), "A signed answer that lacks a field it must have, or has it malformed.", "Report it, with order and time.";
    // The claim cannot be read.
    UnsupportedMediaType = "unsupported-media-type", Stage::Claim, "Content-Type or Content-Encoding is not what the route's carrier wants.", "If honest senders get it, the route's carrier is not what they send, or they name a charset that it cannot be in. content_type: any on the route reads the body whatever it is called.";
    BodyMalformed = "body-malformed", Stage::Claim, "The body (or query) is not well-formed for the route's carrier.", "Read detail. Honest senders should not get it; a DOCTYPE in XML is an attack.";
    FieldMissing = "field-missing", Stage::Claim, "The order field is not there or empty.", "If honest senders get it, the route's order is not their field's name.";
    FieldRepeated = "field-repeated", Stage::Claim, "A claim field, or a header that signs it, stands twice, in two places, or in a second spelling that a backend may read.", "Read detail. If honest senders get it, change them: their order system may read another order than they mean. A cookie of that name: cookies: ignore, if the order system reads no cookie as a parameter.";
    FieldMalformed = "field-malformed", Stage::Claim, "A claim field's value is outside its grammar.", "Read detail. tollgate verify --file tries a saved request.";
    ChannelUnknown = "channel-unknown", Stage::Claim, "The callback selects a channel that is not configured, or none.", "If honest senders get it, configure the channel or add a rule.";
    NotificationKeysMissing = "notification-keys-missing", Stage::Claim, "The channel has no keys to read such a notification with.", "API v3: add api_v3_key, and public_key_id with public_key or platform_certificates: auto, to the channel. API v2: add key.";
    // The request.
    RequestMalformed = "request-malformed", Stage::Request, "Not a clean HTTP/1.1 message: framing, line ends, Host, or a body cut off.", "If honest senders get it, a proxy in between rewrites requests; save one and try tollgate verify --file.";
    TargetNotCanonical = "target-not-canonical", Stage::Request, "The path changes under normalisation.", "If honest senders get it, they call a path with //, dots or needless escapes: correct their URL.";
    RouteUnknown = "route-unknown", Stage::Request, "No route has this path, or its `match` wants another query.", "If it is a callback, add a route. Otherwise nothing.";
    MethodNotAllowed = "method-not-allowed", Stage::Request, "The route does not take this method.", "If it is a callback, add the method to the route. tollgate health makes such a line too.";
    Misdirected = "misdirected", Stage::Request, "The target names another authority than Host.", "Nothing, or correct the proxy in front.";
    TargetTooLong = "target-too-long", Stage::Request, "The request target is longer than the limit.", "If it is a callback, raise limits.head (a target may take half of it, at most 8 KiB).";
    HeadTooLarge = "head-too-large", Stage::Request, "The head is larger than limits.head or has more than limits.headers fields.", "If it is a callback, raise limits.head or limits.headers.";
    BodyTooLarge = "body-too-large", Stage::Request, "The body is larger than limits.body.", "If it is a callback, raise limits.body.";
    RequestTimeout = "request-timeout", Stage::Request, "Head or body did not arrive in time, or the body was the slowest when limits.memory was reached.", "Single ones are broken connections. Many from one address are an attack.";
    TooManyRequests = "too-many-requests", Stage::Request, "This address sends more callbacks than limits.rate_per_address.", "If the address is a proxy of yours, name it in forwarding.trusted_proxies.";
    // The legacy system.
    UpstreamUnreachable = "upstream-unreachable", Stage::Upstream, "The upstream refused the connection or could not be reached; it saw nothing.", "Is the order system up, and upstream right? The sender has to send again.";
    UpstreamBroke = "upstream-broke", Stage::Upstream, "The upstream broke off or answered no proper HTTP; it may have acted.", "Look in the order system's log by X-Request-Id or the order. It may have booked it; the sender may send again.";
    UpstreamTimeout = "upstream-timeout", Stage::Upstream, "The upstream did not answer in time; it may have acted.", "As upstream-broke. A callback gets what confirm left of deadline, a redelivery follow_up.upstream_timeout.";
    UpstreamAnswerTooLarge = "upstream-answer-too-large", Stage::Upstream, "The upstream's answer was larger than the gate takes.", "The callback was delivered; its answer, beyond 1 MiB, was not passed on. Look at what the order system answers.";
    NotAccepted = "not-accepted", Stage::Upstream, "The upstream answered, and not as the route's accepted rule wants; it may have acted.", "Look in the order system's log. It is sent again by follow_up.redeliver. If the order system did take it, the rule is wrong: tollgate verify --answer says which part failed.";
    // Paid, and held or told of all the same.
    SecondPayment = "second-payment", Stage::Verdict(Verdict::Paid), "Another payment of the same order was confirmed before; on_second_payment says what becomes of this one.", "Refund one of the two: tollgate lookup shows both transaction ids. tollgate redeliver --override second-payment delivers this one all the same; on_second_payment: forward lets the second pass, and it is flagged all the same.";
    PaidAfterClose = "paid-after-close", Stage::Verdict(Verdict::Paid), "Paid after its source of pending orders had stopped listing it: told of, and forwarded.", "Find out whether the order system still delivers the order; refund it if not.";
    // After the callback was answered.
    ParkedByOperator = "parked-by-operator", Stage::FollowUp, "Somebody parked it: the gate does not go on with it by itself.", "Find out why: the audit trail says who did it. Then unpark it, or tollgate redeliver.";
    GaveUpAsking = "gave-up-asking", Stage::FollowUp, "Nobody had paid when follow_up.ask_again_for was over.", "Nothing, unless the payer says otherwise: tollgate query, then tollgate redeliver.";
    GaveUpDelivering = "gave-up-delivering", Stage::FollowUp, "The upstream had not accepted it when follow_up.redeliver_for was over.", "The money is there, the order is not booked: put the order system right, then tollgate redeliver.";
    WindowOver = "window-over", Stage::FollowUp, "WeChat Pay's signature on the notification is older than upstream_window, so the order system would refuse it: the next one that WeChat Pay sends is delivered.", "Nothing while WeChat Pay sends again (15 times in 24 h). To have the gate send again itself: resign on the route, or upstream_window: none if the order system does not look at the time.";
    AlreadyAccepted = "already-accepted", Stage::FollowUp, "The order was found without a callback, and its payment was accepted meanwhile by the way of one.", "Nothing.";
    CannotSynthesize = "cannot-synthesize", Stage::FollowUp, "The callback for it cannot be made: the route's synthesize does not give what the route reads.", "The money is there, the order is not booked. The log line says what is read otherwise: correct the route's synthesize, then tollgate redeliver; or book the order by hand.";
    RouteGone = "route-gone", Stage::FollowUp, "The route or channel it came on is no longer configured, or reads it otherwise.", "Put it back into the configuration, then tollgate redeliver; or book the order by hand.";
    // What a person decided.
    OverrideNeeded = "override-needed", Stage::FollowUp, "Another amount was paid than the order costs, it was accepted before, or it is paid twice: it is sent only if a person decides so.", "Look at both amounts, or at what was accepted. Then say what you decide, and why: tollgate redeliver --override, or the order's page.";
    DeliveredOverPrice = "delivered-over-price", Stage::FollowUp, "A person had it delivered although another amount was paid than the order costs.", "Nothing. The audit trail says who decided it, and why.";
    DeliveredAgain = "delivered-again", Stage::FollowUp, "A person had it delivered again although it was accepted before.", "Nothing, if the order system books an order once. The audit trail says who decided it, and why.";
    // The gate.
    DeliveryUnderWay = "delivery-under-way", Stage::Gate, "The same order was still being delivered when this callback's deadline was over.", "Nothing; the sender comes again. Is the order system slow? Only with duplicates: absorb.";
    JournalUnavailable = "journal-unavailable", Stage::Gate, "The journal cannot be written, so nothing new is taken in.", "Make room on the disk, or replace it; the gate goes on by itself. docs/operating.md says more.";
    Overloaded = "overloaded", Stage::Gate, "limits.connections or limits.memory is reached, or too many callbacks wait for the journal.", "Raise that limit (for connections that of open files too), or find out who holds them. If it is the journal, its disk is too slow.";
    InternalError = "internal-error", Stage::Gate, "A fault in the gate; please report it with the log.", "Report it with the log.";
}

impl Reason {
    /// Whether there is money that somebody has to look at, although the order is held back.
    #[must_use]
    pub const fn holds_payment(self) -> bool {
        matches!(self, Self::Refunded | Self::ExpectedAmountDiffers | Self::SecondPayment)
    }

    /// Whether a person can decide to have it delivered all the same.
    #[must_use]
    pub const fn is_overridable(self) -> bool {
        matches!(self, Self::ExpectedAmountDiffers | Self::AmountDiffers | Self::SecondPayment)
    }

    /// The verdict this reason belongs to, if WeChat Pay's word or the claim's truth decided.
    #[must_use]
    pub const fn verdict(self) -> Option<Verdict> {
        match self.stage() {
            Stage::Verdict(verdict) => Some(verdict),
            Stage::Request | Stage::Claim | Stage::Upstream | Stage::FollowUp | Stage::Gate => None,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_spelled_alike() {
        let codes: HashSet<_> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        assert!(codes.iter().all(|code| code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    }

    /// The beginning of a reason's row in `docs/reasons.md`: code, verdict or stage, meaning.
    fn row(reason: Reason) -> String {
        let stage = match reason.stage() {
            Stage::Verdict(verdict) => verdict.as_str(),
            Stage::Claim => "claim",
            Stage::Request => "request",
            Stage::Upstream => "upstream",
            Stage::FollowUp => "follow-up",
            Stage::Gate => "gate",
        };
        format!("| `{reason}` | {stage} | {} |", reason.text())
    }

    #[test]
    fn the_page_has_a_row_for_every_reason_and_none_besides() {
        let page = include_str!("../../docs/reasons.md");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
        for reason in Reason::ALL {
            let row = row(*reason);
            let count = rows.iter().filter(|line| line.starts_with(&row)).count();
            assert_eq!(count, 1, "docs/reasons.md needs once: {row}");
        }
        for line in &rows {
            let code = line.trim_start_matches("| `").split('`').next().unwrap();
            let exists = Reason::ALL.iter().any(|reason| reason.code() == code);
            assert!(exists, "docs/reasons.md: no reason is called {code}");
        }
        assert_eq!(rows.len(), Reason::ALL.len());
    }

    /// Without what makes it a page: code and links.
    fn plain(markdown: &str) -> String {
        let mut text = markdown.replace('`', "");
        while let Some((before, rest)) = text.split_once('[') {
            let (words, rest) = rest.split_once("](").unwrap();
            let (_, rest) = rest.split_once(')').unwrap();
            text = format!("{before}{words}{rest}");
        }
        text
    }

    #[test]
    fn the_page_says_what_to_do_in_the_same_words() {
        let page = include_str!("../../docs/reasons.md");
        for reason in Reason::ALL {
            let start = row(*reason);
            let line = page.lines().find(|line| line.starts_with(&start)).unwrap();
            let (_, remedy) = line.trim_end_matches(" |").rsplit_once(" | ").unwrap();
            assert_eq!(plain(remedy), reason.remedy(), "{reason}");
        }
    }

    #[test]
    fn the_page_tells_the_status_that_is_sent() {
        let page = include_str!("../../docs/reasons.md");
        // What passes, and what is turned away before the gate, is not answered by the table of `gate/reply.rs`.
        let answered = |reason: &&Reason| {
            !matches!(reason, Reason::Paid | Reason::PaidAfterClose | Reason::Overloaded | Reason::NotAccepted)
                && *reason != &Reason::RefundConfirmed
                && reason.stage() != Stage::FollowUp
        };
        for reason in Reason::ALL.iter().filter(answered) {
            let start = row(*reason);
            let line = page.lines().find_map(|line| line.strip_prefix(&start)).unwrap();
            let http = crate::gate::reply::http_status(*reason).as_u16();
            let own = crate::gate::reply::http_status(*reason);
            let wechat_v2 = match (crate::provider::wechat::v2::preset::DIALECT.status)(*reason, own).as_u16() {
                200 => "200 FAIL".to_owned(),
                status => status.to_string(),
            };
            let wechat_v3 = (crate::provider::wechat::v3::preset::DIALECT.status)(*reason, own).as_u16();
            let statuses = format!(" {http} | {wechat_v2} | {wechat_v3} | ");
            assert!(line.starts_with(&statuses), "docs/reasons.md: {start}{line}");
        }
    }
}
