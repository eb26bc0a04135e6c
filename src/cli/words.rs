//! What the commands say to people, in English and Chinese side by side, so that neither can lack a word. What they say
//! to programs (`--json`) is always English.

mod problems;

use crate::admin::reason_in_chinese;
use crate::config::{Problem, Problems};
use crate::domain::language::bilingual;
pub(super) use crate::domain::language::{Language, fill};
use crate::domain::reason::Reason;
use crate::journal::State;
use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Duration;

// The words of one language. `{}` is where a value goes; before a `|` is what is said of one thing, behind it what is
// said of another number.
bilingual! {
    // Numbers and times.
    orders: "{} order|{} orders", "{} 笔订单";
    rows: "{} row|{} rows", "{} 行";
    routes: "{} route|{} routes", "{} 个路由";
    channels: "{} channel|{} channels", "{} 个渠道";
    times: "once|{} times", "{} 次";
    milliseconds: "{} ms", "{} 毫秒";
    seconds: "{} s", "{} 秒";
    minutes: "{} min", "{} 分钟";
    minutes_seconds: "{} min {} s", "{} 分 {} 秒";
    hours: "{} h", "{} 小时";
    hours_minutes: "{} h {} min", "{} 小时 {} 分";
    days: "{} d", "{} 天";
    days_hours: "{} d {} h", "{} 天 {} 小时";

    // States.
    asking: "asking", "待确认";
    delivering: "delivering", "投递中";
    accepted: "accepted", "已送达";
    parked: "parked", "已挂起";
    closed: "closed", "已关闭";

    // explain.
    entry: "{} on {} (route {}): {} since {}", "{}，渠道 {}（路由 {}）：{}，自 {}";
    why: "why", "原因";
    not_known_yet: "not known yet", "尚不清楚";
    flagged: "flagged", "标记";

    // Events of a story, by their names in the journal.
    event_found: "found", "查单判定";
    event_again: "again", "再次收到相同回调";
    event_asked_for: "asked-for", "要求重新投递";
    event_parked: "parked", "人工挂起";
    event_unparked: "unparked", "恢复处理";
    event_flagged: "flagged", "需要关注";
    the_bill: "the bill", "账单";
    its_source: "its source", "订单来源";
    claim: "claim", "回调内容";
    claimed: "order {}, out_trade_no {}", "订单号 {}，商户订单号 {}";
    claimed_transaction: ", transaction {}", "，微信支付订单号 {}";
    claimed_amount: ", {}", "，金额 {}";
    costs: "costs", "应付金额";
    costs_by: "{}, says {}", "{}，来自 {}";
    costs_since: "{}, says {} since {}", "{}，来自 {}，自 {}";
    answer: "answer", "查单结果";
    no_payment: "no payment was confirmed", "尚未确认付款";
    paid: "paid", "已支付";
    refunded_since: "refunded since", "已转入退款";
    answered: "{}: transaction {}, {}", "{}：微信支付订单号 {}，{}";
    paid_at: ", paid at {}", "，支付时间 {}";
    confirmed_at: "; confirmed at {}", "；核实时间 {}";
    sent: "sent", "投递";
    not_sent: "not yet: the order system has seen nothing of it", "尚未投递：订单系统没有收到";
    sent_as: "{}, as delivery {}; {}", "{}，投递编号 {}；{}";
    accepted_at: "accepted at {}", "接收时间 {}";
    not_accepted: "not accepted", "未被接收";
    next: "next", "下一步";
    asked_again_at: "WeChat Pay is asked again at {}", "{} 再次查单";
    sent_again_at: "it is sent again at {}", "{} 重新投递";
    comes_again_until: "WeChat Pay's next notification of it is delivered; it is parked if none has come by {}", "收到微信支付的下一次通知即投递；若 {} 前仍未收到，则挂起";
    unless_decided: "nothing, unless you decide it: tollgate redeliver {} --override {} --because WHY", "无，除非人工决定：tollgate redeliver {} --override {} --because 原因";
    somebody_looks: "somebody has to look; then: tollgate redeliver", "需要人工查看，然后：tollgate redeliver";
    nothing: "nothing", "无";
    callback: "callback", "回调编号";
    request: "request", "回调请求";
    not_kept: "not kept any more (journal.keep.bodies); if it is delivered again, its callback is made anew as its route's synthesize says, or it is parked as cannot-synthesize", "已不再保存（journal.keep.bodies）；再次投递时按路由的 synthesize 重新生成，否则以 cannot-synthesize 挂起";
    by_callback: " (callback {})", "（回调 {}）";
    because: ": {}", "：{}";
    took: "answered {}, accepted", "应答 {}，已接收";
    did_not_take: "answered {}, which is not accepted", "应答 {}，不算接收";
    unheard: "nothing was heard", "没有应答";
    under_way: "under way, or broken off with the gate", "进行中，或随网关中断";
    attempt: "sent, attempt {} ({}): {}", "投递，第 {} 次（{}）：{}";
    found_in_bill: "found in the bill, without a callback", "在账单中发现，没有回调";
    listed_by_source: "listed by a source of pending orders", "由待支付订单来源列出";
    received: "received", "收到回调";
    was_refused: "A callback for {} (route {}) was refused before it was taken in", "订单 {} 的回调（路由 {}）在查单之前即被拒绝";
    no_order_id: "no readable order", "无法识别";
    no_route: "none", "无";
    detail: "detail", "详情";
    at: "at", "时间";
    journal_knows_nothing: "the journal knows nothing of {}; a callback without a readable order, a repetition beyond the first of an order, and what is older than journal.keep.entries are in the log only (request_id)", "本地流水中没有 {}；无法识别订单号的回调、同一订单的重复回调，以及超过 journal.keep.entries 的记录，只在日志中（request_id）";
    neither: "that is neither a request id nor an order", "既不是请求编号，也不是订单号";

    // sweep.
    no_sweep_yet: "There was no sweep yet.", "还没有对过账。";
    sweep_of: "Sweep {}: bill of {}, merchant {}, {}: {}{}", "对账 {}：{} 的账单，商户号 {}，{}：{}{}";
    dry: ", dry run", "，试运行（只核对不补发）";
    sweep_asked: "asked", "等待中";
    sweep_running: "running", "进行中";
    sweep_done: "done", "已完成";
    sweep_failed: "failed", "失败";
    note: "note", "说明";
    again_while_running: "tried again at {} while the gate runs", "网关运行时于 {} 重试";
    bill_rows: "rows", "行数";
    of_rows: "{} ({}, {}, {}{})", "{}（{}，{}，{}{}）";
    payments: "{} payment|{} payments", "付款 {} 笔";
    refunds: "{} refund|{} refunds", "退款 {} 笔";
    others: "{} other|{} others", "其他 {} 行";
    unreadable: ", {} UNREADABLE", "，无法读取 {} 行";
    accepted_before: "accepted", "已送达";
    before: "{} before", "此前 {} 笔";
    rows_under_way: "under way", "处理中";
    rows_parked: "parked", "已挂起";
    unknown_order: "unknown order", "无法对应到订单";
    not_ours: "not ours", "不属于已配置渠道";
    found: "found", "漏单";
    out_not_asked: "not asked about", "未查单";
    out_asking: "asked about again", "再次查单";
    out_delivering: "being delivered", "投递中";
    out_delivered: "delivered", "已送达";
    rows_cut: "and more: only the first {} rows are shown; the journal's table sweep_row has all", "还有更多：只显示前 {} 行；全部在本地流水的 sweep_row 表中";
    row_line: "line {} {}:{}{}{}{}", "第 {} 行 {}：{}{}{}{}";
    row_payment: " {}transaction {}{}{}", " {}微信支付订单号 {}{}{}";
    row_refunded: ", refunded in the same bill", "，同一账单中已退款";
    waiting: "waiting for its turn", "排队中";
    reading_bill: "reading the bill: {}, {} found", "正在读取账单：{}，漏单 {} 笔";
    progress: "{} found: {} delivered, {} parked", "漏单 {} 笔：已送达 {}，已挂起 {}";
    early_days: "before the gate's first whole day, {}: {} of {}. What the order system got then, without the gate, is sent again. --dry-run says what that is.", "网关的第一个完整日是 {}，要对账的日期中有 {} 天早于它（共 {}）。订单系统当时未经网关收到的订单会再次投递。先用 --dry-run 查看。";
    day_count: "{} day|{} days", "{} 天";
    send_it: "Send it? [y/N]", "继续投递？[y/N]";

    // resign-key.
    resign_made: "Made in {}:", "已在 {} 中生成：";
    resign_private: "private key, for the gate alone: only its user may read it", "私钥，只给网关使用：仅运行网关的用户可读";
    resign_public: "public key, for the order system; its id is {}", "公钥，交给订单系统；公钥 ID 为 {}";
    resign_certificate: "certificate of the same key, for the order system; its serial number is {}, it ends on {}", "同一密钥的证书，交给订单系统；序列号为 {}，有效期至 {}";
    resign_configure: "In config.yaml, on the route of the notifications, if the order system takes the public key and its id:", "如果订单系统使用公钥和公钥 ID，在 config.yaml 的通知路由上写：";
    resign_or_certificate: "or, if it takes the certificate:", "如果使用证书，则写：";
    resign_where: "The order system is to believe this key for notifications, and WeChat Pay's for answers to its own requests:", "订单系统只在验证通知时信任此密钥；它自己请求微信支付时，应答仍用微信支付的密钥验证：";
    resign_java: "a notification configuration of its own: RSAPublicKeyNotificationConfig with resign_pub.pem and the id", "单独的通知配置：RSAPublicKeyNotificationConfig，使用 resign_pub.pem 和公钥 ID";
    resign_go: "the notify handler's verifier: NewSHA256WithRSAPubkeyVerifier with the id and resign_pub.pem", "通知处理器的验签器：NewSHA256WithRSAPubkeyVerifier，使用公钥 ID 和 resign_pub.pem";
    resign_php: "one more entry in the map of serials that its notifications are verified with: the id, and resign_pub.pem", "在验证通知所用的序列号映射中增加一项：公钥 ID 和 resign_pub.pem";
    resign_yansongda: "one more entry in wechat_public_cert_path: the id, and resign_pub.pem", "在 wechat_public_cert_path 中增加一项：公钥 ID 和 resign_pub.pem";
    resign_python: "resign_cert.pem in the folder cert_dir; not with a public key, which it verifies answers with too", "把 resign_cert.pem 放入 cert_dir 目录；公钥模式不行，因为它也用该公钥验证应答";
    resign_cannot: "An order system with one key for notifications and answers cannot use resign.", "通知和应答共用一个密钥的订单系统不能使用 resign。";

    // init.
    made_from: "Made by `tollgate init` from {}. Every key is described in docs/config.md.", "由 `tollgate init` 根据 {} 生成。每个键的说明见 docs/config.md。";
    next_steps: "Put the merchant's APIv2 key into the environment variable WECHAT_KEY, then: tollgate check --resolve", "请将商户的 APIv2 密钥放入环境变量 WECHAT_KEY，然后执行：tollgate check --resolve";
    listen_here: "where callbacks arrive: your nginx sends them here", "回调到达的地址：由 nginx 转发到这里";
    upstream_keeps: "the order system; a callback keeps its path and query", "订单系统；回调的路径和查询参数不变";
    mode_first: "`observe` forwards all and only says what it would refuse", "`observe`（观察模式）放行所有回调，只记录本应拒绝的";
    path_exact: "exactly this path", "路径须完全一致";
    match_exact: "exactly this parameter of the query", "查询参数须完全一致";
    preset_is: "WeChat Pay's own notification, signature checked first", "微信支付的支付结果通知，先验签";
    preset_any: "WeChat Pay's own notifications, v2 or v3, whichever comes", "微信支付的通知，v2 或 v3，来什么读什么";
    private_key_is: "the file of the merchant platform, beside this one", "商户平台下载的文件，放在本文件旁边";
    certificate_is: "for its serial number", "用于取证书序列号";
    v3_key_is: "the account's APIv3 key, 32 characters", "商户号的 APIv3 密钥，32 位";
    public_key_id_is: "as the request names it; compare it with the merchant platform", "取自此请求；请与商户平台核对";
    public_key_is: "WeChat Pay's public key, from the merchant platform", "微信支付公钥，从商户平台下载";
    certificates_are: "downloaded by the gate", "由网关自动下载";
    is_sealed: "sealed: api_v3_key opens it", "已加密，由 api_v3_key 解密";
    next_steps_v3: "Put the merchant's APIv3 key into the environment variable WECHAT_V3_KEY and the files beside this one, then: tollgate check --resolve", "请将商户的 APIv3 密钥放入环境变量 WECHAT_V3_KEY，并将各文件放在本文件旁边，然后执行：tollgate check --resolve";
    now_do_v3: "Look it through, put the APIv3 key into {} and the files beside it, then:", "请检查一遍，将 APIv3 密钥放入环境变量 {}，并将各文件放在配置文件旁边，然后：";
    carrier_is: "where the fields are: query, form, json, xml or multipart", "字段所在位置：query、form、json、xml 或 multipart";
    cookies_are: "the request has a cookie of that name; right only if the order system looks for parameters in no cookie", "请求带有同名 cookie；仅当订单系统不从 cookie 取参数时才可忽略";
    any_type: "the request names another type than it has", "请求声明的类型与内容不符";
    or_perhaps: "or perhaps {}", "也可能是 {}";
    proof_is: "attach or source if you can: docs/config.md", "如有条件请用 attach 或 source：见 docs/config.md";
    fill_is: "the verified id is written into the empty field", "字段为空时写入核实后的微信支付订单号";
    unit_yuan: "it has a decimal point", "金额带小数点";
    unit_fen: "it has no decimal point; yuan if it is not in fen", "金额没有小数点；如果单位是元请改为 yuan";
    channel_hint: "with several merchant accounts perhaps chosen by {}", "如有多个商户号，可能由 {} 选择";
    accepted_is: "when the order system has taken it; docs/config.md", "订单系统怎样应答算已接收；见 docs/config.md";
    key_is: "the account's APIv2 key, 32 letters and digits", "商户号的 APIv2 密钥，32 位字母和数字";
    journal_is: "every callback is kept here until it is taken", "每个回调都保存在这里，直到订单系统接收";
    behind_proxy: "If nginx on this machine stands in front, so that senders are told apart:", "如果前面是本机的 nginx，加上这一行以区分发送方：";
    is_there: "{} is there already, and is left as it is: name another file with --out", "{} 已存在，不会覆盖：请用 --out 指定另一个文件";
    cannot_read: "cannot read {}", "无法读取 {}";
    cannot_write: "cannot write {}", "无法写入 {}";
    no_order: "no field of it has an order id", "没有字段像订单号";
    cannot_make: "no route can be made of this request: {}", "无法根据此请求生成路由：{}";
    missing: "nobody can be asked here, so give: {}", "当前无法询问，请提供：{}";
    ask_from: "A saved callback, as a file:", "保存的回调请求文件：";
    ask_upstream: "The order system's address, such as http://127.0.0.1:5000:", "订单系统地址，例如 http://127.0.0.1:5000：";
    ask_appid: "The appid of the merchant account:", "商户号对应的 appid：";
    ask_mch_id: "The merchant's number (mch_id):", "商户号（mch_id）：";
    written: "{} was written from {}. It takes:", "已生成 {}（根据 {}）。取用：";
    now_do: "Look it through, put the APIv2 key into {}, then:", "请检查一遍，将 APIv2 密钥放入环境变量 {}，然后：";

    // A saved request.
    saved_is_none: "the file holds no HTTP request: it needs a request line, fields, an empty line and the body", "文件中没有 HTTP 请求：需要请求行、请求头、一个空行和请求体";
    saved_utf16: "the file is UTF-16: save it as UTF-8", "文件是 UTF-16：请另存为 UTF-8";
    saved_answer: "the file holds an answer, and a request is wanted: save what was sent", "文件中是应答，需要的是请求：请保存发送方发出的内容";
    saved_curl: "the file holds a curl command, not the request that it sends: write POST /path HTTP/1.1, the fields, an empty line and the body", "文件中是 curl 命令，而不是它发出的请求：请写成 POST /path HTTP/1.1、请求头、一个空行和请求体";
    saved_curl_v: "the file holds what curl -v prints, which is without the body: keep the lines that begin with >, without that sign, then write an empty line and the body", "文件中是 curl -v 的输出，不含请求体：请保留以 > 开头的行并去掉 >，再写一个空行和请求体";
    saved_indented: "its lines begin with blanks: remove them", "行首有空格：请删除";
    saved_no_version: "its first line ends without a version: write POST /path HTTP/1.1", "第一行末尾没有版本：请写 POST /path HTTP/1.1";
    saved_version: "its first line says another version, as HTTP/2: write HTTP/1.1", "第一行写的是其他版本（如 HTTP/2）：请写 HTTP/1.1";
    saved_no_line: "its first line is no request line: write POST /path HTTP/1.1, then the fields, an empty line and the body", "第一行不是请求行：请写 POST /path HTTP/1.1，然后是请求头、一个空行和请求体";
    saved_no_host: "it has no Host: write it below the first line, Host: shop.example.com", "缺少 Host：请写在第一行下面，如 Host: shop.example.com";
    saved_short: "Content-Length says {}, and the body has {} bytes: correct it, or remove that line", "Content-Length 为 {}，而请求体有 {} 字节：请改正或删除这一行";

    // check.
    usable: "{}: usable. {} -> {}, {}, {}.", "{}：可用。{} -> {}，{}，{}。";
    channel_has: "channel {}: {}", "渠道 {}：{}";
    asked_by: "asked by {}, {}", "用 {} 查单，{}";
    reads: "reads notifications of {}", "可读取 {} 通知";
    reads_none: "reads no notifications of WeChat Pay", "不能读取微信支付通知";
    verifies_with: ", verifies with {}", "，验签用 {}";
    unread_key: "a key that is not read here", "此处未读取的密钥";
    downloaded_certificates: "downloaded certificates", "自动下载的平台证书";
    and: " and ", "和";
    counts_as_taken: "route {}: an answer counts as taken with {}", "路由 {}：应答满足以下条件算已接收：{}";
    warning: "warning: {}", "警告：{}";
    not_read: "Not read without --resolve, and needed to run: {}", "未读取（加 --resolve 才读取），运行时必须有：{}";
    channel_is: "channel {}: {} ({})", "渠道 {}：{}（{}）";
    account_known: "WeChat Pay answers and knows the account", "微信支付有应答，商户号可用";
    clock_is_ahead: "this machine's clock is {} s ahead of WeChat Pay's: more than 5 minutes are refused. Is NTP running?", "本机时钟比微信支付快 {} 秒：相差超过 5 分钟会被拒绝。NTP 是否在运行？";
    clock_is_behind: "this machine's clock is {} s behind WeChat Pay's: more than 5 minutes are refused. Is NTP running?", "本机时钟比微信支付慢 {} 秒：相差超过 5 分钟会被拒绝。NTP 是否在运行？";
    clock_is_wrong: "WeChat Pay says that this machine's clock is more than 5 minutes wrong. Is NTP running?", "微信支付提示本机时钟误差超过 5 分钟。NTP 是否在运行？";
    serial_is_wrong: "WeChat Pay does not know the serial number that the question was signed with: certificate or serial is not that of this mch_id's API certificate", "微信支付不认识签名所用的证书序列号：certificate 或 serial 不是该 mch_id 的商户 API 证书";
    key_is_wrong: "the signature does not fit: private_key is not the key of the certificate with this serial, or the certificate was replaced in the merchant platform", "签名不符：private_key 与该序列号的证书不是一对，或证书已在商户平台更换";
    upstream_answers: "upstream {}: takes connections", "订单系统 {}：可以连接";
    upstream_silent: "upstream {}: cannot be reached ({})", "订单系统 {}：无法连接（{}）";
    source_read: "source {}: {}", "订单来源 {}：{}";
    source_unread: "source {}: {}", "订单来源 {}：{}";
    source_unusable: "source {}: {}, {} of them cannot be used: {}", "订单来源 {}：{}，其中 {} 行无法使用：{}";
    journal_writable: "journal {}: its folder can be written", "本地流水 {}：所在目录可写";
    database_is:
        "journal {}: PostgreSQL {}, {}; synchronous_commit {}; this clock less the database's is {} ms",
        "本地流水 {}：PostgreSQL {}，{}；synchronous_commit {}；本机时钟减去数据库时钟为 {} 毫秒";
    tables_there: "its tables have layout {}", "表结构为第 {} 版";
    tables_to_come: "its tables are made, or led on, when the gate starts", "网关启动时会建表或升级表结构";
    journal_unwritable: "journal {}: {}", "本地流水 {}：{}";
}

impl Language {
    /// The one that LC_ALL, LC_MESSAGES or LANG asks for, the first of them that says anything.
    fn of_environment(variable: impl Fn(&str) -> Option<String>) -> Self {
        let said = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
        if said.is_some_and(|value| value.starts_with("zh")) { Self::Chinese } else { Self::English }
    }
}

/// The words of the language that this process's environment asks for.
pub(super) fn words() -> &'static Words {
    static WORDS: OnceLock<&'static Words> = OnceLock::new();
    WORDS.get_or_init(|| Words::of(Language::of_environment(|name| std::env::var(name).ok())))
}

/// The words of those commands that speak English only.
pub(super) fn english() -> &'static Words {
    &ENGLISH
}

impl Words {
    /// An event of a story; its name, if it is not one of those.
    pub(super) fn event<'w>(&self, name: &'w str) -> &'w str {
        let events = [
            (&ENGLISH.event_found, self.event_found),
            (&ENGLISH.event_again, self.event_again),
            (&ENGLISH.event_asked_for, self.event_asked_for),
            (&ENGLISH.event_parked, self.event_parked),
            (&ENGLISH.event_unparked, self.event_unparked),
            (&ENGLISH.event_flagged, self.event_flagged),
        ];
        events.into_iter().find(|(known, _)| **known == name).map_or(name, |(_, text)| text)
    }

    pub(super) fn is_chinese(&self) -> bool {
        self.language == Language::Chinese
    }

    /// `1 order`, `2 orders`.
    pub(super) fn count(&self, template: &str, number: impl TryInto<u64>) -> String {
        let number = number.try_into().unwrap_or(u64::MAX);
        let (one, many) = template.split_once('|').unwrap_or((template, template));
        fill(if number == 1 { one } else { many }, &[&number])
    }

    /// `9 s`, `5 min`, `3 h 20 min`, `1 d 9 h`: two units at most.
    pub(super) fn duration(&self, duration: Duration) -> String {
        let seconds = duration.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        match (days, hours, minutes, seconds % 60) {
            (0, 0, 0, 0) if !duration.is_zero() => fill(self.milliseconds, &[&duration.as_millis()]),
            (0, 0, 0, seconds) => fill(self.seconds, &[&seconds]),
            (0, 0, minutes, 0) => fill(self.minutes, &[&minutes]),
            (0, 0, minutes, seconds) => fill(self.minutes_seconds, &[&minutes, &seconds]),
            (0, hours, 0, _) => fill(self.hours, &[&hours]),
            (0, hours, minutes, _) => fill(self.hours_minutes, &[&hours, &minutes]),
            (days, 0, ..) => fill(self.days, &[&days]),
            (days, hours, ..) => fill(self.days_hours, &[&days, &hours]),
        }
    }

    pub(super) fn state(&self, state: State) -> &'static str {
        match state {
            State::Asking => self.asking,
            State::Delivering => self.delivering,
            State::Accepted => self.accepted,
            State::Parked => self.parked,
            State::Closed => self.closed,
        }
    }

    /// What a reason code means.
    pub(super) fn reason(&self, reason: Reason) -> &'static str {
        match self.language {
            Language::English => reason.text(),
            Language::Chinese => reason_in_chinese(reason),
        }
    }

    /// Everything that is wrong with a configuration, a line each.
    pub(super) fn problems(&self, problems: &Problems) -> String {
        match self.language {
            Language::English => problems.to_string(),
            Language::Chinese => {
                let lines: Vec<_> =
                    problems.list.iter().map(|problem| chinese(&problems.file.display(), problem)).collect();
                lines.join("\n")
            }
        }
    }

    /// A warning's text.
    pub(super) fn text(&self, text: &str) -> String {
        if self.is_chinese() { problems::in_chinese(text) } else { text.to_owned() }
    }
}

/// `config.yaml:14:9: routes[0].carier: 未知的键；是否想写 carrier？`
fn chinese(file: &dyn Display, problem: &Problem) -> String {
    let Problem { place, key, what, remedy } = problem;
    let place = place.map(|place| format!("{place}:")).unwrap_or_default();
    let key = if key.is_empty() { String::new() } else { format!(" {key}:") };
    let [what, remedy] = [what, remedy].map(|text| problems::in_chinese(text));
    format!("{file}:{place}{key} {what}；{remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_says_anything_decides() {
        let of = |set: &[(&str, &str)]| {
            Language::of_environment(|name| {
                set.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned())
            })
        };
        for (set, wanted) in [
            (&[][..], Language::English),
            (&[("LANG", "zh_CN.UTF-8")], Language::Chinese),
            (&[("LANG", "zh")], Language::Chinese),
            (&[("LC_MESSAGES", "zh_TW"), ("LANG", "en_US.UTF-8")], Language::Chinese),
            (&[("LC_ALL", "C.UTF-8"), ("LANG", "zh_CN.UTF-8")], Language::English),
            (&[("LC_ALL", ""), ("LANG", "zh_CN.UTF-8")], Language::Chinese),
            (&[("LC_CTYPE", "zh_CN.UTF-8"), ("LANG", "en_US")], Language::English),
        ] {
            assert_eq!(of(set), wanted, "{set:?}");
        }
    }

    #[test]
    fn both_languages_have_the_same_blanks_and_chinese_is_chinese() {
        for (name, english, chinese) in ALL {
            let blanks = |text: &str| text.split('|').next_back().unwrap_or_default().matches("{}").count();
            assert_eq!(blanks(english), blanks(chinese), "{name}");
            assert!(chinese.is_empty() || chinese.chars().any(|c| c >= '\u{2E80}'), "{name}: {chinese}");
        }
    }

    #[test]
    fn one_is_one_and_a_duration_has_two_units_at_most() {
        assert_eq!(ENGLISH.count(ENGLISH.orders, 1u64), "1 order");
        assert_eq!(ENGLISH.count(ENGLISH.orders, 0u64), "0 orders");
        assert_eq!(ENGLISH.count(ENGLISH.orders, 2usize), "2 orders");
        assert_eq!(CHINESE.count(CHINESE.orders, 1u64), "1 笔订单");
        for (seconds, wanted) in [
            (0, "0 s"),
            (59, "59 s"),
            (300, "5 min"),
            (330, "5 min 30 s"),
            (3600, "1 h"),
            (12_000, "3 h 20 min"),
            (86_400, "1 d"),
            (118_800, "1 d 9 h"),
            (118_859, "1 d 9 h"),
        ] {
            assert_eq!(ENGLISH.duration(Duration::from_secs(seconds)), wanted);
        }
        assert_eq!(ENGLISH.duration(Duration::from_millis(250)), "250 ms");
        assert_eq!(CHINESE.duration(Duration::from_secs(118_800)), "1 天 9 小时");
    }
}
