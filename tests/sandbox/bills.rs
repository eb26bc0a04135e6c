//! `POST /pay/downloadbill`, by the fact sheet's words and through the gate's own client.

use crate::harness::*;
use serde_json::json;
use std::collections::BTreeSet;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tollgate::domain::secret::Secret;
use tollgate::provider::bill::{BillType, Row, Summary};
use tollgate::provider::wechat::bill::{BillError, RefusalKind};
use tollgate::provider::wechat::sign::SignType;
use tollgate::provider::wechat::v2::Keys;
use tollgate::provider::wechat::{Api, ApiKey, Credentials, Settings, WeChatPay};
use tollgate::sandbox::{OrderFields, Seed, TradeState};

const DAY: &str = "20240101";
const ALL: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,\
货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,\
订单金额,申请退款金额,费率备注";
const SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";

/// The body of an answer, whatever it is. HTTP/1.0, so that it comes without chunks.
async fn ask(world: &World, over: &[(&str, &str)]) -> io::Result<Vec<u8>> {
    let question = question(&[&[("bill_date", DAY), ("bill_type", "ALL")], over].concat());
    let mut stream = TcpStream::connect(world.api).await?;
    let head = format!("POST /pay/downloadbill HTTP/1.0\r\nContent-Length: {}\r\n\r\n", question.len());
    stream.write_all(format!("{head}{question}").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(answer.split_off(head + 4))
}

async fn text(world: &World, over: &[(&str, &str)]) -> String {
    String::from_utf8(ask(world, over).await.unwrap()).unwrap()
}

async fn refusal(world: &World, over: &[(&str, &str)]) -> (String, Option<String>) {
    let mut fields = fields(&text(world, over).await);
    assert_eq!(fields.get("return_code").map(String::as_str), Some("FAIL"));
    assert!(!fields.contains_key("sign"));
    (fields.remove("return_msg").unwrap(), fields.remove("error_code"))
}

async fn set(world: &World, settings: &str) {
    let (status, answer) = world.control("PUT", "/sandbox/bills/settings", settings).await;
    assert_eq!(status, 200, "{answer}");
}

/// A1 is paid, A2 is paid and refunded, an hour apart.
fn some_trade(world: &World) {
    world.pay("A1");
    let said = OrderFields {
        total_fee: Some(6600),
        attach: Some("shop,7".to_owned()),
        transaction_id: Some("4200000000202401010000000002".to_owned()),
        time_end: Some("20240101133456".to_owned()),
        refund_time: Some("20240101143456".to_owned()),
        openid: Some("o2".to_owned()),
        ..OrderFields::default()
    };
    world.sandbox.put(world.key("A2"), TradeState::Refund, said).unwrap();
}

pub(crate) fn account(mch_id: &str, appid: &str) -> Credentials {
    let key = ApiKey::parse(Secret::new(KEY.to_owned())).unwrap();
    Credentials {
        api: Api::V2(Keys::from_list([key], SignType::HmacSha256).unwrap()),
        also: None,
        other_appids: Vec::new(),
        appid: appid.parse().unwrap(),
        mch_id: mch_id.parse().unwrap(),
        sub_mch_id: None,
        sub_appid: None,
    }
}

fn client(world: &World) -> WeChatPay {
    let hosts = vec![format!("http://{}", world.api), format!("http://{}", world.api2)];
    let hedge_after = std::time::Duration::from_secs(30);
    WeChatPay::new(&Settings { hosts, hedge_after, queries_per_second: 100 }).unwrap()
}

/// The rows as the gate's own client reads them.
async fn download(world: &World, bill_type: BillType) -> Result<(Vec<Row>, Summary), BillError> {
    download_as(world, &account(MCH_ID, APPID), bill_type).await
}

async fn download_as(world: &World, who: &Credentials, bill_type: BillType) -> Result<(Vec<Row>, Summary), BillError> {
    let day = jiff::civil::date(2024, 1, 1);
    let mut stream = client(world).download_bill(who, day, bill_type).await?;
    let mut rows = Vec::new();
    while let Some(batch) = stream.next().await? {
        rows.extend(batch);
    }
    Ok((rows, *stream.summary().unwrap()))
}

fn described(rows: &[Row]) -> Vec<String> {
    let describe = |row: &Row| match row {
        Row::Payment(paid) => {
            format!("{} paid {} at {}", paid.out_trade_no, paid.amount.unwrap().fen, paid.trade_time.unwrap())
        }
        Row::Refund(back) => format!("{} refunded at {}", back.out_trade_no.unwrap(), back.trade_time.unwrap()),
        other => format!("{other:?}"),
    };
    rows.iter().map(describe).collect()
}

#[tokio::test]
async fn a_bill_is_what_the_fact_sheet_says() {
    let world = World::new().await;
    some_trade(&world);
    let a1 = world.sandbox.order(world.key("A1")).unwrap();
    let rows = [
        format!(
            "`2024-01-01 12:34:56,`{APPID},`{MCH_ID},`0,`,`{},`A1,`{},`APP,`SUCCESS,`OTHERS,`CNY,`1.00,`0.00,`0,`0,`0.00,`0.00,`,\
             `,`sandbox,`,`0.01000,`1.00%,`1.00,`0.00,`",
            a1.transaction_id.unwrap(),
            a1.openid
        ),
        format!(
            "`2024-01-01 13:34:56,`{APPID},`{MCH_ID},`0,`,`4200000000202401010000000002,`A2,`o2,`APP,`SUCCESS,`OTHERS,`CNY,`66.00,\
             `0.00,`0,`0,`0.00,`0.00,`,`,`sandbox,`shop\\ 7,`0.66000,`1.00%,`66.00,`0.00,`"
        ),
        format!(
            "`2024-01-01 14:34:56,`{APPID},`{MCH_ID},`0,`,`4200000000202401010000000002,`A2,`o2,`APP,`REFUND,`OTHERS,`CNY,`0.00,\
             `0.00,`5000000000202401010000000002,`RA2,`66.00,`0.00,`ORIGINAL,`SUCCESS,`sandbox,`shop\\ 7,`-0.66000,`1.00%,`0.00,\
             `66.00,`"
        ),
    ];
    let summary = "`3,`67.00,`66.00,`0.00,`0.01000,`67.00,`66.00";
    let expected = format!("\u{feff}{ALL}\r\n{}\r\n{SUMMARY}\r\n{summary}\r\n", rows.join("\r\n"));
    assert_eq!(text(&world, &[]).await, expected);
    assert_eq!(text(&world, &[("sign_type", "HMAC-SHA256")]).await, expected);
    assert_eq!(text(&world, &[("bill_type", "")]).await, expected, "ALL is the default");

    let success = text(&world, &[("bill_type", "SUCCESS")]).await;
    let lines: Vec<_> = success.lines().collect();
    assert_eq!((lines.len(), lines[0].split(',').count(), lines[3].split(',').count()), (5, 20, 4));
    let refund = text(&world, &[("bill_type", "REFUND")]).await;
    let lines: Vec<_> = refund.lines().collect();
    assert_eq!((lines.len(), lines[0].split(',').count(), lines[1].contains("`REFUND,")), (4, 29, true));

    let (_, queries) = world.control("GET", "/sandbox/bills", "").await;
    assert_eq!(queries.as_array().unwrap().len(), 5);
    assert_eq!((&queries[0]["bill_date"], &queries[0]["answer"]), (&json!(DAY), &json!("bill")));
}

#[tokio::test]
async fn questions_are_checked_as_order_queries_are() {
    let world = World::new().await;
    some_trade(&world);
    for (over, return_msg, error_code) in [
        (&[("sign", "0")][..], "sign error", Some("20001")),
        (&[("mch_id", "99")], "sign error", Some("20001")),
        (&[("appid", "wx0")], "商户号mch_id与appid不匹配", None),
        (&[("nonce_str", "")], "missing parameter", None),
        (&[("bill_date", "")], "missing parameter", None),
        (&[("bill_date", "2024-01-01")], "data format error", None),
        (&[("bill_date", "20240231")], "data format error", None),
        (&[("bill_type", "EVERYTHING")], "invalid bill_type", None),
        (&[("bill_date", "20231231")], "No Bill Exist", Some("20002")),
        (&[("bill_date", "29990101")], "No Bill Exist", Some("20002")),
        (&[("bill_date", "20231231"), ("tar_type", "GZIP")], "No Bill Exist", Some("20002")),
    ] {
        let (said, code) = refusal(&world, over).await;
        assert_eq!((said.as_str(), code.as_deref()), (return_msg, error_code), "{over:?}");
    }
    let nonsense = http(world.api, "POST", "/pay/downloadbill", &[], "bill please").await.unwrap();
    assert_eq!((nonsense.status, nonsense.fields()["return_msg"].as_str()), (200, "XML格式错误"));
}

#[tokio::test]
async fn every_shape_reads_alike() {
    let world = World::new().await;
    some_trade(&world);
    let expected = [
        "A1 paid 100 at 2024-01-01T04:34:56Z",
        "A2 paid 6600 at 2024-01-01T05:34:56Z",
        "A2 refunded at 2024-01-01T06:34:56Z",
    ];
    for settings in [
        r#"{}"#,
        r#"{"bom":false}"#,
        r#"{"line_end":"lf"}"#,
        r#"{"gzip":"ignored"}"#,
        r#"{"gzip":"compress-error"}"#,
        r#"{"layout":"old"}"#,
        r#"{"layout":"old","bom":false,"line_end":"lf","gzip":"ignored"}"#,
    ] {
        set(&world, settings).await;
        let (rows, summary) = download(&world, BillType::All).await.unwrap();
        assert_eq!(described(&rows), expected, "{settings}");
        assert_eq!((summary.stated_rows, summary.contradictions().count()), (Some(3), 0), "{settings}");
        let (rows, _) = download(&world, BillType::Success).await.unwrap();
        assert_eq!(described(&rows), expected[..2], "{settings}");
    }
    set(&world, "{}").await;
    assert_eq!(ask(&world, &[("tar_type", "GZIP")]).await.unwrap()[..2], [0x1f, 0x8b]);
    set(&world, r#"{"gzip":"compress-error"}"#).await;
    assert_eq!(refusal(&world, &[("tar_type", "GZIP")]).await.0, "CompressGZip Error");
    set(&world, r#"{"bom":false,"line_end":"lf","layout":"old"}"#).await;
    let old = text(&world, &[]).await;
    let header = old.lines().next().unwrap();
    assert!(header.split(',').count() == 24 && header.contains(",总金额,") && !header.contains("订单金额"), "{header}");
    assert!(header.starts_with('交') && !old.contains('\r'));
}

#[tokio::test]
async fn a_summary_can_be_wrong_and_rows_unsorted() {
    let world = World::new().await;
    for number in 0..20 {
        world.pay(&format!("B{number}"));
    }
    let (sorted, _) = download(&world, BillType::All).await.unwrap();
    set(&world, r#"{"wrong_summary":true,"unsorted":true}"#).await;
    let (rows, summary) = download(&world, BillType::All).await.unwrap();
    assert_eq!((rows.len(), summary.stated_rows, summary.contradictions().count()), (20, Some(21), 2));
    assert_ne!(described(&rows), described(&sorted));
    let set = |rows: &[Row]| described(rows).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(set(&rows), set(&sorted));
    assert_eq!(described(&download(&world, BillType::All).await.unwrap().0), described(&rows), "the same each time");
}

#[tokio::test]
async fn a_day_without_trades_is_answered_in_three_ways() {
    let world = World::new().await;
    let kind = |error| match error {
        BillError::Refused(refusal) => refusal.kind(),
        other => panic!("{other}"),
    };
    assert_eq!(download(&world, BillType::All).await.map_err(kind), Err(RefusalKind::NoBill));
    set(&world, r#"{"empty_day":"summary"}"#).await;
    let (rows, summary) = download(&world, BillType::All).await.unwrap();
    assert_eq!((rows.len(), summary.is_stated, summary.stated_rows), (0, true, Some(0)));
    set(&world, r#"{"empty_day":"header-only"}"#).await;
    let (rows, summary) = download(&world, BillType::All).await.unwrap();
    assert_eq!((rows.len(), summary.is_stated), (0, false));
    set(&world, r#"{"creating":2}"#).await;
    world.pay("A1");
    for expected in [Some(RefusalKind::Creating), Some(RefusalKind::Creating), None] {
        assert_eq!(download(&world, BillType::All).await.map_err(kind).err(), expected);
    }
    let (_, left) = world.control("GET", "/sandbox/bills/settings", "").await;
    assert_eq!(left["creating"], json!(0));
}

#[tokio::test]
async fn an_order_can_be_known_to_the_bill_or_to_the_query_alone() {
    let world = World::new().await;
    for (order, known_to) in [("A1", "both"), ("A2", "bill"), ("A3", "query")] {
        let path = format!("/sandbox/orders/{MCH_ID}/{order}/pay");
        let body = json!({ "known_to": known_to, "time_end": "20240101120000" }).to_string();
        assert_eq!(world.control("POST", &path, &body).await.1["known_to"], json!(known_to));
    }
    let (rows, _) = download(&world, BillType::All).await.unwrap();
    let orders: Vec<_> = described(&rows).iter().map(|row| row[..2].to_owned()).collect();
    assert_eq!(orders, ["A1", "A2"]);
    for (order, code) in [("A1", None), ("A2", Some("ORDERNOTEXIST")), ("A3", None)] {
        let answer = world.ask(order).await.unwrap().fields();
        assert_eq!(answer.get("err_code").map(String::as_str), code, "{order}");
    }
}

#[tokio::test]
async fn a_provider_gets_the_bill_of_all_its_sub_merchants_or_of_one() {
    let world = World::new().await;
    for (sub_mch_id, order) in [("1900000201", "S1"), ("1900000202", "S2")] {
        let key = world.sandbox.key(Some(PROVIDER), Some(sub_mch_id), order).unwrap();
        world.sandbox.pay(key, said(100)).unwrap();
    }
    let provider = account(PROVIDER, "wx8888888888888888");
    let (rows, _) = download_as(&world, &provider, BillType::All).await.unwrap();
    let subs: Vec<_> = rows
        .iter()
        .map(|row| match row {
            Row::Payment(paid) => paid.sub_mch_id.unwrap().to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(subs, ["1900000201", "1900000202"]);
    let one = [("mch_id", PROVIDER), ("appid", "wx8888888888888888"), ("sub_mch_id", "1900000202")];
    let one = text(&world, &one).await;
    assert!(one.contains("`S2,") && !one.contains("`S1,"));
    assert_eq!(refusal(&world, &[]).await.0, "No Bill Exist", "the other merchant has sold nothing");
}

#[tokio::test]
async fn a_row_names_the_orders_own_application() {
    let world = World::new().await;
    world.pay("A1");
    let other = OrderFields { appid: Some("wx0000000000000009".to_owned()), ..said(100) };
    world.sandbox.pay(world.key("A2"), other).unwrap();
    let (rows, _) = download(&world, BillType::All).await.unwrap();
    let apps: Vec<_> = rows
        .iter()
        .map(|row| match row {
            Row::Payment(paid) => paid.appid.unwrap().to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(apps, [APPID, "wx0000000000000009"]);
}

#[tokio::test]
async fn generated_orders_are_in_the_bill_and_queries_know_them() {
    let world = World::new().await;
    world.pay("A1");
    set(&world, r#"{"generated_rows":3000,"generated_day":"20240101"}"#).await;
    let (rows, summary) = download(&world, BillType::All).await.unwrap();
    assert_eq!((rows.len(), summary.contradictions().count(), summary.malformed), (3001, 0, 0));
    for number in [1, 3000] {
        let Row::Payment(paid) = &rows[number] else { panic!("{:?}", rows[number]) };
        let (order, transaction_id, fen) =
            (paid.out_trade_no.as_str(), paid.transaction_id.as_str(), paid.amount.unwrap().fen.to_string());
        for id in [("out_trade_no", order), ("transaction_id", transaction_id)] {
            let answer = order_query(world.api, &question(&[id])).await.unwrap().fields();
            let field = |name| answer.get(name).map(String::as_str);
            assert_eq!((field("trade_state"), field("out_trade_no")), (Some("SUCCESS"), Some(order)));
            assert_eq!((field("transaction_id"), field("total_fee")), (Some(transaction_id), Some(fen.as_str())));
            assert_eq!(field("time_end").map(|time| &time[..8]), Some(DAY));
        }
    }
    let beyond = world.ask("G2024010100000003001").await.unwrap().fields();
    assert_eq!(beyond["err_code"], "ORDERNOTEXIST");
    let Row::Payment(paid) = &rows[1] else { panic!() };
    let other = question(&[
        ("mch_id", "10000101"),
        ("appid", "wx2421b1c4370ec43b"),
        ("transaction_id", paid.transaction_id.as_str()),
    ]);
    let other = order_query(world.api, &other).await.unwrap().fields();
    assert_eq!(other["err_code"], "ORDERNOTEXIST", "another merchant has other payments");
    assert_eq!(refusal(&world, &[("bill_date", "20240102")]).await.0, "No Bill Exist");
}

#[tokio::test]
async fn hosts_go_wrong_with_bills_too() {
    let world = World::new().await;
    some_trade(&world);
    set(&world, r#"{"generated_rows":5000}"#).await;
    for fault in ["reset", "html-502"] {
        world.control("PUT", "/sandbox/hosts/api/faults", &json!([{ "kind": fault, "count": 1 }]).to_string()).await;
        assert_eq!(download(&world, BillType::All).await.unwrap().0.len(), 5003, "{fault}: there is another host");
    }
    for gzip in ["honoured", "ignored"] {
        set(&world, &json!({ "generated_rows": 5000, "gzip": gzip }).to_string()).await;
        world.control("PUT", "/sandbox/hosts/api/faults", r#"[{"kind":"truncated","count":1}]"#).await;
        let rows = download(&world, BillType::All).await.map(|(rows, _)| rows.len());
        assert_eq!(rows, Err(BillError::CutOff), "{gzip}");
    }
    world.control("PUT", "/sandbox/hosts/api/faults", r#"[{"kind":"systemerror","count":1}]"#).await;
    let error = download(&world, BillType::All).await.unwrap_err();
    assert!(matches!(error, BillError::Refused(refusal) if refusal.kind() == RefusalKind::Busy));
    let (_, queries) = world.control("GET", "/sandbox/bills", "").await;
    assert_eq!(queries[0]["fault"], json!("reset"));
    world.control("POST", "/sandbox/reset", "").await;
    assert_eq!(world.control("GET", "/sandbox/bills", "").await.1, json!([]));
    assert_eq!(world.control("GET", "/sandbox/bills/settings", "").await.1["generated_rows"], json!(0));
}

#[tokio::test]
async fn notifications_get_lost_as_often_as_they_should_and_the_same_ones_each_time() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let world = World::with(Seed(5), 1_000_000).await;
        world.pay("A1");
        let (_, loss) = world.control("PUT", "/sandbox/notifications/loss", r#"{"probability":0.5}"#).await;
        assert_eq!(loss, json!({ "probability": 0.5 }));
        let announcement = r#"{"out_trade_no":"A1","notify_url":"http://127.0.0.1:1/","retry":false}"#;
        let forged = r#"{"out_trade_no":"A1","notify_url":"http://127.0.0.1:1/","retry":false,"forge":"unsigned"}"#;
        for _ in 0..40 {
            world.control("POST", "/sandbox/notifications", announcement).await;
        }
        for _ in 0..10 {
            world.control("POST", "/sandbox/notifications", forged).await;
        }
        let (_, notifications) = world.control("GET", "/sandbox/notifications", "").await;
        let lost = |one: &serde_json::Value| one["progress"] == "lost" && one["attempts"] == json!([]);
        runs.push(notifications.as_array().unwrap().iter().map(lost).collect::<Vec<_>>());
    }
    assert_eq!(runs[0], runs[1]);
    let (sent, forged) = runs[0].split_at(40);
    let lost = sent.iter().filter(|lost| **lost).count();
    assert!((10..30).contains(&lost) && !forged.contains(&true), "{lost}");
}

#[tokio::test]
async fn nonsense_about_bills_and_losses_is_refused() {
    let world = World::new().await;
    for (path, body, why) in [
        ("bills/settings", r#"{"layout":"new"}"#, "unknown variant"),
        ("bills/settings", r#"{"lines":1}"#, "unknown field"),
        ("bills/settings", r#"{"generated_day":"today"}"#, "generated_day"),
        ("notifications/loss", r#"{"probability":1.5}"#, "probability"),
        ("notifications/loss", "{}", "missing field"),
    ] {
        let (status, answer) = world.control("PUT", &format!("/sandbox/{path}"), body).await;
        assert!(status == 400 && answer["error"].as_str().unwrap().contains(why), "{body}: {answer}");
    }
    let (status, answer) = world
        .control("PUT", &format!("/sandbox/orders/{MCH_ID}/A1"), r#"{"trade_state":"REFUND","refund_time":"1"}"#)
        .await;
    assert!(status == 400 && answer["error"].as_str().unwrap().contains("refund_time"), "{answer}");
}
