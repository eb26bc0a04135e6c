//! What the steps of a callback cost one by one: `make bench`. The whole beside nginx is in `docs/performance.md`.

#![expect(clippy::unwrap_used, reason = "a bench that cannot be set up has nothing to measure")]

use bytes::Bytes;
use divan::{Bencher, black_box};
use hyper::Request;
use hyper::header::HeaderValue;
use hyper::http::request::Parts;
use tollgate::domain::order::{AppId, ChannelId, MerchantId, OrderId, OutTradeNo};
use tollgate::domain::secret::Secret;
use tollgate::gate::accepted::Accepted;
use tollgate::gate::claim::{Carrier, ChannelRule, Choose, ClaimFields, ClaimReader, Field, Place, Strictness};
use tollgate::gate::decide::{self, Pair, Pass};
use tollgate::gate::delivery::{Attempt, Origin};
use tollgate::gate::event::{Event, Events};
use tollgate::gate::path::PathPattern;
use tollgate::gate::policy::{Duplicates, Mode, NumberProof, OnRefunded};
use tollgate::gate::reply::ReplyStyle;
use tollgate::gate::route::{QueryMatch, Reading, Route, Routes};
use tollgate::gate::sender::Sender;
use tollgate::gate::stamp::{Delivered, HeaderNames, Host, Source, Stamp};
use tollgate::journal::{Claimed, Overrides};
use tollgate::net::xml::Fields;
use tollgate::provider::AskBy;
use tollgate::provider::wechat::sign::{SignType, sign};
use tollgate::provider::wechat::v2::order_state;
use tollgate::provider::wechat::{Api, ApiKey, Credentials, v2};
use tollgate::server::Peer;
use tollgate::upstream::Upstream;

fn main() {
    divan::main();
}

const KEY: &str = "Kf93mXq0Lz7Vb2Nc8Rt5Yw1Ua6Se4Dg0";

const FORM: &[u8] = b"AppID=wx0000000000000001&MerchantID=1900000001&OrderID=P000000001&ChannelID=wx&Amount=100\
&Currency=CNY&NotifyTime=20260101120000&NonceStr=5K8264ILTKCH16CQ2502SI8ZNMTM67VS&OpenID=oUpF8uMuAJO_M2pxb1Q9zNjWeS6o\
&BankType=CMC&TradeType=JSAPI&Attach=shop%20one&Sign=00000000000000000000000000000000\
&ReturnURL=https%3A%2F%2Fshop.test%2Fpay%2Fdone%3Fid%3D1&Version=2.0&SignType=MD5";

const JSON: &[u8] = br#"{"data":{"order_id":"P000000001","channel":"wx","amount":100,"currency":"CNY"},"time":1}"#;

const XML: &[u8] = b"<xml><appid><![CDATA[wx0000000000000001]]></appid><attach><![CDATA[shop]]></attach>\
<bank_type><![CDATA[CMC]]></bank_type><cash_fee><![CDATA[100]]></cash_fee><fee_type><![CDATA[CNY]]></fee_type>\
<is_subscribe><![CDATA[Y]]></is_subscribe><mch_id><![CDATA[1900000001]]></mch_id>\
<nonce_str><![CDATA[5K8264ILTKCH16CQ2502SI8ZNMTM67VS]]></nonce_str>\
<openid><![CDATA[oUpF8uMuAJO_M2pxb1Q9zNjWeS6o]]></openid><out_trade_no><![CDATA[P000000001]]></out_trade_no>\
<result_code><![CDATA[SUCCESS]]></result_code><return_code><![CDATA[SUCCESS]]></return_code>\
<time_end><![CDATA[20260101120000]]></time_end><total_fee>100</total_fee><trade_type><![CDATA[JSAPI]]></trade_type>\
<transaction_id><![CDATA[4200000000202401010000000001]]></transaction_id></xml>";

fn field(name: &str) -> Field {
    Field { place: Place::Carrier, name: name.to_owned() }
}

fn reader(carrier: Carrier, order: &str, channel: Choose) -> ClaimReader {
    ClaimReader::new(ClaimFields {
        carrier,
        order: field(order),
        out_trade_no: None,
        transaction: None,
        amount: None,
        fill: None,
        channel: vec![ChannelRule { when_empty: None, choose: channel }],
        strictness: Strictness::default(),
    })
}

fn head(content_type: &str) -> Parts {
    let request = Request::post("/pay/notify")
        .header("host", "shop.test")
        .header("user-agent", "Mozilla/4.0")
        .header("accept", "*/*")
        .header("content-type", content_type)
        .header("x-verified-transaction-id", "spoofed")
        .header("content-length", "372");
    request.body(()).unwrap().into_parts().0
}

fn routes(reader: ClaimReader) -> Routes {
    Routes::new(vec![Route {
        name: "peer".into(),
        path: PathPattern::parse("/pay/notify").unwrap(),
        query: QueryMatch::default(),
        methods: vec![hyper::Method::POST],
        main: Reading {
            preset: None,
            claim: reader,
            accepted: Accepted::any_2xx(),
            reply: ReplyStyle { dialect: None, success: None, failure: None },
        },
        also: Vec::new(),
        events: Events::default(),
        resign: None,
        upstream_window: None,
        number_proof: NumberProof::First,
        deadline: None,
        duplicates: Duplicates::Forward,
        synthesize: None,
    }])
}

fn bench_read(bencher: Bencher, reader: ClaimReader, content_type: &str, body: &'static [u8]) {
    let (head, body, routes) = (head(content_type), Bytes::from_static(body), routes(reader));
    bencher.bench(|| {
        let (route, path) = routes.find(black_box(&head)).unwrap();
        route.main.claim.read(&head, &path, black_box(&body)).unwrap().claim
    });
}

#[divan::bench]
fn read_form(bencher: Bencher) {
    let reader = reader(Carrier::Form, "OrderID", Choose::From(vec![field("ChannelID")]));
    bench_read(bencher, reader, "application/x-www-form-urlencoded", FORM);
}

#[divan::bench]
fn read_json(bencher: Bencher) {
    let reader = reader(Carrier::Json, "data.order_id", Choose::From(vec![field("data.channel")]));
    bench_read(bencher, reader, "application/json", JSON);
}

#[divan::bench]
fn read_xml(bencher: Bencher) {
    let reader = reader(Carrier::Xml, "out_trade_no", Choose::Is(ChannelId::parse("wx").unwrap()));
    bench_read(bencher, reader, "text/xml", XML);
}

#[divan::bench(args = [SignType::Md5, SignType::HmacSha256])]
fn sign_notification(bencher: Bencher, by: SignType) {
    let fields = Fields::read(XML).unwrap();
    bencher.bench(|| sign(black_box(&fields).iter(), KEY.as_bytes(), by));
}

fn account() -> Credentials {
    let signing = ApiKey::parse(Secret::new(KEY.into())).unwrap();
    Credentials {
        api: Api::V2(v2::Keys { signing, also_verify: Vec::new(), sign_type: SignType::Md5 }),
        also: None,
        other_appids: Vec::new(),
        appid: AppId::parse("wx0000000000000001").unwrap(),
        mch_id: MerchantId::parse("1900000001").unwrap(),
        sub_mch_id: None,
        sub_appid: None,
    }
}

fn answer() -> Vec<u8> {
    let fields = Fields::read(XML).unwrap();
    let mut fields: Vec<_> = fields.iter().chain([("trade_state", "SUCCESS")]).collect();
    let signature = sign(fields.iter().copied(), KEY.as_bytes(), SignType::Md5);
    fields.push(("sign", &signature));
    tollgate::net::xml::write(fields).into_bytes()
}

fn claimed() -> Claimed {
    Claimed {
        channel: ChannelId::parse("app").unwrap(),
        order: OrderId::parse("P000000001").unwrap(),
        out_trade_no: OutTradeNo::parse("P000000001").unwrap(),
        transaction_id: None,
        amount: None,
    }
}

#[divan::bench]
fn read_and_judge_answer(bencher: Bencher) {
    let (account, body, ask) = (account(), Bytes::from(answer()), AskBy::OutTradeNo(claimed().out_trade_no));
    bencher.bench(|| {
        order_state::judge(&account, &ask, &v2::read_answer(account.v2().unwrap(), black_box(body.clone())).unwrap())
    });
}

fn confirmed() -> Pass {
    let claimed = claimed();
    let account = account();
    let answer = v2::read_answer(account.v2().unwrap(), answer().into()).unwrap();
    let finding = order_state::judge(&account, &AskBy::OutTradeNo(claimed.out_trade_no), &answer);
    decide::permit(decide::decide(&claimed, None, Pair::Proven, &finding, OnRefunded::Refuse), Mode::Enforce).unwrap()
}

#[divan::bench]
fn decide_claim(bencher: Bencher) {
    let claimed = claimed();
    let account = account();
    let answer = v2::read_answer(account.v2().unwrap(), answer().into()).unwrap();
    let finding = order_state::judge(&account, &AskBy::OutTradeNo(claimed.out_trade_no), &answer);
    bencher.bench(|| decide::decide(black_box(&claimed), None, Pair::Proven, black_box(&finding), OnRefunded::Refuse));
}

#[divan::bench]
fn stamp_headers(bencher: Bencher) {
    let (stamp, head, pass) = (Stamp::new(HeaderNames::default(), Host::Preserve), head("text/xml"), confirmed());
    let peer = Peer { addr: ([203, 0, 113, 9], 4711).into(), tls: false };
    let upstream = Upstream::parse("http://127.0.0.1:5000").unwrap();
    let (channel, request_id) = (ChannelId::parse("wx").unwrap(), HeaderValue::from_static("r-1"));
    let source = Source { sender: Sender { peer, trusted_proxy: false }, upstream: &upstream, request_id: &request_id };
    bencher.bench(|| {
        let attempt = Attempt { delivery: HeaderValue::from_static("d-1"), number: Some(1), origin: Origin::Callback };
        let delivered =
            Delivered { channel: &channel, attempt: &attempt, overrides: Overrides::NONE, event: Event::Payment };
        stamp.headers(black_box(&head.headers), &source, &pass, Some(&delivered)).unwrap()
    });
}

/// What API v3 costs beside: a signature for each question, and one to verify for each answer and notification.
mod v3 {
    use super::*;
    use base64::Engine;
    use base64::prelude::BASE64_STANDARD;
    use tollgate::provider::wechat::v3::answer::Received;
    use tollgate::provider::wechat::v3::headers::{SignatureHeaders, message};
    use tollgate::provider::wechat::v3::signer::signed_text;
    use tollgate::provider::wechat::v3::{ApiV3Key, PrivateKey};

    /// A private key of nobody's, in the fixtures.
    fn key() -> PrivateKey {
        let pem = include_str!("../tests/fixtures/wechatpay-v3/fixed/wechat.pem");
        let base64: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        PrivateKey::from_der(&BASE64_STANDARD.decode(base64).unwrap()).unwrap()
    }

    fn document() -> String {
        let payer = r#"{"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}"#;
        let amount = r#"{"currency":"CNY","payer_currency":"CNY","payer_total":100,"total":100}"#;
        format!(
            r#"{{"amount":{amount},"appid":"wx0000000000000001","attach":"","bank_type":"OTHERS","mchid":"1900000001","out_trade_no":"P000000001","payer":{payer},"promotion_detail":[],"success_time":"2024-01-01T12:34:56+08:00","trade_state":"SUCCESS","trade_state_desc":"支付成功","trade_type":"JSAPI","transaction_id":"4200000000202401010000000001"}}"#
        )
    }

    #[divan::bench]
    fn sign_question(bencher: Bencher) {
        let key = key();
        let target = "/v3/pay/transactions/out-trade-no/P000000001?mchid=1900000001";
        bencher.bench(|| key.sign(signed_text(black_box(target), 1_704_085_200, "593BEC0C930BF1AF").as_bytes()));
    }

    #[divan::bench]
    fn verify_answer(bencher: Bencher) {
        let (key, body) = (key(), document());
        let signature = key.sign(&message(1_704_085_201, "c5ac7061fccab6bf", body.as_bytes())).unwrap();
        let (public, nonce, serial) = (key.public().unwrap(), "c5ac7061fccab6bf", "PUB_KEY_ID_0114");
        let headers = SignatureHeaders { timestamp: 1_704_085_201, nonce, signature: &signature, serial };
        assert!(headers.verifies(&public, body.as_bytes()));
        bencher.bench(|| headers.verifies(&public, black_box(body.as_bytes())));
    }

    #[divan::bench]
    fn read_answer(bencher: Bencher) {
        let body = Bytes::from(document());
        let serial = tollgate::provider::wechat::v3::Serial::of_public_key("PUB_KEY_ID_0114").unwrap();
        bencher.bench(|| {
            let (headers, at) = (hyper::HeaderMap::new(), jiff::Timestamp::UNIX_EPOCH);
            let answer = Received { status: hyper::StatusCode::OK, headers, body: black_box(body.clone()), at };
            answer.read(Ok(Some(serial)))
        });
    }

    #[divan::bench]
    fn open_sealed(bencher: Bencher) {
        let key = ApiV3Key::parse(Secret::new("0123456789abcdef0123456789ABCDEF".to_owned())).unwrap();
        let sealed = key.seal(b"fdasflkja484", b"transaction", document().as_bytes()).unwrap();
        bencher.bench(|| key.open(b"fdasflkja484", b"transaction", black_box(&sealed)));
    }
}
