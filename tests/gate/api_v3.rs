//! A gate with the accounts and routes of API v3 beside the others, and verbs for what is sent to them. What Python does
//! is held here against the vectors of the fact sheet.

use crate::fakes::wechat::WeChat;
use crate::fakes::wechat::v3::{MIXED, NEW, Notice, OLD, PLATFORM_1, PROVIDER, RESIGN, SCHEME, SWITCHING, VALID, now};
use crate::harness::{Setup, World};
use crate::wechatpay_v3::{certificate, open, pem, seal, sha1, sign, verify};
use crate::wire::{Message, Request, Wire};
use serde_json::{Value, json};

/// What a backend answers that says nothing but its status.
pub const TAKEN: &str = r#"{"code":"SUCCESS","message":"成功"}"#;

/// Where notifications are posted to, before the channel.
pub const V3: &str = "/wxpay/v3";
pub const ANY: &str = "/wxpay/any";
pub const AUTO: &str = "/wxpay/auto";
pub const REFUNDS: &str = "/wxpay/refunds";
pub const RESIGNED: &str = "/wxpay/resigned";

impl Setup {
    /// Adds channels with keys in every shape, and routes for a form and for notifications.
    pub fn speaks_v3(&mut self) {
        let old = &OLD.private_key;
        for (name, text) in [
            ("old_key.pem", pem(old.name, "pkcs1")),
            ("old_cert.pem", certificate(old.name, old.serial, VALID)),
            ("switching_key.pem", pem(SWITCHING.private_key.name, "pkcs8").replace('\n', "\r\n")),
            ("platform_1.pem", PLATFORM_1.certificate(VALID)),
            ("resign_key.pem", pem(RESIGN.name, "pkcs8")),
        ] {
            std::fs::write(self.dir.join(name), text).unwrap();
        }
        let channels = &mut self.config["channels"];
        // The same account as 2/c1, and `channel: auto` must find one.
        channels.as_object_mut().unwrap().remove("hmac");
        channels["new"] = NEW.asked_by_v3();
        channels["old"] = OLD.asked_by_v3();
        let old = channels["old"].as_object_mut().unwrap();
        old.remove("serial");
        old.insert("private_key".to_owned(), json!("${file:old_key.pem}"));
        old.insert("certificate".to_owned(), json!("${file:old_cert.pem}"));
        channels["switching"] = SWITCHING.asked_by_v3();
        channels["switching"]["private_key"] = json!("${file:switching_key.pem}");
        channels["switching"]["query_by"] = json!("transaction_id");
        channels["provider"] = PROVIDER.asked_by_v3();
        channels["mixed"] = MIXED.channel();
        channels["mixed"]["provider"] = json!("wechat-v2");
        let routes = self.config["routes"].as_array_mut().unwrap();
        routes.extend([
            json!({
                "name": "form-v3", "path": "/pay/v3", "methods": ["POST"], "carrier": "form", "order": "OrderID",
                "transaction": "WeixinTransactionID", "amount": "TotalFee",
                "channel": [{ "from": "ChannelID" }, { "is": "new" }], "reply": "http",
            }),
            json!({ "name": "notify-v3", "path": format!("{V3}/{{channel}}"), "preset": "wechat-v3" }),
            json!({ "name": "any", "path": format!("{ANY}/{{channel}}"), "preset": "wechat" }),
            json!({ "name": "auto", "path": AUTO, "preset": "wechat" }),
            json!({
                "name": "refunds-v3", "path": format!("{REFUNDS}/{{channel}}"), "preset": "wechat",
                "events": ["payment", "refund"],
            }),
        ]);
    }

    /// Adds a route whose notifications are signed by the gate.
    pub fn resigns(&mut self) {
        let routes = self.config["routes"].as_array_mut().unwrap();
        routes.push(json!({
            "name": "resigned", "path": format!("{RESIGNED}/{{channel}}"), "preset": "wechat",
            "resign": { "private_key": "${file:resign_key.pem}", "serial": RESIGN.serial },
        }));
    }
}

impl World {
    /// A gate that speaks API v3.
    pub fn of_v3(change: impl FnOnce(&mut Setup)) -> Self {
        Self::with(|setup| {
            setup.speaks_v3();
            change(setup);
        })
    }

    /// The APP says that an order is paid which API v3 is asked about.
    pub fn form_v3(&self, channel: &str, order: &str) -> Message {
        self.send(&Request::post("/pay/v3").form(format!("OrderID={order}&ChannelID={channel}")))
    }

    /// WeChat Pay notifies, rightly signed, at a path with a channel.
    pub fn notice(&self, path: &str, channel: &str, notice: &Notice) -> Message {
        self.send(&notice.to(&format!("{path}/{channel}")))
    }

    /// Nothing was asked, and nothing passed.
    pub fn nothing_came_of_it(&self) {
        self.wechat_was_not_asked();
        self.upstream_saw_nothing();
    }
}

/// Whether an answer makes WeChat Pay send again: the status decides, and the body must not say otherwise.
pub fn is_refused(answer: &Message) -> bool {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    answer.status() >= 400 && body["code"] == "FAIL"
}

/// `docs/reference/wechatpay-v3.md` section 6.4.
#[test]
fn what_seals_here_seals_as_the_documentation_does() {
    let (key, nonce, text) =
        ("0123456789abcdef0123456789ABCDEF", "fdasflkja484", br#"{"trade_state":"SUCCESS"}"#.as_slice());
    for (associated_data, sealed) in [
        ("transaction", "bz19R35VkVws1vTTuERUqn8nHNqMpgpBX0zUxLfNWCvQOMNlRsCaakA="),
        ("", "bz19R35VkVws1vTTuERUqn8nHNqMpgpBX70wWWB2bziilc5W/dlEdPo="),
    ] {
        assert_eq!(seal(text, nonce, associated_data, key), sealed);
        assert_eq!(open(sealed, nonce, associated_data, key).as_deref(), Some(text));
        assert_eq!(open(sealed, nonce, "other", key), None);
    }
    assert_eq!(sha1(b"abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

#[test]
fn what_signs_here_is_verified_by_the_certificate_and_not_by_another_key() {
    let signature = sign(b"text", PLATFORM_1.name);
    assert!(verify(b"text", &signature, &PLATFORM_1.certificate(VALID)));
    assert!(!verify(b"text", &signature, &NEW.signed_by().public()));
    assert!(!verify(b"texT", &signature, PLATFORM_1.name));
    assert!(!verify(b"text", "WECHATPAY/SIGNTEST/x", PLATFORM_1.name));
}

/// A request as a merchant makes it, and what the stand-in says.
fn asked(target: &str, change: impl Fn(&str) -> String) -> Message {
    let wechat = WeChat::start();
    wechat.order(&NEW.merchant, "HELD-1").paid(100);
    let (timestamp, nonce) = (now(), "593BEC0C930BF1AFEB40B4A08C8FB242");
    let signature = sign(format!("GET\n{target}\n{timestamp}\n{nonce}\n\n").as_bytes(), NEW.private_key.name);
    let authorization = format!(
        "{SCHEME} mchid=\"{}\",nonce_str=\"{nonce}\",timestamp=\"{timestamp}\",serial_no=\"{}\",signature=\"{signature}\"",
        NEW.merchant.mch_id, NEW.private_key.serial
    );
    let request = Request::get(target).header("Accept", "application/json").header("User-Agent", "x");
    let request = request.header("Wechatpay-Serial", NEW.signed_by().serial);
    let mut wire = Wire::to(wechat.addr);
    wire.send(&request.header("Authorization", &change(&authorization)).bytes());
    wire.answer().unwrap()
}

#[test]
fn the_stand_in_answers_what_is_rightly_authorised_with_the_key_that_was_asked_for() {
    let target = "/v3/pay/transactions/out-trade-no/HELD-1?mchid=1900009191";
    let answer = asked(target, str::to_owned);
    assert_eq!((answer.status(), &answer.json()["trade_state"]), (200, &json!("SUCCESS")), "{}", answer.text());
    let header = |name: &str| answer.header(name).unwrap();
    assert_eq!(header("Wechatpay-Serial"), NEW.signed_by().serial);
    let (timestamp, nonce) = (header("Wechatpay-Timestamp"), header("Wechatpay-Nonce"));
    let message = format!("{timestamp}\n{nonce}\n{}\n", answer.text());
    assert!(verify(message.as_bytes(), &header("Wechatpay-Signature"), NEW.signed_by().name));
    let old = now() - 400;
    for change in [
        &(|a: &str| a.replace("mchid=\"1900009191\"", "mchid=\"1900009202\"")) as &dyn Fn(&str) -> String,
        &|a| a.replace(SCHEME, "WECHATPAY2-SHA256-RSA2049"),
        &|a| a.replace(",nonce", ", nonce"),
        &|a| a.replace("B242\"", "B243\""),
        &|a| a.replace(&format!("\"{}", now() / 100), &format!("\"{}", old / 100)),
        &|a| a.replace(NEW.private_key.serial, OLD.private_key.serial),
        &|_| String::new(),
    ] {
        assert_eq!(asked(target, change).status(), 401);
    }
    assert_eq!(asked("/v3/pay/transactions/out-trade-no/HELD-2?mchid=1900009191", str::to_owned).status(), 404);
    assert_eq!(asked("/v3/pay/transactions/out-trade-no/HELD-1?mchid=1900009202", str::to_owned).status(), 403);
}
