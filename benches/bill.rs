//! What a bill of a million rows costs: `cargo bench --bench bill`, or `-- ROWS`. The sandbox, a process of its own, makes it
//! up, compresses it and sends it over loopback; here it is downloaded, unpacked and read, and nothing else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a bench that cannot be set up has nothing to measure")]

use hyper::Method;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tollgate::provider::bill::{BillType, Row};
use tollgate::provider::wechat::bill::BillReader;
use tollgate::provider::wechat::sign::SignType;
use tollgate::provider::wechat::v2::Keys;
use tollgate::provider::wechat::{Api, Credentials, Settings, WeChatPay};
use tollgate::sandbox::http::Client;
use tollgate::sandbox::{DEMO_MERCHANTS, Merchant};

const HEADER: &str = "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,\
应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,\
申请退款金额,费率备注\r\n";
const ROW: &str = "`2024-01-01 12:34:56,`wxd930ea5d5a258f4f,`10000100,`0,`,`4200000000202401010000000001,`ORDER20240101000001,\
`oUpF8uMuAJO_M2pxb1Q9zNjWeS6o,`JSAPI,`SUCCESS,`OTHERS,`CNY,`1.00,`0.10,`0,`0,`0.00,`0.00,`,`,`tea,`channel=7,`0.01000,`1.00%,\
`1.00,`0.00,`\r\n";

fn main() {
    let rows = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    read(rows);
    tokio::runtime::Runtime::new().unwrap().block_on(download(rows));
}

/// Reads so many rows from memory.
fn read(rows: usize) {
    const AT_ONCE: usize = 100;
    let (mut reader, mut batch, text) = (BillReader::default(), Vec::new(), ROW.repeat(AT_ONCE));
    reader.push(HEADER.as_bytes(), &mut batch).unwrap();
    let started = Instant::now();
    for _ in 0..rows / AT_ONCE {
        reader.push(text.as_bytes(), &mut batch).unwrap();
        batch.clear();
    }
    report("read from memory", rows, started.elapsed());
    let megabytes = (text.len() * (rows / AT_ONCE)) as f64 / 1e6;
    println!("  {megabytes:.0} MB, {:.0} MB a second", megabytes / started.elapsed().as_secs_f64());
}

/// Downloads so many rows.
async fn download(rows: usize) {
    let sandbox = Sandbox::start();
    let settings = format!("{{\"generated_rows\":{rows}}}");
    let url = format!("{}/sandbox/bills/settings", sandbox.url);
    let limit = Duration::from_secs(10);
    Client::default().call(Method::PUT, &url, "application/json", settings, limit).await.unwrap();
    let settings =
        Settings { hosts: vec![sandbox.url.clone()], hedge_after: Duration::from_secs(1), queries_per_second: 1 };
    let client = WeChatPay::new(&settings).unwrap();
    let before = memory("self");
    let started = Instant::now();
    let day = jiff::civil::date(2024, 1, 1);
    let mut bill = client.download_bill(&account(), day, BillType::All).await.unwrap();
    println!("  the first rows after {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    let (mut payments, mut largest) = (0, 0);
    while let Some(batch) = bill.next().await.unwrap() {
        largest = largest.max(batch.len());
        payments += batch.iter().filter(|row| matches!(row, Row::Payment(_))).count();
    }
    let summary = bill.summary().unwrap();
    assert!(payments == rows && summary.contradictions().count() == 0, "{payments} {summary:?}");
    report("downloaded, gzip, over loopback", rows, started.elapsed());
    let child = memory(&sandbox.child.id().to_string());
    println!("  batches of {largest} rows at most");
    println!("  VmHWM {} kB here ({before} kB before), {child} kB in the sandbox", memory("self"));
}

fn report(what: &str, rows: usize, time: Duration) {
    let seconds = time.as_secs_f64();
    println!("{what}: {rows} rows in {seconds:.2} s, {:.0} a second", rows as f64 / seconds);
}

/// The most memory that a process has had so far, kB.
fn memory(process: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn account() -> Credentials {
    let Merchant { appid, mch_id, key, .. } = Merchant::parse(DEMO_MERCHANTS[0]).unwrap();
    let api = Api::V2(Keys::from_list(key, SignType::Md5).unwrap());
    Credentials { api, also: None, other_appids: Vec::new(), appid, mch_id, sub_mch_id: None, sub_appid: None }
}

struct Sandbox {
    child: Child,
    url: String,
}

impl Sandbox {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command.args(["sandbox", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let Some(url) = line.trim().strip_prefix("sandbox listening on ") else { panic!("{line}") };
        Self { url: url.to_owned(), child }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
