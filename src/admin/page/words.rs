//! Everything the pages say, in English and Chinese side by side, so that neither can lack a word.

pub(super) mod reasons;

use crate::domain::language::bilingual;
pub(super) use crate::domain::language::{Language, fill};

// The words of one language, by what they are for. `{}` is where a value goes.
bilingual! {
    // Every page.
    code: "en", "zh-CN";
    skip: "Skip to the content", "跳到正文";
    pages: "Pages", "页面";
    overview: "Overview", "概览";
    orders: "Orders", "订单";
    ledger: "Refund ledger", "退款台账";
    sweeps: "Sweeps", "对账";
    sources: "Sources", "订单来源";
    refused: "Refused", "已拒绝";
    audit: "Audit", "操作记录";
    log_in: "Log in", "登录";
    log_out: "Log out", "退出登录";
    other_language: "中文", "English";
    other_language_code: "zh-CN", "en";
    beijing_time: "Times are Beijing time; point at one for UTC.", "时间均为北京时间，鼠标悬停可见 UTC 时间。";
    observe_mode: "Observe mode: the gate forwards everything and only notes what it would have refused.", "观察模式：网关放行所有回调，只记录本应拒绝的。";
    reload_refused: "A new configuration was refused {}. The gate goes on with the one from before:", "新配置于 {} 被拒绝，网关继续使用原来的配置：";
    no_journal: "This gate keeps no journal (journal: none), so there is nothing to look at here. Name a file in journal.path to keep callbacks and to have them delivered again.", "此网关没有本地流水（journal: none），因此这里没有内容。请在 journal.path 中指定文件，以便保存并重新投递回调。";
    unreadable: "The journal cannot be read at the moment: {}. Callbacks are looked after by the gate itself; reload this page in a moment.", "本地流水暂时无法读取：{}。回调仍由网关处理，请稍后刷新本页。";
    not_found: "There is no such page", "没有这个页面";
    not_found_text: "It may have been kept for as long as it was to be kept, or its address is not right.", "记录可能已超过保存期限，或者地址有误。";
    back: "Back", "返回";
    updated: "Updates by itself every 3 seconds", "每 3 秒自动更新";
    stale: "The gate does not answer. What stands below is what it said last.", "网关没有应答，下面显示的是它最后一次的内容。";
    next_rows: "Further rows", "后续行";
    refused_hint: "order or request id", "订单号或请求编号";
    more: "Older", "更早";
    newest: "Newest", "最新";
    copy: "Copy", "复制";
    copied: "Copied", "已复制";
    copy_what: "Copy {}", "复制 {}";
    fen: "{} fen", "{} 分";
    trouble: "Trouble", "故障";
    fine: "Fine", "正常";

    // Ages.
    just_now: "just now", "刚刚";
    seconds: "{} s", "{} 秒";
    minutes: "{} min", "{} 分钟";
    hours: "{} h", "{} 小时";
    hours_minutes: "{} h {} min", "{} 小时 {} 分";
    days: "{} d", "{} 天";
    days_hours: "{} d {} h", "{} 天 {} 小时";
    ago: "{} ago", "{}前";
    in_future: "in {}", "{}后";
    now_due: "now", "现在";

    // Names of things.
    order: "Order", "订单号";
    channel: "Channel", "渠道";
    route: "Route", "路由";
    state: "State", "状态";
    amount: "Amount", "金额";
    received_at: "Received", "收到时间";
    paid_at: "Paid", "支付时间";
    next_try: "Next try", "下次尝试";
    parked_if_none: "Parked if none has come", "届时仍未收到则挂起";
    attempts: "Sent", "发送次数";
    attempts_times: "{} ×", "{} 次";
    transaction_id: "Transaction id", "微信支付订单号";
    out_trade_no: "out_trade_no", "商户订单号";
    merchant: "Merchant", "商户号";
    request_id: "Request id", "请求编号";
    trade_state: "trade_state", "交易状态";
    delivery: "Delivery id", "投递编号";
    origin: "Brought by", "触发来源";
    at: "Time", "时间";
    why: "Why", "原因";
    what_to_do: "What to do", "处理方法";
    colon: ":", "：";
    so_since: "It has been so for {}.", "此状态已持续 {}。";
    nothing_to_do: "Nothing.", "无需处理。";

    // States.
    asking: "Not confirmed", "待确认";
    delivering: "Paid, not delivered", "已付未送达";
    accepted: "Delivered", "已送达";
    parked: "Parked", "已挂起";
    closed: "Closed", "已关闭";
    being_sent: "Being sent now", "正在发送";
    asking_text: "WeChat Pay has not confirmed a payment. It is asked again by itself.", "微信支付尚未确认付款，网关会自动再次查询。";
    delivering_text: "The money is there; the order system has not accepted the callback. It is sent again by itself.", "款项已到账，但订单系统尚未接收回调，网关会自动重试。";
    accepted_text: "The order system took the callback. Nothing is left to do.", "订单系统已接收回调，无需处理。";
    parked_text: "Held back until somebody looks at it. Nothing happens by itself.", "已暂停，等待人工处理，不会自动继续。";
    closed_text: "Nothing will come of it: it was not paid, or the claim is wrong. It was not forwarded.", "不会再处理：未付款，或回调内容与事实不符。没有转发。";

    // Verdicts.
    paid: "paid", "已支付";
    pending: "not paid yet", "未支付";
    unpaid: "will not be paid", "已确定未支付";
    refunded: "refunded", "已退款";
    contradicted: "claim is wrong", "与查单结果不符";
    unknown: "no answer", "无法确认";

    // What brought a callback.
    by_callback: "a callback", "回调";
    by_follow_up: "the follow-up", "自动重试";
    by_sweep: "the bill (sweep)", "账单对账";
    by_pending: "the list of unpaid orders", "待支付订单列表";
    by_anything: "anything", "全部来源";

    // Overview.
    today: "Today", "今天";
    today_since: "since midnight in Beijing", "北京时间零点起";
    all_well: "Every paid order was delivered", "所有已支付的订单均已送达";
    all_well_text: "There is no order whose payment WeChat Pay confirmed and which the order system has not accepted.", "没有微信支付已确认付款而订单系统尚未接收的订单。";
    not_accepted_one: "1 paid order was not accepted by the order system", "有 1 笔已支付的订单尚未被订单系统接收";
    not_accepted: "{} paid orders were not accepted by the order system", "有 {} 笔已支付的订单尚未被订单系统接收";
    alarm_sum: "{} in all.", "合计 {}。";
    alarm_cause: "{}: {}.", "{}：{}。";
    oldest: "The oldest was paid {} ago.", "最早一笔在 {}前支付。";
    held: "Held orders", "未送达与待确认的订单";
    held_none: "No order is held. Callbacks that are held back, and why, would stand here.", "没有未送达或待确认的订单。被拦下的回调及其原因会显示在这里。";
    held_count_one: "1 order", "1 笔订单";
    held_count: "{} orders", "{} 笔订单";
    held_show: "Show all {}", "查看全部 {} 笔";
    received: "Received", "收到";
    delivered: "Delivered", "已送达";
    by_channel: "By channel, today", "各渠道今日情况";
    refused_today: "Refused today, by why", "今日拒绝（按原因）";
    by_channel_none: "No callback was taken in today.", "今天还没有收到回调。";
    health: "Health", "运行状况";
    wechat_hosts: "WeChat Pay", "微信支付";
    host_closed: "in reach", "正常";
    host_open: "out of reach, asked last", "无法连接，最后才询问";
    upstreams: "Order system", "订单系统";
    budget: "Query budget", "查询额度";
    budget_left: "{} of {} queries left", "剩余 {} / {} 次查询";
    upstream_idle: "not called so far", "尚未调用";
    nothing_kept: "nothing is kept", "不保存";
    newer_refused: "a newer one was refused", "较新的配置被拒绝";
    nothing_waits: "no order waits for it", "没有等待的订单";
    waits: "{} wait for it", "{}在等待";
    upstream_failing: "failing, began {}", "持续失败，始于 {}";
    answered_with: "answered {}", "返回 {}";
    next_probe: "next try in {}", "{}后再试一笔";
    and_also: "{}; {}", "{}；{}";
    cache: "Cache", "缓存";
    cache_hits: "{} hits", "命中率 {}";
    cache_entries: "{} entries", "{} 条";
    journal: "Journal", "本地流水";
    journal_size: "{}, of which {} free", "{}，其中空闲 {}";
    journal_fails: "cannot be written", "无法写入";
    configuration: "Configuration", "配置";
    generation: "generation {}, in force {}", "配置版本 {}，生效于 {}";
    last_sweeps: "Last sweep", "最近对账";
    sweeps_missing: "{} bills could not be compared", "{} 份账单未能核对";
    sweep_rows_malformed: "{} rows of the latest bills cannot be read", "最近账单中有 {} 行无法识别";
    swept_never: "none so far", "尚未进行";
    replicas: "Gates that share the journal", "共用流水的网关";
    replica_this: "{} (this one)", "{}（本机）";
    replica_at: "{}, process {}, version {}, since {}", "{}，进程 {}，版本 {}，自 {}";
    replica_gone: "gone, heard of {}", "已离开，最后一次听到是 {}";
    replica_config: "another configuration: {}, generation {}", "配置不同：{}，第 {} 版";
    pending_sources: "Sources of pending orders", "待支付订单来源";

    // Which keys sign.
    keys: "Keys of WeChat Pay (API v3)", "微信支付验签密钥（API v3）";
    keys_text: "verified since the gate was started", "网关启动以来验签通过的";
    keys_clock: "Clock", "时钟";
    keys_clock_unknown: "no answer has told the time so far", "尚未收到可比对时间的应答";
    keys_clock_agrees: "agrees with WeChat Pay to a second", "与微信支付相差不到 1 秒";
    keys_clock_ahead: "WeChat Pay's is {} ahead of this machine's", "微信支付的时间比本机快 {}";
    keys_clock_behind: "WeChat Pay's is {} behind this machine's", "微信支付的时间比本机慢 {}";
    keys_clock_wrong: "is NTP running? At 5 minutes nothing is believed", "NTP 是否在运行？相差达到 5 分钟将全部拒绝";
    keys_on_answers: "Answers", "查单应答";
    keys_on_notifications: "Notifications", "通知";
    keys_signed: "{}: {}, {}", "{}：{}，{}";
    keys_none: "none so far", "暂无";
    keys_public_key: "public key {}", "微信支付公钥 {}";
    keys_certificate: "platform certificate {}", "平台证书 {}";
    keys_of_merchant: "merchant's certificate {}", "商户 API 证书 {}";
    keys_share: "{} % by the public key ({} of {})", "公钥占 {}%（{} / {}）";
    keys_days_left: "{} days left", "还有 {} 天到期";
    keys_ended: "has expired", "已过期";

    // The time line.
    time_line: "Time line", "时间线";
    span_hour: "1 hour", "1 小时";
    span_six: "6 hours", "6 小时";
    span_day: "24 hours", "24 小时";
    span: "Time shown", "显示范围";
    callbacks_per: "Callbacks per {}, by verdict", "每 {}的回调数（按查单结论）";
    latency: "Time to the answer", "应答耗时";
    p50: "half within (p50)", "中位数 P50";
    p95: "95 in 100 within (p95)", "95 分位数 P95";
    time_line_none: "No callback in this time.", "此时间段内没有回调。";
    time_line_table: "The same as a table", "表格形式";
    no_verdict: "refused unread", "未查单即拒绝";
    ms: "{} ms", "{} 毫秒";

    // The list.
    search: "Search", "搜索";
    search_hint: "order, out_trade_no, transaction or request id", "订单号、商户订单号、微信支付订单号或请求编号";
    apply: "Apply", "筛选";
    clear: "Clear", "清除";
    any_state: "any state", "全部状态";
    any_channel: "any channel", "全部渠道";
    any_reason: "any reason", "全部原因";
    any_time: "any time", "全部时间";
    last_hour: "the last hour", "最近 1 小时";
    last_day: "the last 24 hours", "最近 24 小时";
    last_week: "the last 7 days", "最近 7 天";
    last_month: "the last 30 days", "最近 30 天";
    orders_caption: "Orders, the latest first", "订单，最新在前";
    orders_none: "No order matches.", "没有符合条件的订单。";
    orders_none_filter: "Take a filter away, or search for a part less.", "请减少筛选条件。";
    orders_looked_through: "None of those looked through so far. Older ones may match.", "目前查过的订单中没有符合条件的，更早的可能有。";
    orders_empty: "No callback was taken in yet. The first will appear here as soon as it comes.", "还没有收到任何回调，收到后会立即显示在这里。";
    bad_filter: "That filter cannot be read: {}", "无法识别的筛选条件：{}";

    // One order.
    story: "What happened", "处理记录";
    expected: "What the order costs", "订单价格";
    expected_source: "Source", "来源";
    expected_since: "Listed since", "列出时间";
    not_expected: "No source says what it costs.", "没有来源给出价格。";
    claim: "What the callback claims", "回调声称的内容";
    claim_bill: "What the bill says", "账单中的记录";
    claim_list: "What the list says", "列表中的记录";
    answer: "What WeChat Pay answers", "微信支付查单结果";
    sent: "What the order system got", "发给订单系统的内容";
    claim_short: "Claim", "回调内容";
    differs: "differs", "不一致";
    not_claimed: "not said", "未提供";
    not_confirmed: "No payment was confirmed.", "没有确认到付款。";
    not_kept: "It is not what the callback claims; what it was is not kept. Ask WeChat Pay shows it.", "与回调内容不一致，其内容未保存。点击“查询微信支付”即可查看。";
    nothing_sent: "Nothing was sent.", "没有发送任何内容。";
    compare: "Price, claim, answer, and what was sent", "价格、回调内容、查单结果与投递内容对照";
    other_entries: "Other claims for the same order", "同一订单的其他回调";
    story_caption: "Everything that happened, oldest first", "全部处理记录，最早在前";
    request: "Request", "请求";
    request_not_kept: "not kept any more; a redelivery makes it anew where the route can", "已不再保存；重新投递时由路由重新生成（如已配置）";
    duration: "Duration", "耗时";
    what: "What", "事件";
    came_callback: "The callback came", "收到回调";
    came_found: "The order was found without a callback", "在没有回调的情况下发现该订单";
    event_found: "WeChat Pay was asked", "查询微信支付";
    event_decided: "The gate decided", "网关判定";
    event_confirmed: "WeChat Pay confirmed the payment", "微信支付确认付款";
    event_again: "The same callback came again", "再次收到相同回调";
    event_asked_for: "An operator asked for a redelivery", "操作人要求重新投递";
    event_refund: "A refund notification came", "收到退款通知";
    event_flagged: "Something to look at", "需要关注";
    event_parked: "An operator parked it", "人工挂起";
    event_unparked: "An operator unparked it", "人工恢复处理";
    event_other: "Noted: {}", "记录：{}";
    sending: "Sent to the order system, attempt {}", "第 {} 次发送给订单系统";
    status: "status {}", "状态码 {}";
    sending_accepted: "accepted", "已接收";
    sending_refused: "not accepted", "未接收";
    sending_open: "under way", "进行中";
    sending_lost: "nothing was noted: the gate stopped meanwhile", "没有记录：网关在此期间停止";
    flagged: "To look at", "需要关注";

    // Actions.
    actions: "Actions", "操作";
    redeliver: "Redeliver", "重新投递";
    redeliver_text: "WeChat Pay is asked once more, and if the order is paid its callback is sent to the order system now. The order system sees the same X-Tollgate-Delivery as before.", "再次查询微信支付；如果已支付，立即将回调发送给订单系统。订单系统会看到相同的 X-Tollgate-Delivery。";
    paid_costs: "paid {}, costs {}", "已付 {}，应付 {}";
    accepted_before: "The order system accepted it before.", "订单系统以前已接收过该订单。";
    paid_twice: "Another payment of this order was confirmed before.", "该订单此前已确认过另一笔付款。";
    you_decide: "The gate does not send it by itself. If you have it sent, the order stays flagged, and the audit trail has your name and reason.", "网关不会自行发送。如果由您决定发送，该订单将永久标记，操作记录中会留下您的名字和理由。";
    type_amount: "Type the amount that was paid, as 0.01", "请输入实付金额，例如 0.01";
    because: "Why", "理由";
    because_hint: "voucher 8.90", "优惠券 8.90";
    redeliver_all_the_same: "Redeliver all the same", "仍然投递";
    redeliver_now: "Redeliver now", "立即重新投递";
    query: "Ask WeChat Pay", "查询微信支付";
    query_text: "WeChat Pay is asked about this order now, past the cache. Nothing is sent and nothing changes; you see the answer. It costs one query.", "立即向微信支付查询该订单，不使用缓存。不会发送或改变任何内容，只显示答复。消耗一次查询。";
    query_now: "Ask now", "立即查询";
    park: "Park", "挂起";
    park_text: "The gate leaves this order alone: it is neither asked about nor sent until somebody unparks it or a new callback comes. Use it when the order system must not get this order for now.", "网关不再处理该订单：不再查询也不再发送，直到有人恢复处理。适用于订单系统暂时不应收到该订单的情况。";
    park_now: "Park it", "确认挂起";
    unpark: "Unpark", "恢复处理";
    unpark_text: "The gate goes on with this order at once: WeChat Pay is asked again, and if it is paid and nothing else is wrong, the callback is sent.", "网关立即继续处理该订单：再次查询微信支付，如果已支付且没有其他问题，则发送回调。";
    unpark_now: "Go on with it", "继续处理";
    cancel: "Cancel", "取消";
    about_order: "Order {} on channel {}", "订单 {}，渠道 {}";
    did_redeliver: "The order is due now: WeChat Pay is asked, then it is sent. Watch it below.", "已安排立即处理：先查询微信支付，再发送。请看下方进展。";
    did_park: "The order is parked. The gate leaves it alone until somebody unparks it.", "订单已挂起，恢复处理前网关不会处理。";
    did_unpark: "The order is unparked and due now.", "已恢复处理，立即继续处理。";
    not_done: "It could not be done.", "无法完成。";
    did_query: "WeChat Pay was asked just now and says: {}.", "刚刚向微信支付查单，结果：{}。";
    did_nothing: "Nothing was changed: {}", "没有改变任何内容：{}";
    no_such_order: "There is no such order on this channel.", "该渠道没有这个订单。";
    no_such_channel: "No channel of this name is configured.", "没有配置该渠道。";
    wrong_confirm: "what was typed is not the amount that was paid.", "输入的金额与实付金额不符。";
    no_because: "a reason is needed, in 4 to 200 characters.", "需要填写理由，4 至 200 个字符。";
    override_not_needed: "that is not to be decided any more; look at the order again.", "已不需要作此决定，请重新查看该订单。";
    not_in_this_state: "the order's state does not allow it.", "订单当前状态不允许此操作。";

    // The ledger.
    ledger_text: "The transaction id of a payment, as a refund needs it. Search for an order, an out_trade_no or a transaction id.", "查找退款所需的微信支付订单号。可按订单号、商户订单号或微信支付订单号搜索。";
    ledger_caption: "Confirmed payments", "已确认的付款";
    ledger_none: "No confirmed payment has this number. The order may not be paid, or may be older than the journal keeps.", "没有与此编号对应的已确认付款。订单可能未支付，或已超过保存期限。";
    ledger_empty: "Enter a number to look for.", "请输入要查找的编号。";

    // Sweeps.
    sweeps_text: "A sweep compares WeChat Pay's bill of a day with what the order system accepted, and delivers what is missing.", "对账将微信支付某日的账单与订单系统已接收的订单核对，并补发缺失的。";
    gate_since: "The gate's first whole day is {}: nothing of a day before it is delivered by schedule, since the order system may have got that without the gate.", "网关的首个完整日为 {}：此前各日的订单可能已不经网关送达订单系统，定时对账不会补发。";
    sweeps_caption: "Sweeps, the latest first", "对账记录，最新在前";
    sweeps_none: "No bill was compared yet. Give a channel a sweep section, or run tollgate sweep.", "还没有核对过账单。请为渠道配置 sweep，或运行 tollgate sweep。";
    bill_of: "Bill of {}", "{} 的账单";
    bill_date: "Bill of", "账单日期";
    wanted_by: "Wanted by", "发起";
    by_schedule: "schedule", "定时任务";
    by_operator: "an operator", "操作人";
    dry_run: "dry run", "试运行";
    progress_asked: "waiting", "等待中";
    progress_running: "running", "进行中";
    progress_done: "done", "完成";
    progress_failed: "failed", "失败";
    began_at: "Began", "开始";
    ended_at: "Ended", "结束";
    problem: "Problem", "问题";
    rows: "Rows", "行数";
    rows_paid: "Payments", "付款";
    rows_refunds: "Refunds", "退款";
    rows_others: "Other rows", "其他";
    rows_malformed: "Unreadable", "无法识别";
    rows_not_ours: "Of no swept channel", "不属于任何渠道";
    rows_accepted: "Accepted before", "此前已送达";
    rows_under_way: "Being delivered", "投递中";
    rows_parked: "Parked", "已挂起";
    rows_unknown: "Order not known", "订单未知";
    rows_found: "Found missing", "发现遗漏";
    rows_caption: "The rows of the bill behind these numbers, except those accepted before", "这些数字对应的账单行（不含此前已送达的）";
    rows_none: "No row to show: every payment of this bill was accepted before.", "没有可显示的行：该账单的所有付款此前均已送达。";
    rows_none_of_kind: "No row of this kind.", "没有这一类的行。";
    row_line: "Line", "行号";
    row_kind: "What it is", "类别";
    any_kind: "all", "全部";
    became: "What became of it", "后续结果";
    refunded_in_bill: "refunded in the same bill", "同一账单内已退款";

    // Sources.
    sources_text: "Where the gate reads which orders wait for payment, so that a paid one is found even if nobody calls back.", "网关从这些来源读取待支付的订单，即使没有回调也能发现已支付的订单。";
    sources_caption: "Sources of pending orders", "待支付订单来源";
    sources_none: "No source is configured. Without one, a payment whose callback never comes is found by the next day's bill only (pending_orders).", "没有配置来源（pending_orders）。没有来源时，回调丢失的付款只能由次日账单发现。";
    source: "Source", "来源";
    read_at: "Read last", "最近读取";
    failed_at: "Failed last", "最近失败";
    failures: "Failures since", "此后失败次数";
    listed_orders: "Orders listed", "列出的订单";
    malformed_rows: "Rows not understood", "无法识别的行";
    never: "never", "从未";

    // Refused.
    refused_text: "Callbacks that were turned away before they were taken in, because the request or what it says cannot be read. Nothing of their content is kept.", "在受理之前被拒绝的回调：请求或内容无法识别。不保存其内容。";
    refused_caption: "Refused callbacks, the latest first", "被拒绝的回调，最新在前";
    refused_none: "No callback was refused.", "没有被拒绝的回调。";

    // Audit.
    audit_text: "Who changed what, when and from where.", "谁在何时何地做了什么更改。";
    audit_caption: "Changes, the latest first", "更改记录，最新在前";
    audit_none: "Nobody has changed anything yet.", "还没有任何更改。";
    who: "Who", "操作者";
    from: "From", "来自";
    action: "Action", "操作";
    outcome: "Outcome", "结果";
    act_login: "logged in", "登录";
    act_login_failed: "was refused at login", "登录被拒绝";
    act_logout: "logged out", "退出登录";
    act_redeliver: "redelivered", "重新投递";
    act_query: "asked WeChat Pay", "查询微信支付";
    act_park: "parked", "挂起";
    act_reload: "reloaded the configuration", "重新加载配置";
    act_sweep: "compared a bill", "核对账单";
    act_unpark: "unparked", "恢复处理";

    // Login.
    token: "Access token", "访问令牌";
    token_hint: "The value of admin.token in the gate's configuration.", "网关配置中 admin.token 的值。";
    wrong_token: "That is not the token.", "令牌不正确。";
    too_many_tries: "Too many wrong tokens from your address. Wait a minute.", "您的地址多次输入错误令牌，请稍候一分钟。";
}

impl Language {
    /// Its words.
    pub(super) fn words(self) -> &'static Words {
        Words::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_languages_have_the_same_blanks() {
        for (name, english, chinese) in ALL {
            assert_eq!(english.matches("{}").count(), chinese.matches("{}").count(), "{name}");
        }
    }

    #[test]
    fn what_is_chinese_is_written_in_chinese() {
        // What is a code, or the name of the other language.
        let codes = ["code", "other_language", "other_language_code"];
        let is_chinese = |text: &str| text.chars().any(|letter| letter > '\u{2e80}');
        for (name, english, chinese) in ALL.iter().filter(|(name, ..)| !codes.contains(name)) {
            assert!(is_chinese(chinese) && !is_chinese(english), "{name}: {english} / {chinese}");
        }
    }
}
