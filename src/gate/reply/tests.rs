use super::*;
use crate::domain::reason::{Stage, Verdict};
use crate::provider::wechat::v2::preset::DIALECT;
use crate::provider::wechat::v3;
use crate::upstream::UpstreamAnswer;
use hyper::HeaderMap;

fn style(dialect: Option<&'static Dialect>) -> ReplyStyle {
    ReplyStyle { dialect, success: None, failure: None }
}

fn answer(style: Option<&ReplyStyle>, reason: Reason) -> Response<Full<Bytes>> {
    refuse(style, &reason.into(), &HeaderValue::from_static("0190163d-8694-739b-aea5-966c26f8ad91"))
}

fn body(response: Response<Full<Bytes>>) -> String {
    use http_body_util::BodyExt;
    let collected = futures_now(response.into_body().collect());
    String::from_utf8(collected.unwrap().to_bytes().to_vec()).unwrap()
}

fn futures_now<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The statuses of docs/reasons.md, by stage and verdict.
#[test]
fn each_reason_has_the_status_of_its_row() {
    // What passes is not refused.
    let refused = |reason: &Reason| !matches!(reason, Reason::Paid | Reason::PaidAfterClose | Reason::RefundConfirmed);
    for reason in Reason::ALL.iter().copied().filter(refused) {
        let status = http_status(reason).as_u16();
        let expected: &[u16] = match reason.stage() {
            Stage::Verdict(Verdict::Pending | Verdict::Unknown) => &[503],
            Stage::Verdict(Verdict::Unpaid | Verdict::Refunded) => &[402],
            Stage::Verdict(Verdict::Contradicted) => &[401, 403],
            Stage::Claim => &[400, 401, 403, 404, 415],
            Stage::Request => &[400, 404, 405, 408, 413, 414, 421, 429, 431],
            Stage::Upstream => &[502, 504],
            Stage::FollowUp => &[503],
            Stage::Verdict(Verdict::Paid) => &[409],
            Stage::Gate => &[500, 503],
        };
        assert!(expected.contains(&status), "{reason}: {status}");
    }
}

/// I7.
#[test]
fn no_refusal_reads_as_success_to_its_sender() {
    for reason in Reason::ALL.iter().copied() {
        assert!(!answer(None, reason).status().is_success(), "{reason}");
        assert!(!answer(Some(&style(None)), reason).status().is_success(), "{reason}");
        assert!(!body(answer(Some(&style(Some(&DIALECT))), reason)).contains("SUCCESS"), "{reason}");
    }
}

#[test]
fn wechat_pay_gets_200_and_fail_unless_it_sent_no_notification_at_all() {
    let style = style(Some(&DIALECT));
    assert_eq!(answer(Some(&style), Reason::NotPaidYet).status(), 200);
    assert_eq!(answer(Some(&style), Reason::NotificationBadlySigned).status(), 200);
    assert_eq!(answer(Some(&style), Reason::UpstreamTimeout).status(), 200);
    let malformed = answer(Some(&style), Reason::BodyMalformed);
    assert_eq!(malformed.status(), 400);
    assert!(body(malformed).starts_with("<xml><return_code><![CDATA[FAIL]]></return_code>"));
}

/// I7: API v3 looks at the status alone.
#[test]
fn a_2xx_that_is_not_accepted_goes_back_as_503_where_the_status_decides() {
    let forwarded = |dialect, status, accepted| {
        let answer = UpstreamAnswer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::from_static(br#"{"code":"FAIL"}"#),
        };
        let response = forwarded(Some(&style(dialect)), answer, accepted, &HeaderValue::from_static("id"));
        (response.status().as_u16(), body(response))
    };
    let (own, not_taken) = (r#"{"code":"FAIL"}"#, r#"{"code":"FAIL","message":"not taken"}"#);
    for (status, accepted, expected) in [
        (200, false, (503, not_taken)),
        (204, false, (503, not_taken)),
        (200, true, (200, own)),
        (302, false, (302, own)),
        (400, false, (400, own)),
        (500, false, (500, own)),
    ] {
        let (got, text) = forwarded(Some(&v3::preset::DIALECT), status, accepted);
        assert_eq!((got, &*text), expected, "{status}");
        for dialect in [Some(&DIALECT), None] {
            assert_eq!(forwarded(dialect, status, accepted), (status, own.to_owned()), "{status}");
        }
    }
}

#[test]
fn api_v3_is_refused_by_a_status_and_always_the_same_words() {
    let style = style(Some(&v3::preset::DIALECT));
    for reason in Reason::ALL.iter().copied() {
        let response = answer(Some(&style), reason);
        assert!(response.status().is_client_error() || response.status().is_server_error(), "{reason}");
        assert_eq!(body(response), r#"{"code":"FAIL","message":"not taken"}"#, "{reason}");
    }
    for (reason, status) in [
        (Reason::NotificationBadlySigned, 401),
        (Reason::NotificationSerialUnknown, 401),
        (Reason::NotificationOutsideWindow, 401),
        (Reason::NotificationProbe, 401),
        (Reason::NotificationUndecipherable, 401),
        (Reason::NotificationKeysMissing, 401),
        (Reason::NotificationForOtherMerchant, 403),
        (Reason::NotificationNotPayment, 403),
        (Reason::NotificationCombined, 403),
        (Reason::FieldRepeated, 400),
        (Reason::NotPaidYet, 503),
        (Reason::CertificatesUnavailable, 503),
    ] {
        assert_eq!(answer(Some(&style), reason).status(), status, "{reason}");
    }
}

/// V-10.
#[test]
fn verdicts_of_one_class_are_answered_alike() {
    let unpaid = body(answer(None, Reason::NotPaidYet));
    for reason in [Reason::OrderNotFound, Reason::QueryTimeout, Reason::AnswerForOtherMerchant] {
        assert_eq!(body(answer(None, reason)), unpaid, "{reason}");
    }
}

#[test]
fn a_problem_document_names_status_and_request() {
    let response = answer(None, Reason::NotPaidYet);
    assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
    assert_eq!(response.headers()[RETRY_AFTER], "5");
    assert_eq!(response.headers()[X_REQUEST_ID], "0190163d-8694-739b-aea5-966c26f8ad91");
    let document: serde_json::Value = serde_json::from_str(&body(response)).unwrap();
    assert_eq!(document["status"], 503);
    assert_eq!(document["title"], "Service Unavailable");
    assert_eq!(document["instance"], "urn:uuid:0190163d-8694-739b-aea5-966c26f8ad91");
}

#[test]
fn a_routes_own_body_replaces_the_dialects() {
    let own = OwnReply {
        status: StatusCode::BAD_GATEWAY,
        content_type: HeaderValue::from_static("text/plain"),
        body: Bytes::from_static(b"fail"),
    };
    let style = ReplyStyle { dialect: None, success: None, failure: Some(own) };
    let response = answer(Some(&style), Reason::NotPaidYet);
    assert_eq!(response.status(), 502);
    assert_eq!(body(response), "fail");
}
