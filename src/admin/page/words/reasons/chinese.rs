//! What each reason is called in Chinese, what it means, and what to do about it.

use crate::domain::reason::Reason;

/// In short, what it means, and what to do.
pub(super) fn chinese(reason: Reason) -> (&'static str, &'static str, &'static str) {
    match reason {
        Reason::Paid => {
            ("已支付", "微信支付以签名确认该订单已支付。", "无需处理。如果一直未送达，请查看订单系统的日志。")
        }
        Reason::Refunded => (
            "已发起退款",
            "订单支付后已发起退款（全部或部分）。",
            "请确认退款前订单是否已发货。设置 on_refunded: forward 可放行此类回调。",
        ),
        Reason::NotPaidYet => {
            ("尚未支付", "交易状态 NOTPAY：目前还没有人支付该订单。", "无需处理。网关会自动再次查询，发送方也会重发。")
        }
        Reason::UserPaying => {
            ("用户支付中", "交易状态 USERPAYING：付款人正在输入密码。", "无需处理。网关会自动再次查询。")
        }
        Reason::AwaitingDeduction => {
            ("等待扣款", "交易状态 ACCEPT：扣款已受理，尚未完成。", "无需处理。网关会自动再次查询。")
        }
        Reason::OrderNotFound => (
            "微信支付没有该订单",
            "ORDERNOTEXIST（API v3：ORDER_NOT_EXIST）：该商户号下没有此订单；可能查询过早、编号映射有误，或订单是伪造的。",
            "如果订单真实存在，请将商户订单号与商户平台核对，再检查路由的 out_trade_no 字段、渠道规则以及渠道的前缀和后缀。否则无需处理。",
        ),
        Reason::NumberNotListed => (
            "已支付，但没有来源列出该编号",
            "订单已支付，但该路由的待支付订单来源中没有（也没有过）此订单与此商户订单号的对应关系。",
            "先不用处理：网关会再次读取来源并再次查询。如果持续出现，请核对订单系统中该订单的商户订单号与此处的 out_trade_no；来源可能过早地不再列出已支付的订单。伪造编号对应关系的人也会得到此结果。",
        ),
        Reason::NumberOfAnotherOrder => (
            "该编号属于另一个订单",
            "该商户订单号属于另一个订单：按路由的 number_proof，它不属于本订单。",
            "请搜索该编号，查看两个订单。可能有人想用一笔支付冒充两个订单，也可能最先使用该支付的回调写错了订单号。如果确实用一笔支付支付多个订单，请设置 number_proof: shared。",
        ),
        Reason::TradeStateUnknown => {
            ("未知的交易状态", "此版本不认识的交易状态。", "请在商户平台查询该订单，并反馈该状态。")
        }
        Reason::Closed => ("未支付已关闭", "交易状态 CLOSED：订单未支付即被关闭。", "无需处理。付款人需要重新下单。"),
        Reason::Revoked => ("付款已撤销", "交易状态 REVOKED：付款已被撤销。", "无需处理。款项已退回。"),
        Reason::PayError => ("支付失败", "交易状态 PAYERROR：支付失败。", "无需处理。付款人需要重新支付。"),
        Reason::AmountDiffers => (
            "金额与实付不符",
            "回调中的金额与实际支付的金额不同。",
            "请比对回调内容与查单结果。要么回调被篡改，要么 amount 指向了含义不同的字段（检查 amount_unit）。",
        ),
        Reason::ExpectedAmountDiffers => (
            "实付与订单价格不符",
            "实际支付的金额与待支付订单来源中的价格不同。",
            "款项已到账，只有由人决定接受该金额后才会发送。请核对下方的两个金额：可以退款，可以由来源更正价格后恢复处理，也可以点击“重新投递”并说明理由。",
        ),
        Reason::TransactionDiffers => (
            "微信支付订单号与实际付款不符",
            "回调中的微信支付订单号与该订单的付款不同。",
            "请比对回调内容与查单结果。要么回调被篡改，要么 transaction 或 fill 指向了含义不同的字段。",
        ),
        Reason::TransactionOfOtherOrder => (
            "使用了其他订单的付款",
            "回调中的微信支付订单号属于另一笔订单。",
            "有人试图用一笔付款支付两个订单，或编号映射有误。请核查两笔订单。",
        ),
        Reason::NotificationUnsigned => (
            "通知没有签名",
            "微信支付通知没有签名：没有 sign，或 API v3 的 Wechatpay-* 请求头不全。",
            "如果某渠道的 API v3 通知全部被拒绝，说明网关前面的代理丢弃了这些请求头。否则不是来自微信支付：请查明是谁在向此路径发送。",
        ),
        Reason::NotificationUndecipherable => (
            "通知无法解密",
            "通知的密文用该渠道的任何密钥都无法解密，或报文结构不对：可能是伪造，也可能密钥有误。",
            "如果某渠道的所有通知都被拒绝，请将 api_v3_key（API v2 退款通知则为 key）与商户平台核对。如果密钥已更换，请同时保留旧密钥。",
        ),
        Reason::NotificationNotPayment => (
            "不是支付成功通知",
            "通知的内容不是支付成功，例如退款通知发到了只接收支付通知的路由。",
            "请为退款设置单独的地址（退款请求的 notify_url，或商户平台的退款配置）；如果订单系统用同一地址接收两者，请在路由上写 events: [payment, refund]。",
        ),
        Reason::NotificationProbe => (
            "微信支付的验签探测",
            "微信支付故意发送的错误签名（WECHATPAY/SIGNTEST/），用来检查是否会被拒绝。",
            "无需处理。微信支付随后会发送正确的通知。",
        ),
        Reason::NotificationSerialUnknown => (
            "通知的序列号未知",
            "Wechatpay-Serial 不是该渠道任何一把验签密钥的序列号：可能是伪造，也可能没有配置该密钥。",
            "如果正常的通知遇到，请配置 public_key_id 和 public_key，或 platform_certificates: auto。否则是伪造。",
        ),
        Reason::NotificationOutsideWindow => (
            "通知时间超出范围",
            "Wechatpay-Timestamp 与本机时间相差 5 分钟或以上。",
            "如果所有通知都这样，说明本机时钟不准：NTP 是否在运行？个别出现是有人在重放旧通知。",
        ),
        Reason::NotificationCombined => (
            "合单支付通知",
            "合单支付（combine_out_trade_no）的通知，含有多个订单和多个微信支付订单号。",
            "网关不处理合单支付。请把合单的 notify_url 直接指向订单系统。",
        ),
        Reason::NotificationKeysMissing => (
            "没有读取该通知的密钥",
            "该渠道没有读取这种通知所需的密钥。",
            "API v3：请添加 api_v3_key，以及 public_key_id 和 public_key，或 platform_certificates: auto。API v2：请添加 key。",
        ),
        Reason::RefundConfirmed => (
            "退款通知已送达",
            "退款通知对应的订单经查单确认已支付：已带 X-Verified-Event: refund 转发。",
            "无需处理。退款金额仅以通知内容为准。",
        ),
        Reason::RefundNotConfirmed => (
            "退款未获确认",
            "退款通知对应的订单，查单结果不是以该微信支付订单号和该金额支付的。",
            "请在商户平台查询该订单。微信支付会重发通知。",
        ),
        Reason::NotificationBadlySigned => (
            "通知签名错误",
            "通知的签名与该渠道的任何密钥都不匹配：可能是伪造、途中被改动，也可能密钥有误。",
            "如果某渠道的所有通知都被拒绝，说明密钥有误或已更换（请运行 tollgate check --resolve），或前面的代理改写了正文。否则是伪造；API v2 也可能是微信支付的探测流量。",
        ),
        Reason::NotificationForOtherMerchant => (
            "通知属于其他商户",
            "通知中的 appid、mch_id 或 sub_mch_id 不是该渠道的。",
            "其他账号的 notify_url 指向了此渠道的路径，或该渠道的 appid 与 mch_id 配置混淆。",
        ),
        Reason::NotificationNotSuccess => (
            "通知并非付款成功",
            "微信支付的通知签名正确，但 return_code 或 result_code 不是 SUCCESS。",
            "无需处理。这次支付没有成功；微信支付一天内最多重发 15 次。",
        ),
        Reason::QueryTimeout => (
            "微信支付未及时应答",
            "在 confirm_deadline 内没有应答；网关在后台继续查询。",
            "网关会自动再次查询。如果大量出现，请检查到微信支付的网络是否缓慢。",
        ),
        Reason::QueryFailed => (
            "无法连接微信支付",
            "无法连接微信支付（连接、TLS 或 DNS）。",
            "网关会自动再次查询。请检查出站连接、DNS 和 CA 证书；日志中 query failed 一行有具体原因。",
        ),
        Reason::RateLimited => (
            "自身查询额度用尽",
            "该商户的查询额度（wechat.queries_per_second）已用尽。",
            "网关会自动再次查询。如果流量正常，请调高 wechat.queries_per_second；如果是攻击，请设置 limits.rate_per_address。",
        ),
        Reason::WechatRateLimited => (
            "微信支付要求降低频率",
            "微信支付返回 FREQUENCY_LIMITED 或状态码 429：查询过于频繁。",
            "请调低 wechat.queries_per_second，并向微信支付确认该账号的限额。",
        ),
        Reason::WechatSystemError => (
            "微信支付系统错误",
            "微信支付返回 SYSTEMERROR（API v3：SYSTEM_ERROR）或其他临时错误。",
            "无需处理，网关会自动再次查询。如果持续出现，说明微信支付发生故障。",
        ),
        Reason::QueryRefused => (
            "查询被微信支付拒绝",
            "微信支付拒绝了查询：渠道的密钥、证书序列号、appid 或 mch_id 有误；API v3 也可能是本机时钟不准。",
            "请运行 tollgate check --resolve，它会指出是哪一项，然后更正。在此之前该渠道的订单都无法确认。",
        ),
        Reason::AnswerHttpStatus => (
            "查单应答的 HTTP 状态异常",
            "应答的 HTTP 状态码不是 200。",
            "网关与微信支付之间有其他设备代为应答，或微信支付发生故障。状态码见日志。",
        ),
        Reason::AnswerTooLarge => {
            ("查单应答过大", "查单应答远大于正常应答。", "这不是微信支付的应答。请检查 wechat.hosts 以及中间的设备。")
        }
        Reason::AnswerUnreadable => (
            "查单应答无法解析",
            "应答不是微信支付的 XML 或 JSON（按严格规则解析）。",
            "这不是微信支付的应答。请检查 wechat.hosts 以及中间的设备。",
        ),
        Reason::AnswerUnsigned => (
            "查单应答没有签名",
            "查单应答没有 sign，或 API v3 的 Wechatpay-* 应答头不全。",
            "偶尔会发生。如果持续出现，请检查 wechat.hosts 以及中间的设备。",
        ),
        Reason::AnswerBadlySigned => (
            "查单应答签名错误",
            "应答的签名与该渠道的任何密钥都不匹配。",
            "偶尔出现是微信支付的探测流量。如果持续出现，说明密钥或 sign_type 有误；API v3 则是 public_key 与 public_key_id 不对应，或中间的代理改写了应答。",
        ),
        Reason::AnswerSerialUnknown => (
            "应答的序列号未知",
            "应答的 Wechatpay-Serial 不是该渠道任何一把验签密钥的序列号。",
            "请配置该商户的 public_key_id 和 public_key，或 platform_certificates: auto，再运行 tollgate check --resolve。",
        ),
        Reason::AnswerOutsideWindow => (
            "应答时间超出范围",
            "应答的 Wechatpay-Timestamp 与本机时间相差 5 分钟或以上。",
            "本机时钟不准。NTP 是否在运行？",
        ),
        Reason::CertificatesUnavailable => (
            "平台证书暂时无法下载",
            "需要微信支付平台证书，但目前下载不到。",
            "如果商户已有微信支付公钥，请配置 public_key_id 和 public_key，就不再需要下载。",
        ),
        Reason::AnswerForOtherOrder => {
            ("查单应答的是其他订单", "签名正确，但应答的不是所查询的订单。", "请连同订单号和时间反馈给微信支付。")
        }
        Reason::AnswerForOtherMerchant => (
            "查单应答属于其他商户",
            "签名正确，但应答属于其他 mch_id 或 sub_mch_id。",
            "请将渠道的 mch_id 和 sub_mch_id 与商户平台核对。",
        ),
        Reason::AnswerForOtherApp => (
            "查单应答属于其他应用",
            "签名正确，但应答属于其他 appid 或 sub_appid。",
            "请将渠道的 appid 和 sub_appid 与商户平台核对。",
        ),
        Reason::AnswerIncomplete => {
            ("查单应答不完整", "签名正确，但缺少必需的字段或字段格式有误。", "请连同订单号和时间反馈。")
        }
        Reason::UnsupportedMediaType => (
            "内容类型不符",
            "Content-Type 或 Content-Encoding 不是路由的 carrier 所要求的。",
            "如果正常的发送方遇到，说明路由的 carrier 与其发送的内容不符，或声明了不支持的字符集。路由配置 content_type: any 后，不论 Content-Type 是什么都按 carrier 解析。",
        ),
        Reason::BodyMalformed => (
            "正文格式错误",
            "正文（或查询串）不符合路由 carrier 的格式。",
            "请查看详情。正常的发送方不应遇到；XML 中出现 DOCTYPE 是攻击。",
        ),
        Reason::FieldMissing => {
            ("缺少订单号", "订单号字段不存在或为空。", "如果正常的发送方遇到，说明路由的 order 不是其字段名。")
        }
        Reason::FieldRepeated => (
            "字段重复",
            "某个字段（或签名请求头）出现两次、出现在两处，或以后端可能识别的另一种写法出现。",
            "请查看详情。如果正常的发送方遇到，请修改发送方：其订单系统读到的可能不是同一个订单。如果只是同名 cookie，且订单系统不从 cookie 取参数，可配置 cookies: ignore。",
        ),
        Reason::FieldMalformed => {
            ("字段值格式错误", "字段的值不符合规定的格式。", "请查看详情。tollgate verify --file 可检验保存的请求。")
        }
        Reason::ChannelUnknown => {
            ("渠道未配置", "回调选择的渠道没有配置，或没有选择渠道。", "如果正常的发送方遇到，请配置该渠道或添加规则。")
        }
        Reason::RequestMalformed => (
            "请求格式错误",
            "不是规范的 HTTP/1.1 报文：分帧、换行、Host 有误，或正文不完整。",
            "如果正常的发送方遇到，说明中间的代理改写了请求；请保存一份并用 tollgate verify --file 检验。",
        ),
        Reason::TargetNotCanonical => (
            "路径不规范",
            "路径在规范化后会改变。",
            "如果正常的发送方遇到，其路径中有 //、点或多余的转义：请更正其地址。",
        ),
        Reason::RouteUnknown => (
            "没有该路由",
            "没有路由使用此路径，或路由的 match 要求另外的查询参数。",
            "如果是回调，请添加路由。否则无需处理。",
        ),
        Reason::MethodNotAllowed => {
            ("方法不允许", "该路由不接受此方法。", "如果是回调，请在路由中添加该方法。否则无需处理。")
        }
        Reason::Misdirected => ("发往其他主机", "请求目标与 Host 指向不同的主机。", "无需处理，或更正前面的代理。"),
        Reason::TargetTooLong => ("请求目标过长", "请求目标超过了限制。", "如果是回调，请调高 limits.head。"),
        Reason::HeadTooLarge => (
            "请求头过大",
            "请求头超过 limits.head，或字段数超过 limits.headers。",
            "如果是回调，请调高 limits.head 或 limits.headers。",
        ),
        Reason::BodyTooLarge => ("正文过大", "正文超过 limits.body。", "如果是回调，请调高 limits.body。"),
        Reason::RequestTimeout => {
            ("请求超时", "请求头或正文没有及时到达。", "偶尔出现是连接中断。同一地址大量出现是攻击。")
        }
        Reason::TooManyRequests => (
            "同一地址请求过多",
            "该地址发送的回调超过 limits.rate_per_address。",
            "如果该地址是您的代理，请将其加入 forwarding.trusted_proxies。",
        ),
        Reason::UpstreamUnreachable => (
            "无法连接订单系统",
            "订单系统拒绝连接或无法到达；它没有收到任何内容。",
            "订单系统是否在运行，upstream 是否正确？到时网关会自动重试；“重新投递”可立即发送。",
        ),
        Reason::UpstreamBroke => (
            "订单系统中途断开",
            "订单系统中断连接或应答不是正确的 HTTP；它可能已经处理。",
            "订单可能已入账：请按请求编号或订单号查看订单系统的日志。网关会自动重试。",
        ),
        Reason::UpstreamTimeout => (
            "订单系统未及时应答",
            "订单系统没有及时应答；它可能已经处理。",
            "订单可能已入账：请按请求编号或订单号查看订单系统的日志。网关会自动重试。",
        ),
        Reason::UpstreamAnswerTooLarge => (
            "订单系统的应答过大",
            "订单系统的应答超过网关可接收的大小。",
            "回调已送达，但超过 1 MiB 的应答没有转回。请检查订单系统的应答内容。",
        ),
        Reason::NotAccepted => (
            "订单系统未接收",
            "订单系统已应答，但不符合路由的 accepted 规则；它可能已经处理。",
            "请在订单系统的日志中查找原因。如果订单系统其实已接收，则是路由的 accepted 规则不对：可用 tollgate verify --answer 检查。网关会自动重试；“重新投递”可立即发送。",
        ),
        Reason::SecondPayment => (
            "重复付款",
            "同一订单此前已确认过另一笔付款；on_second_payment 决定如何处理这一笔。",
            "该订单被支付了两次，请退还其中一笔：退款台账列有两个微信支付订单号。如说明理由，点击“重新投递”仍可发送这一笔。",
        ),
        Reason::PaidAfterClose => (
            "关闭后付款",
            "待支付订单来源不再列出该订单之后才付款：已提示，并已转发。",
            "请确认订单系统是否仍会发货；如果不会，请退款。",
        ),
        Reason::OverrideNeeded => (
            "需要由人决定",
            "实付金额与订单价格不符、以前已接收过，或者重复付款：只有由人决定后才会发送。",
            "请核对两个金额或已接收的内容，然后点击“重新投递”，作出决定并说明理由。",
        ),
        Reason::DeliveredOverPrice => (
            "由人决定按其他金额投递",
            "实付金额与订单价格不符，有人决定仍然投递。",
            "无需处理。操作记录中有决定者和理由。",
        ),
        Reason::DeliveredAgain => (
            "由人决定再次投递",
            "以前已接收过，有人决定再次投递。",
            "如果订单系统对同一订单只入账一次，则无需处理。操作记录中有决定者和理由。",
        ),
        Reason::ParkedByOperator => (
            "人工挂起",
            "有人将其挂起：网关不会自动继续处理。",
            "请查明原因：操作记录中有操作者。然后恢复处理，或点击“重新投递”。",
        ),
        Reason::GaveUpAsking => (
            "超时无人付款",
            "follow_up.ask_again_for 到期时仍无人付款。",
            "无需处理，除非付款人声称已付款：请点击“查询微信支付”，如已支付再点击“重新投递”。",
        ),
        Reason::GaveUpDelivering => (
            "已放弃投递",
            "follow_up.redeliver_for 到期时订单系统仍未接收。",
            "款项已到账，但订单尚未入账。请修复订单系统，然后点击“重新投递”。",
        ),
        Reason::WindowOver => (
            "等待微信支付重发",
            "通知上的微信支付签名已超过 upstream_window，订单系统会拒收：等微信支付重发后再投递。",
            "微信支付重发期间无需处理（24 小时内 15 次），收到下一次通知即投递。在路由上配置 resign 后，网关可以自行重发；订单系统不检查时间的，配置 upstream_window: none 也可以。",
        ),
        Reason::AlreadyAccepted => ("已由回调送达", "在没有回调时发现的订单，其付款随后已由回调送达。", "无需处理。"),
        Reason::CannotSynthesize => (
            "无法生成回调",
            "无法为该订单生成回调：路由的 synthesize 生成的内容与路由读取的不一致。",
            "款项已到账，但订单尚未入账。请更正路由的 synthesize（日志说明了不一致之处），然后点击“重新投递”；或手工入账。",
        ),
        Reason::RouteGone => (
            "路由或渠道已移除",
            "收到时所用的路由或渠道已不在配置中，或读取方式已改变。",
            "请将路由或渠道放回配置，然后点击“重新投递”；或手工入账。",
        ),
        Reason::DeliveryUnderWay => {
            ("正在投递", "此回调到期时，同一订单仍在投递中。", "无需处理，发送方会重发。订单系统是否缓慢？")
        }
        Reason::JournalUnavailable => (
            "本地流水无法写入",
            "本地流水无法写入，因此不再受理新的回调。",
            "请清理磁盘空间或检查磁盘，之后网关会自动恢复。",
        ),
        Reason::Overloaded => (
            "超出负载",
            "达到 limits.connections 或 limits.memory，或等待写入本地流水的回调过多。",
            "请调高 limits.connections（及打开文件数限制）或 limits.memory，或查明是谁占用。如果是本地流水，说明磁盘过慢。",
        ),
        Reason::InternalError => ("网关故障", "网关内部发生故障；请连同日志反馈。", "请连同日志反馈。"),
    }
}
