//! Honest senders are not held for a spelling that nobody can misread, and what they sent arrives byte for byte; what two
//! programs could read differently is refused before anything is asked (E-02 to E-10, E-14).

use crate::fakes::wechat::{APP, SignType, notification, signed_xml};
use crate::harness::World;
use crate::wire::Request;
use serde_json::json;

fn post(target: &str, content_type: &str, body: impl AsRef<[u8]>) -> Request {
    Request::post(target).header("Content-Type", content_type).body(body.as_ref().to_vec())
}

const FORM: &str = "application/x-www-form-urlencoded";

/// Each is forwarded as it was sent.
fn taken(world: &World, requests: &[Request]) {
    for request in requests {
        let answer = world.send(request);
        assert_eq!(answer.status(), 200, "{request:?}: {}", world.reason(&answer));
        let seen = world.upstream.requests().pop().unwrap();
        assert_eq!(seen.body, request.body, "{request:?}");
        assert_eq!(seen.target, request.target);
        for name in ["Content-Type", "Content-Encoding"] {
            assert_eq!(seen.header(name), request.header_value(name), "{request:?}");
        }
    }
}
