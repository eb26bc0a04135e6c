//! The keys of an account in every shape in which people have them, each tried by what it is for, and how a wrong key, a
//! wrong serial number and a wrong clock are told apart.

use crate::api_v3::{V3, is_refused};
use crate::fakes::wechat::v3::{NEW, Notice, OLD, PLATFORM_1, PLATFORM_2, STRANGER, Stamp, VALID, Wrong};
use crate::fakes::wechat::{Fault, WeChat};
use crate::faults::Clock;
use crate::harness::{Setup, World};
use crate::program::Ended;
use crate::wechatpay_v3::{about, certificate, made, pem};
use serde_json::{Value, json};

fn new_channel(setup: &mut Setup) -> &mut Value {
    &mut setup.config["channels"]["new"]
}

#[test]
fn a_private_key_signs_in_whatever_shape_it_is_given() {
    let name = NEW.private_key.name;
    let (pkcs8, pkcs1) = (pem(name, "pkcs8"), pem(name, "pkcs1"));
    let relabelled = |text: &str, from: &str, to: &str| text.replace(from, to);
    for (what, key) in [
        ("PKCS#8", pkcs8.clone()),
        ("PKCS#1", pkcs1.clone()),
        ("CRLF", pkcs8.replace('\n', "\r\n")),
        ("literal line ends", pkcs8.replace('\n', "\\n")),
        ("PKCS#8 under the label of PKCS#1", relabelled(&pkcs8, " PRIVATE", " RSA PRIVATE")),
        ("PKCS#1 under the label of PKCS#8", relabelled(&pkcs1, " RSA PRIVATE", " PRIVATE")),
        ("base64 alone", pem(name, "der")),
        ("lines of base64 alone", pkcs8.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n")),
    ] {
        let world = World::of_v3(|setup| {
            new_channel(setup)["private_key"] = json!(key);
            new_channel(setup)["serial"] = json!(NEW.private_key.serial.to_lowercase());
        });
        world.wechat.order(&NEW.merchant, "SHAPE-1").paid(100);
        let answer = world.form_v3("new", "SHAPE-1");
        assert_eq!(answer.status(), 200, "{what}: {} {:?}", world.summary(&answer), world.wechat.refused());
    }
}

#[test]
fn a_key_to_verify_with_does_so_in_whatever_shape_it_is_given() {
    let public = NEW.signed_by().public();
    let platform = PLATFORM_1.certificate(VALID);
    let bare = |text: &str| text.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    for (what, public, platform) in [
        ("CRLF", public.replace('\n', "\r\n"), platform.replace('\n', "\r\n")),
        ("literal line ends", public.replace('\n', "\\n"), platform.replace('\n', "\\n")),
        ("base64 alone", bare(&public), bare(&platform)),
    ] {
        let world = World::of_v3(|setup| {
            new_channel(setup)["public_key"] = json!(public);
            new_channel(setup)["platform_certificates"] = json!([platform]);
        });
        for (index, key) in [NEW.signed_by(), PLATFORM_1].into_iter().enumerate() {
            let order = format!("VERIFY-{index}");
            world.wechat.order(&NEW.merchant, &order).paid(100);
            let notice = Notice::paid(&NEW, &order, 100);
            let answer = world.send(&notice.stamped(&format!("{V3}/new"), &Stamp::by(key)));
            assert_eq!(answer.status(), 200, "{what}: {}", world.summary(&answer));
        }
    }
}

type Change = Box<dyn Fn(&mut Value)>;

/// `tollgate check` of a config with this change.
fn checked(world: &World, change: &dyn Fn(&mut Value)) -> Ended {
    let before: Value = serde_json::from_str(&std::fs::read_to_string(world.config_file()).unwrap()).unwrap();
    world.change_config(|config| change(&mut config["channels"]["new"]));
    let ended = world.command(&["check"]);
    world.change_config(|config| *config = before.clone());
    ended
}

#[test]
fn every_mix_up_of_keys_is_found_by_its_key_and_never_shown() {
    let world = World::of_v3(|_| ());
    assert_eq!(world.command(&["check"]).code, 0);
    let private = pem(NEW.private_key.name, "pkcs8");
    let own_certificate = certificate(NEW.private_key.name, NEW.private_key.serial, VALID);
    let expired = PLATFORM_2.certificate(-200_000..-100_000);
    let (short, curve) = (made(1024), made(0));
    let another = certificate(OLD.private_key.name, NEW.private_key.serial, VALID);
    let set = |key: &'static str, value: Value| move |channel: &mut Value| channel[key] = value.clone();
    let both = |key: &'static str, value: Value, other: &'static str, then: Value| {
        move |channel: &mut Value| {
            channel[key] = value.clone();
            channel[other] = then.clone();
        }
    };
    let without = |keys: &'static [&'static str]| {
        move |channel: &mut Value| keys.iter().for_each(|key| drop(channel.as_object_mut().unwrap().remove(*key)))
    };
    let public = NEW.signed_by().public();
    let cases: Vec<(&str, Change)> = vec![
        ("private_key", Box::new(set("private_key", json!(public)))),
        ("private_key", Box::new(set("private_key", json!(own_certificate)))),
        ("private_key", Box::new(set("private_key", json!(short)))),
        ("private_key", Box::new(set("private_key", json!(curve)))),
        ("private_key", Box::new(set("private_key", json!("x")))),
        ("public_key", Box::new(set("public_key", json!(private)))),
        ("public_key", Box::new(set("public_key", json!(pem(NEW.private_key.name, "public"))))),
        ("public_key", Box::new(without(&["public_key"]))),
        ("public_key", Box::new(without(&["public_key_id"]))),
        ("public_key_id", Box::new(set("public_key_id", json!("0114000091912026110100001200000001")))),
        ("certificate", Box::new(set("certificate", json!(another)))),
        ("serial", Box::new(both("certificate", json!(own_certificate), "serial", json!("0".repeat(40))))),
        ("serial", Box::new(set("serial", json!("4A6B")))),
        ("serial", Box::new(without(&["serial"]))),
        ("private_key", Box::new(without(&["private_key"]))),
        ("api_v3_key", Box::new(set("api_v3_key", json!("too-short")))),
        ("api_v3_key", Box::new(set("api_v3_key", json!(NEW.private_key.serial)))),
        ("platform_certificates", Box::new(set("platform_certificates", json!([own_certificate])))),
        ("platform_certificates", Box::new(set("platform_certificates", json!([expired])))),
        ("platform_certificates", Box::new(set("platform_certificates", json!([private])))),
        (
            "platform_certificates",
            Box::new(set(
                "platform_certificates",
                json!([PLATFORM_1.certificate(VALID), certificate(STRANGER.name, PLATFORM_1.serial, VALID),]),
            )),
        ),
        ("platform_certificates", Box::new(set("platform_certificates", json!("sometimes")))),
    ];
    for (index, (key, change)) in cases.iter().enumerate() {
        let ended = checked(&world, change);
        let told = format!("{}{}", ended.stdout, ended.stderr);
        assert_eq!(ended.code, 1, "{index} {key}: {told}");
        assert!(told.contains(key), "{index} {key}: {told}");
        for secret in [&private, &short, &curve, NEW.api_v3_key, "too-short"].map(|secret: &str| secret) {
            let line = secret.lines().nth(2).unwrap_or(secret);
            assert!(!told.contains(line), "{index} {key} shows a value: {told}");
        }
    }
    // Nothing that would read a notification.
    let ended = checked(&world, &|channel| {
        without(&["public_key", "public_key_id"])(channel);
        channel["platform_certificates"] = json!("none");
    });
    assert_eq!(ended.code, 1, "{}", ended.stdout);
    // A month before it ends, a certificate is a warning and no more.
    let ended = checked(&world, &set("platform_certificates", json!([PLATFORM_2.certificate(-100..20 * 86_400)])));
    let told = format!("{}{}", ended.stdout, ended.stderr);
    assert!(ended.code == 0 && told.contains("platform_certificates"), "{told}");
}

#[test]
fn resolve_tells_the_clock_the_serial_and_the_key_apart() {
    let resolved = |change: &dyn Fn(&mut Setup), ahead: i64| {
        let world = World::of_v3(|setup| {
            Clock::under(setup).is_ahead(ahead);
            // One account is enough.
            let channels = setup.config["channels"].as_object_mut().unwrap();
            channels.retain(|name, _| name == "new" || name == "app" || name == "2/c1");
            change(setup);
        });
        world.wechat.expects_refusals();
        let env: Vec<_> = world.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let config = world.config_file();
        let ended = crate::program::command(&["check", "--resolve", "--config", config.to_str().unwrap()], &env);
        format!("{} {}{}", ended.code, ended.stdout, ended.stderr)
    };
    let right = resolved(&|_| (), 0);
    assert!(right.starts_with("0 "), "{right}");
    let serial = resolved(&|setup| new_channel(setup)["serial"] = json!(OLD.private_key.serial), 0);
    let key = resolved(&|setup| new_channel(setup)["private_key"] = json!(pem(STRANGER.name, "pkcs8")), 0);
    let clock = resolved(&|_| (), 400);
    for (told, word) in [(&serial, "serial"), (&key, "private_key"), (&clock, "clock")] {
        assert!(told.starts_with("1 ") && told.contains(word), "{word}: {told}");
    }
}

#[test]
fn under_a_wrong_clock_nothing_is_believed_and_the_difference_is_told() {
    let world = World::of_v3(|setup| {
        Clock::under(setup).is_ahead(400);
        setup.config["confirm_deadline"] = json!("1500ms");
    });
    world.wechat.expects_refusals();
    world.wechat.order(&NEW.merchant, "CLOCK-1").paid(100);
    let answer = world.notice(V3, "new", &Notice::paid(&NEW, "CLOCK-1", 100));
    assert_eq!((answer.status(), is_refused(&answer)), (401, true));
    assert_eq!(world.reason(&answer), "notification-outside-window");
    let answer = world.form_v3("new", "CLOCK-1");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "query-refused"));
    world.upstream_saw_nothing();
    // The other way round: WeChat Pay's answer says that its clock is far behind.
    let world = World::of_v3(|setup| {
        setup.config["confirm_deadline"] = json!("1500ms");
        // Its download tells a difference, too.
        setup.config["channels"].as_object_mut().unwrap().remove("old");
    });
    world.wechat.order(&NEW.merchant, "CLOCK-2").fault(Fault::V3(Wrong::Offset(-400))).paid(100);
    let answer = world.form_v3("new", "CLOCK-2");
    assert_eq!((answer.status(), world.reason(&answer).as_str()), (503, "answer-outside-window"));
    let offset = world.scrape().one("tollgate_wechat_clock_offset_seconds", &[]);
    assert!((-402.0..=-398.0).contains(&offset), "{offset}");
}

#[test]
fn a_certificate_made_here_says_what_was_wanted() {
    assert_eq!(about(&PLATFORM_1.certificate(VALID))["serial"], PLATFORM_1.serial);
    assert!(WeChat::start().refused().is_empty());
}
