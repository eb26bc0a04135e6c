//! Both neighbours come and go.

use crate::fakes::upstream::{Reply, Upstream};
use crate::fakes::wechat::{Fault, WeChat};
use std::thread;
use std::time::Duration;

/// Changes what both do, until it is over.
pub fn changes(wechat: &WeChat, upstream: &Upstream, mut random: fastrand::Rng, is_over: impl Fn() -> bool) {
    while !is_over() {
        if random.bool() {
            turns_upstream(upstream, &mut random);
        } else {
            turns_wechat(wechat, &mut random);
        }
        // For how long is what makes it weather.
        thread::sleep(Duration::from_millis(random.u64(20..200)));
    }
}

/// Both are well, and stay so.
pub fn clears(wechat: &WeChat, upstream: &Upstream) {
    wechat.comes_back();
    wechat.is_in_a_mood(None);
    upstream.comes_back();
    upstream.answers(Reply::ok(b"taken"));
}

fn turns_upstream(upstream: &Upstream, random: &mut fastrand::Rng) {
    upstream.comes_back();
    match random.u8(0..10) {
        0 => upstream.goes_down(),
        1 => upstream.answers(Reply::Says { status: 500, content_type: "text/plain", body: b"no database".to_vec() }),
        2 => upstream.answers(Reply::Hangs),
        3 => upstream.answers(Reply::ActsInSilence),
        4 => upstream.answers(Reply::Breaks),
        _ => upstream.answers(Reply::ok(b"taken")),
    }
}

fn turns_wechat(wechat: &WeChat, random: &mut fastrand::Rng) {
    wechat.comes_back();
    let at_once = Duration::ZERO;
    match random.u8(0..10) {
        0 => wechat.goes_down(),
        1 => wechat.is_in_a_mood(Some((Fault::None, Duration::from_millis(500)))),
        2 => wechat.is_in_a_mood(Some((Fault::None, Duration::from_millis(100)))),
        3 => wechat.is_in_a_mood(Some((Fault::Unsigned, at_once))),
        4 => wechat.is_in_a_mood(Some((Fault::Error("SYSTEMERROR"), at_once))),
        _ => wechat.is_in_a_mood(None),
    }
}
