//! WeChat Pay's platform certificates: when they are downloaded, how long they are believed, and that nothing depends on
//! a download that nothing needs.

use crate::api_v3::{AUTO, V3, is_refused};
use crate::fakes::wechat::Fault;
use crate::fakes::wechat::v3::{
    NEW, NoCertificates, Notice, OLD, PLATFORM_1, PLATFORM_2, PROVIDER, STRANGER, SWITCHING, Stamp, VALID, Wrong,
};
use crate::harness::{Setup, World, at_once, until, within};
use serde_json::json;
use std::time::{Duration, Instant};

/// How often an account downloaded.
fn downloads(world: &World, account: &crate::fakes::wechat::v3::Account) -> usize {
    world.wechat.downloads().iter().filter(|mch_id| **mch_id == account.merchant.mch_id).count()
}

/// Only the account with certificates, and a short time for the question.
fn brief(setup: &mut Setup) {
    setup.config["confirm_deadline"] = json!("2s");
    setup.config["follow_up"] = json!({ "ask_again": ["1h"], "redeliver": ["1h"] });
}

#[test]
fn they_are_downloaded_at_the_start_where_there_is_no_public_key() {
    let world = World::of_v3(brief);
    until("the download", || downloads(&world, &OLD) == 1);
    world.wechat.order(&OLD.merchant, "START-1").paid(100);
    let answer = world.form_v3("old", "START-1");
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    world.wechat.order(&OLD.merchant, "START-2").paid(100);
    let answer = world.notice(V3, "old", &Notice::paid(&OLD, "START-2", 100));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    assert_eq!(world.wechat.downloads(), [OLD.merchant.mch_id], "once, and nobody else");
    let scrape = world.scrape();
    assert_eq!(scrape.one("tollgate_wechat_certificate_downloads_total", &[("outcome", "new")]), 1.0);
}

#[test]
fn beside_a_public_key_they_are_downloaded_when_an_unknown_serial_comes() {
    let world = World::of_v3(brief);
    world.wechat.order(&NEW.merchant, "LATER-1").paid(100);
    assert_eq!(world.form_v3("new", "LATER-1").status(), 200);
    assert_eq!(downloads(&world, &NEW), 0);
    world.wechat.order(&NEW.merchant, "LATER-2").paid(100);
    let notice = Notice::paid(&NEW, "LATER-2", 100);
    let answer = world.send(&notice.stamped(&format!("{V3}/new"), &Stamp::by(PLATFORM_1)));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    assert_eq!(downloads(&world, &NEW), 1);
    // An answer that is signed with one, too.
    world.wechat.signs_with_certificate(Some(true));
    world.wechat.order(&SWITCHING.merchant, "LATER-3").paid(100);
    let answer = world.form_v3("switching", "LATER-3");
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    assert_eq!((downloads(&world, &SWITCHING), downloads(&world, &NEW)), (1, 1));
}

#[test]
fn whoever_needs_one_waits_for_the_same_download() {
    let world = World::of_v3(|setup| {
        brief(setup);
        setup.config["confirm_deadline"] = json!("8s");
        setup.config["deadline"] = json!("9s");
    });
    for index in 0..10 {
        world.wechat.order(&NEW.merchant, &format!("WAIT-{index}")).paid(100);
    }
    world.wechat.hold();
    let since = Instant::now();
    let answers = std::thread::scope(|scope| {
        let sent = scope.spawn(|| {
            at_once(10, |index| {
                let notice = Notice::paid(&NEW, &format!("WAIT-{index}"), 100);
                world.send(&notice.stamped(&format!("{V3}/new"), &Stamp::by(PLATFORM_1)))
            })
        });
        until("the download", || downloads(&world, &NEW) == 1);
        world.wechat.release();
        sent.join().unwrap()
    });
    let statuses: Vec<_> = answers.iter().map(|answer| answer.status()).collect();
    assert_eq!(statuses, [200; 10]);
    // One, unless the machine is so slow that the next one was allowed.
    let allowed = 1 + since.elapsed().as_secs() / 5;
    assert!((1..=allowed).contains(&(downloads(&world, &NEW) as u64)), "{} downloads", downloads(&world, &NEW));
}

#[test]
fn unknown_serials_cause_no_more_than_one_download_in_five_seconds() {
    let world = World::of_v3(brief);
    for index in 0..30 {
        let notice = Notice::paid(&NEW, &format!("FLOOD-{index}"), 100);
        let serial = format!("{index:040X}");
        let stamp = Stamp::by(STRANGER).called(&serial);
        let answer = world.send(&notice.stamped(&format!("{V3}/new"), &stamp));
        assert!(is_refused(&answer) && answer.status() == 401, "{index}: {}", world.summary(&answer));
        assert_eq!(world.reason(&answer), "notification-serial-unknown", "{index}");
    }
    // However long the thirty took.
    assert!((1..=3).contains(&downloads(&world, &NEW)), "{} downloads", downloads(&world, &NEW));
    world.wechat_was_not_asked();
    // What is no certificate's serial at all causes none.
    let before = world.wechat.downloads().len();
    for serial in ["PUB_KEY_ID_0114000091912026110100001200000009", "x", &"G".repeat(40), &"0".repeat(41)] {
        let notice = Notice::paid(&SWITCHING, "FLOOD-X", 100);
        let answer = world.send(&notice.stamped(&format!("{V3}/switching"), &Stamp::by(STRANGER).called(serial)));
        assert_eq!(answer.status(), 401, "{serial}");
    }
    assert_eq!(world.wechat.downloads().len(), before);
}

#[test]
fn a_flood_on_an_address_for_all_accounts_costs_each_of_them_one_download() {
    let world = World::of_v3(brief);
    until("the first one", || downloads(&world, &OLD) == 1);
    for index in 0..20 {
        let notice = Notice::paid(&NEW, &format!("ALL-{index}"), 100);
        let answer = world.send(&notice.stamped(AUTO, &Stamp::by(STRANGER).called(&format!("{index:040X}"))));
        assert!(is_refused(&answer), "{index}");
    }
    for account in [&NEW, &OLD, &SWITCHING] {
        assert!(downloads(&world, account) <= 4, "{}: {}", account.merchant.mch_id, downloads(&world, account));
    }
    world.wechat_was_not_asked();
}

#[test]
fn a_providers_many_sub_merchants_keep_no_other_account_from_its_certificates() {
    let world = World::of_v3(|setup| {
        for index in 0..80 {
            let mut sub = PROVIDER.asked_by_v3();
            sub["sub_mch_id"] = json!(format!("19100000{index:02}"));
            setup.config["channels"][format!("sub-{index}")] = sub;
        }
    });
    world.wechat.order(&SWITCHING.merchant, "AMONG-1").paid(100);
    let notice = Notice::paid(&SWITCHING, "AMONG-1", 100);
    let answer = world.send(&notice.stamped(AUTO, &Stamp::by(PLATFORM_1)));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
}

#[test]
fn no_download_is_needed_to_start_and_the_next_one_mends_it() {
    let faults = [
        NoCertificates::Coded(404, "RESOURCE_NOT_EXISTS"),
        NoCertificates::Coded(403, "NO_AUTH"),
        NoCertificates::Coded(500, "SYSTEM_ERROR"),
        NoCertificates::Empty,
        NoCertificates::Reset,
        NoCertificates::Unsigned,
        NoCertificates::SignedByStranger,
        NoCertificates::Undecipherable,
        NoCertificates::OtherSerial,
    ];
    at_once(faults.len(), |index| {
        let fault = faults[index];
        let world = World::of_v3(|setup| {
            brief(setup);
            setup.wechat().certificates_fail(Some(fault));
        });
        until("the download", || downloads(&world, &OLD) >= 1);
        // Other accounts need none.
        world.wechat.order(&NEW.merchant, "OUTAGE-1").paid(100);
        assert_eq!(world.form_v3("new", "OUTAGE-1").status(), 200, "{fault:?}");
        world.wechat.order(&OLD.merchant, "OUTAGE-2").paid(100);
        let answer = world.form_v3("old", "OUTAGE-2");
        let reason = world.reason(&answer);
        assert_eq!(answer.status(), 503, "{fault:?}: {reason}");
        assert!(
            ["certificates-unavailable", "answer-serial-unknown"].contains(&reason.as_str()),
            "{fault:?}: {reason}"
        );
        world.wechat.certificates_fail(None);
        world.wechat.order(&OLD.merchant, "OUTAGE-3").paid(100);
        let mut last = String::new();
        let mended = within(Duration::from_secs(20), || {
            let answer = world.send(&Notice::paid(&OLD, "OUTAGE-3", 100).to(&format!("{V3}/old")));
            last = world.reason(&answer);
            answer.status() == 200
        });
        assert!(mended, "{fault:?}: {last}");
    });
}

#[test]
fn a_notification_that_needs_one_which_cannot_be_had_comes_again() {
    let world = World::of_v3(|setup| {
        brief(setup);
        setup.wechat().certificates_fail(Some(NoCertificates::Reset));
    });
    let answer = world.notice(V3, "old", &Notice::paid(&OLD, "ABSENT-1", 100));
    let reason = world.reason(&answer);
    assert!(is_refused(&answer), "{reason}");
    assert!(
        (answer.status(), reason.as_str()) == (503, "certificates-unavailable")
            || (answer.status(), reason.as_str()) == (401, "notification-serial-unknown"),
        "{} {reason}",
        answer.status()
    );
    world.nothing_came_of_it();
}

#[test]
fn a_new_one_is_taken_up_and_one_that_is_no_longer_listed_stays() {
    let world = World::of_v3(brief);
    until("the download", || downloads(&world, &OLD) == 1);
    world.wechat.order(&OLD.merchant, "ROTATE-1").paid(100);
    let answer = world.form_v3("old", "ROTATE-1");
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    world.wechat.has_certificates(&[(PLATFORM_2, VALID)]);
    // Within five seconds of the first download, whoever needs the second waits for it.
    let mut last = String::new();
    world.wechat.order(&OLD.merchant, "ROTATE-2").paid(100);
    let taken_up = within(Duration::from_secs(20), || {
        let notice = Notice::paid(&OLD, "ROTATE-2", 100);
        let answer = world.send(&notice.stamped(&format!("{V3}/old"), &Stamp::by(PLATFORM_2)));
        last = world.reason(&answer);
        answer.status() == 200
    });
    assert!(taken_up, "{last}");
    assert_eq!(downloads(&world, &OLD), 2);
    // WeChat Pay no longer lists the first, and it has not expired.
    world.wechat.order(&OLD.merchant, "ROTATE-3").paid(100);
    let answer = world.notice(V3, "old", &Notice::paid(&OLD, "ROTATE-3", 100));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    assert_eq!(downloads(&world, &OLD), 2);
}

#[test]
fn one_that_has_expired_is_believed_no_more() {
    let world = World::of_v3(|setup| {
        brief(setup);
        setup.wechat().has_certificates(&[(PLATFORM_1, -86_400..-60), (PLATFORM_2, VALID)]);
    });
    until("the download", || downloads(&world, &OLD) >= 1);
    world.wechat.order(&OLD.merchant, "EXPIRED-1").paid(100);
    let notice = Notice::paid(&OLD, "EXPIRED-1", 100);
    let answer = world.send(&notice.stamped(&format!("{V3}/old"), &Stamp::by(PLATFORM_1)));
    assert_eq!((answer.status(), is_refused(&answer)), (401, true), "{}", world.summary(&answer));
    world.nothing_came_of_it();
    let answer = world.send(&notice.stamped(&format!("{V3}/old"), &Stamp::by(PLATFORM_2)));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
}

#[test]
fn none_and_files_are_never_downloaded() {
    for certificates in [json!("none"), json!(["${file:platform_1.pem}"])] {
        let none = certificates == "none";
        let world = World::of_v3(|setup| {
            brief(setup);
            setup.config["channels"].as_object_mut().unwrap().remove("old");
            setup.config["channels"]["new"]["platform_certificates"] = certificates.clone();
        });
        world.wechat.order(&NEW.merchant, "FILES-1").paid(100);
        let notice = Notice::paid(&NEW, "FILES-1", 100);
        let answer = world.send(&notice.stamped(&format!("{V3}/new"), &Stamp::by(PLATFORM_1)));
        assert_eq!(answer.status(), if none { 401 } else { 200 }, "{}", world.summary(&answer));
        let answer = world.send(&notice.stamped(&format!("{V3}/new"), &Stamp::by(PLATFORM_2)));
        assert_eq!((answer.status(), world.reason(&answer).as_str()), (401, "notification-serial-unknown"));
        assert_eq!(world.form_v3("new", "FILES-1").status(), 200);
        assert!(world.wechat.downloads().is_empty(), "{certificates}");
    }
}

#[test]
fn an_account_with_files_only_needs_no_private_key_to_read_notifications() {
    let world = World::of_v3(|setup| {
        brief(setup);
        let mixed = setup.config["channels"]["mixed"].as_object_mut().unwrap();
        mixed.remove("public_key");
        mixed.remove("public_key_id");
        mixed.insert("platform_certificates".to_owned(), json!(["${file:platform_1.pem}"]));
    });
    let mixed = crate::fakes::wechat::v3::MIXED;
    world.wechat.order(&mixed.merchant, "KEYLESS-1").paid(100);
    let notice = Notice::paid(&mixed, "KEYLESS-1", 100);
    let answer = world.send(&notice.stamped(&format!("{V3}/mixed"), &Stamp::by(PLATFORM_1)));
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
    assert_eq!(downloads(&world, &mixed), 0);
}

#[test]
fn a_serial_that_only_an_answer_names_is_downloaded_for_within_the_deadline() {
    let world = World::of_v3(brief);
    until("the download", || downloads(&world, &OLD) == 1);
    world.wechat.order(&NEW.merchant, "ANSWER-1").faults(&[Fault::V3(Wrong::UnknownSerial), Fault::None]).paid(100);
    let answer = world.form_v3("new", "ANSWER-1");
    let reason = world.reason(&answer);
    // The serial is nobody's after the download, too. Whether it is asked again is not promised.
    assert!(answer.status() == 200 || reason == "answer-serial-unknown", "{reason}");
    assert_eq!(downloads(&world, &NEW), 1);
}

#[test]
fn what_was_downloaded_survives_a_reload_of_the_configuration() {
    let world = World::of_v3(brief);
    until("the download", || downloads(&world, &OLD) == 1);
    world.change_config(|config| config["channels"]["app"]["on_refunded"] = json!("forward"));
    world.gate.signal(nix::sys::signal::Signal::SIGHUP);
    until("the reload", || world.gate.log().contains("reloaded") || world.gate.log().contains("configuration"));
    world.wechat.certificates_fail(Some(NoCertificates::Reset));
    world.wechat.order(&OLD.merchant, "RELOAD-1").paid(100);
    let answer = world.form_v3("old", "RELOAD-1");
    assert_eq!(answer.status(), 200, "{}", world.summary(&answer));
}
