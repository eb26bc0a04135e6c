use super::*;
use crate::domain::money::{Currency, Money};
use crate::provider::bill::Contradiction;
use crate::provider::wechat::bill::{BillRefund, RefusalKind};
use proptest::prelude::*;

const ALL: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,\
货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,\
订单金额,申请退款金额,费率备注";
const PAYMENT: &str = "`2024-01-01 12:34:56,`wxd930ea5d5a258f4f,`10000100,`0,`,`4200000000202401010000000001,\
`ORDER20240101000001,`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o,`JSAPI,`SUCCESS,`OTHERS,`CNY,`1.00,`0.10,`0,`0,`0.00,`0.00,`,`,`tea,\
`channel=7,`0.01000,`1.00%,`1.00,`0.00,`";
const REFUND: &str = "`2024-01-01 13:00:00,`wxd930ea5d5a258f4f,`10000100,`0,`,`4200000000202401010000000001,\
`ORDER20240101000001,`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o,`JSAPI,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`50000000382019052709732678859,`R1,\
`0.50,`0.00,`ORIGINAL,`SUCCESS,`tea,`channel=7,`-0.00500,`1.00%,`0.00,`0.50,`";
const SUMMARY: &str = "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额";
const NOTHING: &str = "`0,`0.00,`0.00,`0.00,`0.00000,`0.00,`0.00";

fn read_in(chunk: usize, bytes: &[u8]) -> Result<(Vec<Row>, Summary), BillError> {
    let (mut reader, mut rows) = (BillReader::default(), Vec::new());
    for chunk in bytes.chunks(chunk.max(1)) {
        reader.push(chunk, &mut rows)?;
    }
    let summary = reader.finish(&mut rows)?;
    Ok((rows, summary))
}

fn read(text: &str) -> Result<(Vec<Row>, Summary), BillError> {
    read_in(usize::MAX, text.as_bytes())
}

/// Lines, each with its end.
fn bill(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\r\n")).collect()
}

/// The rows of a bill that has a header, these lines and a summary.
fn rows(lines: &[&str]) -> Vec<Row> {
    read(&bill(&[&[ALL], lines, &[SUMMARY, NOTHING]].concat())).unwrap().0
}

fn with(column: usize, value: &str) -> String {
    let mut values: Vec<&str> = PAYMENT.strip_prefix('`').unwrap().split(",`").collect();
    values[column - 1] = value;
    format!("`{}", values.join(",`"))
}

/// The same payment, of whose row only the columns in front of the free text were used.
fn broken(line: u64, why: BadRow) -> Row {
    let settled = Some(yuan());
    Row::Payment(BillPayment { amount: None, broken: Some(Broken { why, settled }), ..payment(line) })
}

fn of_values(line: u64, found: usize) -> Row {
    broken(line, BadRow::Values { found, columns: 27 })
}

fn yuan() -> Money {
    Money { fen: Fen(100), currency: Currency::default() }
}

fn payment(line: u64) -> BillPayment {
    BillPayment {
        appid: Some("wxd930ea5d5a258f4f".parse().unwrap()),
        mch_id: Some("10000100".parse().unwrap()),
        sub_mch_id: None,
        transaction_id: "4200000000202401010000000001".parse().unwrap(),
        out_trade_no: "ORDER20240101000001".parse().unwrap(),
        amount: Some(yuan()),
        trade_time: Some("2024-01-01T04:34:56Z".parse().unwrap()),
        line,
        broken: None,
    }
}

fn refund_of(line: u64) -> BillRefund {
    let BillPayment { appid, mch_id, sub_mch_id, transaction_id, out_trade_no, .. } = payment(line);
    BillRefund {
        appid,
        mch_id,
        sub_mch_id,
        transaction_id,
        out_trade_no: Some(out_trade_no),
        refund_id: Some("50000000382019052709732678859".to_owned()),
        refund_status: Some("SUCCESS".to_owned()),
        trade_time: Some("2024-01-01T05:00:00Z".parse().unwrap()),
        line,
    }
}

#[test]
fn the_sheets_example_is_a_payment_and_agrees_with_itself() {
    let summary = "`1,`1.00,`0.00,`0.00,`0.01000,`1.00,`0.00";
    for (mark, end) in [("\u{feff}", "\r\n"), ("", "\r\n"), ("\u{feff}", "\n"), ("", "\n"), ("\u{feff}\r\n", "\n")] {
        let text = format!("{mark}{}{end}", [ALL, PAYMENT, SUMMARY, summary].join(end));
        let (rows, said) = read(&text).unwrap();
        let line = if mark.ends_with('\n') { 3 } else { 2 };
        assert_eq!(rows, [Row::Payment(payment(line))], "{mark:?} {end:?}");
        assert_eq!((said.rows, said.stated_rows, said.stated_paid), (1, Some(1), Some(Fen(100))));
        assert_eq!(said.contradictions().next(), None);
    }
}

#[test]
fn the_last_line_need_not_end() {
    let text = bill(&[ALL, PAYMENT, SUMMARY]) + NOTHING;
    assert_eq!(read(&text).unwrap().0, [Row::Payment(payment(2))]);
}

#[test]
fn refunds_and_the_rest_are_told_apart() {
    assert_eq!(
        rows(&[REFUND, PAYMENT, &with(10, "REVOKED"), &with(10, "")]),
        [
            Row::Refund(refund_of(2)),
            Row::Payment(payment(3)),
            Row::Other { state: "REVOKED".to_owned(), line: 4 },
            Row::Malformed { line: 5, why: BadRow::Column("交易状态") },
        ]
    );
}

#[test]
fn columns_are_found_by_name_in_every_layout() {
    let old = "交易时间,公众账号ID,商户号,子商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,总金额,\
               企业红包金额,微信退款单号,商户退款单号,退款金额,企业红包退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率";
    let success = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
                   应结订单金额,代金券金额,商品名称,商户数据包,手续费,费率,订单金额,费率备注";
    let refund_only = ALL.replace("微信退款单号", "退款申请时间,退款成功时间,微信退款单号");
    let values: Vec<&str> = PAYMENT.strip_prefix('`').unwrap().split(",`").collect();
    let line = |values: &[&str]| format!("`{}", values.join(",`"));
    let old_line = line(&values[..24]);
    let success_line = line(&[&values[..14], &values[20..25], &values[26..]].concat());
    let values: Vec<&str> = REFUND.strip_prefix('`').unwrap().split(",`").collect();
    let times = ["2024-01-01 12:59:00", "2024-01-01 13:00:00"];
    let refund_line = line(&[&values[..14], &times, &values[14..]].concat());
    let nothing = ["总交易单数,总交易额,总退款金额,总企业红包退款金额,手续费总金额", "`1,`1.00,`0.00,`0.00,`0.01000"];
    let rows = |header: &str, line: &str| read(&bill(&[&[header, line], &nothing[..]].concat())).unwrap().0;
    assert_eq!(rows(old, &old_line), [Row::Payment(payment(2))]);
    assert_eq!(rows(success, &success_line), [Row::Payment(payment(2))]);
    assert_eq!(rows(&refund_only, &refund_line), [Row::Refund(refund_of(2))]);
    let least = "订单金额,交易状态,商户订单号,微信订单号";
    let least_row = rows(least, "`66,`SUCCESS,`A1,`4200001");
    assert!(
        matches!(&least_row[..], [Row::Payment(BillPayment { amount, appid: None, trade_time: None, .. })] if amount.unwrap().fen == Fen(6600))
    );
}

#[test]
fn a_first_line_without_the_needed_columns_is_no_bill() {
    for name in ["微信订单号", "商户订单号", "交易状态", "订单金额"] {
        let header = ALL.split(',').filter(|column| *column != name).collect::<Vec<_>>().join(",");
        assert_eq!(read(&bill(&[&header, PAYMENT])), Err(BillError::NoColumn(name)));
    }
    assert_eq!(read("No Bill Exist\n"), Err(BillError::NoColumn("微信订单号")));
}

#[test]
fn a_sub_merchant_and_a_currency_are_read() {
    let BillPayment { sub_mch_id, amount, .. } = match &rows(&[&with(4, "1900000109")])[..] {
        [Row::Payment(payment)] => payment.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((sub_mch_id.unwrap().as_str(), amount.unwrap().currency), ("1900000109", Currency::default()));
    assert!(
        matches!(&rows(&[&with(12, "HKD")])[..], [Row::Payment(paid)] if paid.amount.unwrap().currency.as_str() == "HKD")
    );
    assert!(
        matches!(&rows(&[&with(12, "")])[..], [Row::Payment(paid)] if paid.amount.unwrap().currency == Currency::default())
    );
}

#[test]
fn commas_backticks_and_broken_text_in_other_values_do_not_matter() {
    for value in ["tea, green", ",", ",,", "a`b", "``", "`", "换行\\n", "tea\\ , x"] {
        assert_eq!(rows(&[&with(21, value)]), [Row::Payment(payment(2))], "{value}");
    }
    let mut bytes = bill(&[ALL, &with(22, "~"), SUMMARY, NOTHING]).into_bytes();
    *bytes.iter_mut().find(|byte| **byte == b'~').unwrap() = 0xff;
    assert_eq!(read_in(5, &bytes).unwrap().0, [Row::Payment(payment(2))]);
    *bytes.iter_mut().find(|byte| **byte == 0xff).unwrap() = 0;
    assert_eq!(read_in(5, &bytes).unwrap().0, [Row::Payment(payment(2))]);
}

#[test]
fn a_line_that_cannot_be_read_is_told_and_the_others_are_read() {
    for (line, why) in [
        ("`", BadRow::Values { found: 1, columns: 27 }),
        ("`2024-01-01 12:34:56,`wx,`1", BadRow::Values { found: 3, columns: 27 }),
        (&with(6, ""), BadRow::Column("微信订单号")),
        (&with(6, "4200 1"), BadRow::Column("微信订单号")),
        (&with(7, ""), BadRow::Column("商户订单号")),
        (&with(10, ""), BadRow::Column("交易状态")),
        (&with(12, "yuan"), BadRow::Column("货币种类")),
        (&with(2, "wx-1"), BadRow::Column("公众账号ID")),
        (&with(3, "商户"), BadRow::Column("商户号")),
        (&with(4, "1 2"), BadRow::Column("特约商户号")),
        // A comma and a backtick in front of the ids.
        (&with(5, "web,`"), BadRow::Values { found: 28, columns: 27 }),
    ] {
        let expected = [Row::Payment(payment(2)), Row::Malformed { line: 3, why }, Row::Payment(payment(4))];
        assert_eq!(rows(&[PAYMENT, line, PAYMENT]), expected, "{line}");
    }
    assert!(matches!(&rows(&[&with(1, "noon")])[..], [Row::Payment(paid)] if paid.trade_time.is_none()));
}

#[test]
fn a_row_that_its_text_breaks_is_read_up_to_the_text() {
    let (short, long) = (PAYMENT.rsplit_once(",`").unwrap().0, format!("{PAYMENT},`"));
    for (line, expected) in [
        (short, of_values(3, 26)),
        (&long, of_values(3, 28)),
        (&with(22, "x,`SUCCESS"), of_values(3, 28)),
        (&with(21, "a,`b,`4200000000000000000000000009,`ORDER9"), of_values(3, 30)),
        (&with(25, "1.001"), broken(3, BadRow::Column("订单金额"))),
        (&with(25, "-1.00"), broken(3, BadRow::Column("订单金额"))),
        (&with(25, ""), broken(3, BadRow::Column("订单金额"))),
    ] {
        let expected = [Row::Payment(payment(2)), expected, Row::Payment(payment(4))];
        assert_eq!(rows(&[PAYMENT, line, PAYMENT]), expected, "{line}");
    }
    // Where the order's amount stands in front of the text, as in old bills, it counts.
    let old = ALL.split(',').take(24).collect::<Vec<_>>().join(",").replace("应结订单金额", "总金额");
    let (found, _) = read(&bill(&[&old, &with(21, "a,`b"), SUMMARY, NOTHING])).unwrap();
    let why = BadRow::Values { found: 28, columns: 24 };
    let expected = BillPayment { broken: Some(Broken { why, settled: None }), ..payment(2) };
    assert_eq!(found, [Row::Payment(expected)]);
    let refund = REFUND.replace("`tea", "`tea,`green");
    assert_eq!(rows(&[&refund]), [Row::Refund(refund_of(2))]);
    let said = Broken { why: BadRow::Values { found: 28, columns: 27 }, settled: Some(yuan()) }.to_string();
    assert!(said.contains("28 values") && said.contains("settlement amount 1.00 CNY"), "{said}");
}

#[test]
fn a_number_that_no_order_here_can_have_is_not_ours() {
    for number in ["QR.2026/1", "订单1", &"9".repeat(33), "a b"] {
        let transaction_id = payment(2).transaction_id;
        let shown = number.chars().take(32).collect();
        assert_eq!(rows(&[&with(7, number)]), [Row::NotOurs { transaction_id, number: shown, line: 2 }], "{number}");
        let back = REFUND.replace("ORDER20240101000001", number);
        assert_eq!(rows(&[&back]), [Row::Refund(BillRefund { out_trade_no: None, ..refund_of(2) })], "{number}");
    }
}

/// A row whose text has this in place of `|`, and how it goes on.
fn split(column: usize, text: &str) -> (String, String) {
    with(column, text).split_once('|').map(|(head, rest)| (head.to_owned(), rest.to_owned())).unwrap()
}

#[test]
fn a_row_broken_by_a_line_end_is_one_row_and_loses_no_other() {
    for (column, text, found) in [(21, "green|tea", 21), (21, "|", 21), (22, "a=1|`b=2", 22), (21, "`|2024-01-01", 21)]
    {
        let (start, rest) = split(column, text);
        let expected = [Row::Payment(payment(2)), of_values(3, found), Row::Payment(payment(5)), of_values(6, found)];
        assert_eq!(rows(&[PAYMENT, &start, &rest, PAYMENT, &start, &rest]), expected, "{text}");
    }
    let (start, rest) = split(21, "green|tea");
    assert_eq!(rows(&[&start, "", "more", "lines", &rest, PAYMENT]), [of_values(2, 21), Row::Payment(payment(7))]);
    let left_over = Row::Malformed { line: 4, why: BadRow::OutOfPlace };
    assert_eq!(rows(&[&start, &rest, &rest, PAYMENT]), [of_values(2, 21), left_over, Row::Payment(payment(5))]);
}

#[test]
fn what_stands_where_a_broken_rows_text_goes_on_is_never_counted_as_a_payment_of_its_own() {
    let (start, rest) = split(21, "green|tea");
    let other = PAYMENT.replace("4200000000202401010000000001", "4200000000000000000000000009");
    let found = rows(&[&start, &other, &rest, PAYMENT]);
    assert_eq!(found.len(), 4, "{found:?}");
    let Row::Payment(BillPayment { broken: Some(Broken { why: BadRow::MayBeText, .. }), amount: None, .. }) = &found[1]
    else {
        panic!("{:?}", found[1])
    };
    // The rest has no row any more, so it is told.
    assert_eq!(found[2..], [Row::Malformed { line: 4, why: BadRow::OutOfPlace }, Row::Payment(payment(5))]);
    let refund = rows(&[&start, REFUND, PAYMENT]);
    assert_eq!(refund[1..], [Row::Malformed { line: 3, why: BadRow::MayBeText }, Row::Payment(payment(4))]);
}

#[test]
fn what_looks_like_the_summary_within_a_text_ends_no_bill() {
    let (start, rest) = split(21, "tea|tea");
    let payments = |lines: &[&str]| {
        let read = read(&bill(&[&[ALL], lines, &[SUMMARY, "`3,`3.00,`0.00,`0.00,`0.03000,`3.00,`0.00"]].concat()));
        let (rows, said) = read.unwrap();
        (rows.iter().filter(|row| matches!(row, Row::Payment(_))).count(), said.stated_rows, said.malformed)
    };
    assert_eq!(payments(&[PAYMENT, &start, SUMMARY, NOTHING, &rest, PAYMENT]), (3, Some(3), 1));
    assert_eq!(payments(&[PAYMENT, &start, SUMMARY, &rest, PAYMENT]), (3, Some(3), 0));
    assert_eq!(payments(&[PAYMENT, PAYMENT, &start, SUMMARY, &format!("`1,`2{rest}")]), (3, Some(3), 0));
    // Also where no row is open.
    assert_eq!(payments(&[PAYMENT, SUMMARY, NOTHING, PAYMENT, PAYMENT]), (3, Some(3), 1));
    let cut = bill(&[ALL, PAYMENT, &start, SUMMARY, NOTHING, PAYMENT]);
    assert_eq!(read(&cut), Err(BillError::CutOff));
}

#[test]
fn a_summary_is_known_by_its_words_or_its_place() {
    for summary in [
        [SUMMARY, "`2,`1.00,`0.00,`0.00,`0.01000,`1.00,`0.00"],
        ["总交易单数,应结订单总金额,手续费总金额,订单总金额", "`2,`1.00,`0.01000,`1.00"],
        ["rows,paid", "`2,`1.00"],
        ["总交易单数,订单总金额", "`2,`1.00,`0.00"],
    ] {
        let (rows, said) = read(&bill(&[ALL, PAYMENT, summary[0], summary[1]])).unwrap();
        assert!(rows.len() == 1 && said.rows == 1 && said.is_stated, "{summary:?}");
    }
}

#[test]
fn what_the_summary_says_otherwise_is_a_warning() {
    let (rows, said) =
        read(&bill(&[ALL, PAYMENT, REFUND, SUMMARY, "`3,`1.00,`0.00,`0.00,`0.01000,`9.99,`0.00"])).unwrap();
    let said: Vec<_> = said.contradictions().collect();
    assert_eq!(rows.len(), 2);
    let (rows, paid) =
        (Contradiction::Rows { stated: 3, seen: 2 }, Contradiction::Paid { stated: Fen(999), seen: Fen(100) });
    assert_eq!(said, [rows, paid]);
    let (_, said) = read(&bill(&[ALL, PAYMENT, SUMMARY, "`many,`,`,`,`,`,`"])).unwrap();
    assert_eq!(said.contradictions().count(), 0);
}

#[test]
fn a_day_without_trades_is_whole() {
    assert_eq!(read(&bill(&[ALL, SUMMARY, NOTHING])).unwrap().0, []);
    let (rows, said) = read(&bill(&[ALL])).unwrap();
    assert!(rows.is_empty() && !said.is_stated);
}

#[test]
fn what_is_cut_off_is_never_whole() {
    let whole = bill(&[ALL, PAYMENT, REFUND, SUMMARY, NOTHING]);
    let header = ALL.len() + 2;
    for end in (0..whole.len() - NOTHING.len() + 12).filter(|end| *end != header) {
        let read = read_in(1000, &whole.as_bytes()[..end]);
        assert!(matches!(read, Err(BillError::CutOff)), "{end}: {read:?}");
    }
}

#[test]
fn what_follows_the_summary_is_told() {
    let (rows, _) = read(&bill(&[ALL, SUMMARY, NOTHING, "more", "", "`more"])).unwrap();
    let told = |line| Row::Malformed { line, why: BadRow::OutOfPlace };
    assert_eq!(rows, [told(4), told(6)]);
}

#[test]
fn a_refusal_is_xml_instead_of_a_bill() {
    let refusal = "<xml><return_code><![CDATA[FAIL]]></return_code>\n<return_msg><![CDATA[No Bill Exist]]></return_msg>\n\
                   <error_code><![CDATA[20002]]></error_code>\n</xml>";
    for text in [refusal.to_owned(), format!("\u{feff}{refusal}\r\n"), format!("\r\n {refusal}")] {
        let Err(BillError::Refused(refusal)) = read(&text) else { panic!("{text}") };
        assert_eq!((refusal.kind(), refusal.return_msg.as_str()), (RefusalKind::NoBill, "No Bill Exist"));
    }
    assert_eq!(read("<html>502</html>"), Err(BillError::Unreadable));
    assert_eq!(read(&format!("<xml>{}", "x".repeat(1 << 20))), Err(BillError::Unreadable));
    assert_eq!(read(""), Err(BillError::CutOff));
    assert_eq!(read("\u{feff}\r\n"), Err(BillError::CutOff));
}

#[test]
fn a_line_without_an_end_is_given_up() {
    let endless = bill(&[ALL, PAYMENT]) + &"`".repeat(1 << 20);
    for chunk in [1000, 1 << 20] {
        assert_eq!(read_in(chunk, endless.as_bytes()), Err(BillError::LineTooLong(3)));
    }
    let line = with(22, &"x".repeat(BillReader::LONGEST_LINE - PAYMENT.len() - 2));
    assert_eq!(rows(&[&line]), [Row::Payment(payment(2))]);
}

#[test]
fn a_line_that_is_too_long_is_given_up_although_it_comes_whole() {
    let line = with(22, &"x".repeat(BillReader::LONGEST_LINE));
    let whole = bill(&[ALL, &line]);
    for chunk in [1000, whole.len()] {
        assert_eq!(read_in(chunk, whole.as_bytes()), Err(BillError::LineTooLong(2)), "{chunk}");
    }
}

/// A line of a bill of payments only, which lacks the columns of refunds.
fn narrowed(line: &str) -> String {
    let (begin, between) = if line.starts_with('`') { ("`", ",`") } else { ("", ",") };
    let values = line.strip_prefix(begin).unwrap_or(line).split(between).zip(1..);
    let kept = values.filter(|(_, column)| !matches!(column, 15..=20 | 26)).map(|(value, _)| value);
    format!("{begin}{}", kept.collect::<Vec<_>>().join(between))
}

fn any_line() -> impl Strategy<Value = String> {
    let value = "[ -~茶]{0,20}".prop_map(|text| text.replace(",`", ", "));
    prop_oneof![
        4 => (21..=22usize, value).prop_map(|(column, value)| with(column, &value)),
        1 => Just(REFUND.to_owned()),
        1 => "`?[ -~]{0,40}",
        1 => Just(String::new()),
    ]
}

proptest! {
    #[test]
    fn any_pieces_give_the_same_rows(lines in prop::collection::vec(any_line(), 0..20), chunk in 1..600usize, mark in any::<bool>()) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let text = bill(&[&[ALL], &lines[..], &[SUMMARY, NOTHING]].concat());
        let text = format!("{}{text}", if mark { "\u{feff}" } else { "" });
        prop_assert_eq!(read_in(chunk, text.as_bytes()), read(&text));
    }

    #[test]
    fn commas_in_values_never_move_a_column(value in "[,a-z ]{0,30}") {
        prop_assert_eq!(rows(&[&with(21, &value)]), [Row::Payment(payment(2))]);
    }

    #[test]
    fn no_text_hides_its_own_payment_or_another_one(
        (column, text) in (21..=22usize, "([`,\n 茶a-z]|,`|\n`|总交易单数,?|`1\n){0,24}"),
        (place, narrow, crlf) in (0..=2usize, any::<bool>(), any::<bool>()),
        chunk in 1..600usize,
    ) {
        let own = with(column, "|").replace("4200000000202401010000000001", "4200000000000000000000000009");
        let mut lines = vec![ALL, PAYMENT, PAYMENT];
        lines.insert(place + 1, &own);
        let lines: Vec<_> = lines.into_iter().map(|line| if narrow { narrowed(line) } else { line.to_owned() }).collect();
        let lines: Vec<_> = lines.iter().map(|line| line.replace('|', &text)).collect();
        let stated = [SUMMARY, "`3,`3.00,`0.00,`0.00,`0.03000,`3.00,`0.00"];
        let lines: Vec<&str> = lines.iter().map(String::as_str).chain(stated).collect();
        let text = bill(&lines);
        let text = if crlf { text } else { text.replace("\r\n", "\n") };
        let (rows, said) = read_in(chunk, text.as_bytes()).unwrap();
        let ids: Vec<_> = rows.iter().filter_map(|row| match row {
            Row::Payment(paid) => Some((paid.transaction_id, paid.broken.is_some_and(|broken| broken.why == BadRow::MayBeText))),
            _ => None,
        }).collect();
        let (other, own) = (payment(0).transaction_id, "4200000000000000000000000009".parse().unwrap());
        let mut expected = vec![(other, false); 2];
        expected.insert(place, (own, false));
        prop_assert_eq!(ids, expected);
        prop_assert_eq!(said.stated_rows, Some(3));
    }

    #[test]
    fn no_bytes_make_it_fail_otherwise_than_by_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), chunk in 1..50usize) {
        let _ = read_in(chunk, &bytes);
        let _ = read_in(chunk, &[bill(&[ALL, PAYMENT]).as_bytes(), &bytes].concat());
    }
}
