//! What can be wrong with a configuration, in Chinese: what is wrong, what to do about it, and what is warned of. The English
//! texts are where they are found; here each stands beside its translation, `{}` for what differs. A text that is not here
//! is shown as it is.

/// Of several that fit, the one that says most itself is meant.
static TEXTS: &[(&str, &str)] = &[
    // The file.
    ("cannot be read (entity not found)", "无法读取（文件不存在）"),
    ("cannot be read (entity not found), and {} is not there either", "无法读取（文件不存在），{} 也不存在"),
    ("cannot be read ({})", "无法读取（{}）"),
    (
        "name the file with --config or TOLLGATE_CONFIG, or have one made: tollgate init",
        "请用 --config 或 TOLLGATE_CONFIG 指定文件，或用 tollgate init 生成一个",
    ),
    ("name the file with --config, and see that it is readable", "请用 --config 指定文件，并确认其可读"),
    ("name the file in it", "请指定目录中的文件"),
    ("name a file that the gate may read", "请指定网关有权读取的文件"),
    ("line {} is not UTF-8 (GBK?): save as UTF-8", "第 {} 行不是 UTF-8（GBK？）：请另存为 UTF-8"),
    ("line {} is UTF-16: save as UTF-8", "第 {} 行是 UTF-16：请另存为 UTF-8"),
    (
        "in Windows' Notepad: Save as, encoding UTF-8; elsewhere: iconv -t UTF-8",
        "Windows 记事本：另存为，编码选 UTF-8；其他系统：iconv -t UTF-8",
    ),
    ("is larger than 1 MiB", "大于 1 MiB"),
    ("name the configuration file", "请指定配置文件"),
    ("is empty", "为空"),
    ("start from the shipped config.yaml", "请从随附的 config.yaml 开始"),
    ("starts a second document", "开始了第二个文档"),
    ("keep one configuration in a file, without a second ---", "一个文件只放一份配置，不要有第二个 ---"),
    ("is nested too deeply", "嵌套过深"),
    ("no key needs more than a few levels", "没有哪个键需要这么多层"),
    ("has a YAML tag (!)", "带有 YAML 标签（!）"),
    ("remove the tag, or quote the value", "请去掉标签，或给值加引号"),
    ("has a key that is no name", "键不是名称"),
    ("write key: value", "请写成 key: value"),
    ("stands at {} already", "在 {} 已经出现过"),
    ("keep one of the two", "请保留其中一个"),
    ("refers to itself", "引用了自身"),
    ("write the value out", "请直接写出值"),
    ("has too many values", "值过多"),
    ("write fewer YAML aliases (*)", "请少用 YAML 别名（*）"),
    ("is not YAML: {}", "不是 YAML：{}"),
    ("check indentation, quotes and brackets there", "请检查该处的缩进、引号和括号"),
    // What looks like YAML.
    ("full-width colon {}", "全角冒号 {}"),
    ("full-width comma {}", "全角逗号 {}"),
    ("full-width bracket {}", "全角括号 {}"),
    ("full-width space {}", "全角空格 {}"),
    ("full-width {}", "全角字符 {}"),
    ("curly quote {}", "弯引号 {}"),
    ("no-break space {}", "不换行空格 {}"),
    ("invisible character {}", "不可见字符 {}"),
    ("dash {}", "破折号 {}"),
    ("a tab in the indentation", "缩进中有制表符"),
    ("no blank behind the colon", "冒号后没有空格"),
    ("write the straight quote {}", "请写直引号 {}"),
    ("write a plain space", "请写半角空格"),
    ("write blanks", "请用空格"),
    ("remove it", "请删除"),
    // Shapes.
    ("unknown key", "未知的键"),
    ("did you mean {}?", "是否想写 {}？"),
    ("known here: {}", "此处可用：{}"),
    ("is missing", "缺少"),
    ("add {channel} to the path, or channel: the name of a channel", "请在路径中加 {channel}，或添加 channel: 渠道名"),
    ("add {}", "请添加 {}"),
    ("write a value, or remove the key", "请写一个值，或删除该键"),
    ("has no value", "没有值"),
    ("write one, or remove the key", "请写一个值，或删除该键"),
    ("must be a list", "必须是列表"),
    ("write [one, two], or one - item on a line each", "请写成 [one, two]，或每行一个 - item"),
    ("must be a map", "必须是映射"),
    ("write key: value, one on a line, or { key: value }", "请每行写一个 key: value，或 { key: value }"),
    ("must be a single value", "必须是单个值"),
    ("write key: value on one line", "请在一行内写 key: value"),
    ("is an empty list", "是空列表"),
    ("write at least one item, or remove the key", "请至少写一项，或删除该键"),
    // References.
    ("has ${...} as a part of it", "其中一部分是 ${...}"),
    ("only a whole value is replaced: key: ${NAME}", "只能替换整个值：key: ${NAME}"),
    ("names a variable in another program's way", "引用变量的写法属于其他程序"),
    ("is no usable ${...}", "不是可用的 ${...}"),
    ("write ${NAME} or ${file:PATH}", "请写 ${NAME} 或 ${file:PATH}"),
    ("the environment variable {} is not set", "环境变量 {} 未设置"),
    ("set it before starting, or write ${file:PATH} instead of {}", "请在启动前设置，或用 ${file:PATH} 代替 {}"),
    ("the environment variable {} is empty", "环境变量 {} 为空"),
    ("the environment variable {} is not UTF-8", "环境变量 {} 不是 UTF-8"),
    ("the file {} is empty", "文件 {} 为空"),
    ("put the value there", "请填入值"),
    ("the file {} cannot be read ({})", "文件 {} 无法读取（{}）"),
    ("create it, readable for the user that runs the gate", "请创建该文件，并让运行网关的用户可读"),
    // Values.
    ("is not a duration", "不是时长"),
    ("write a duration like 250ms, 2s, 5m, 24h or 7d", "请写时长，如 250ms、2s、5m、24h 或 7d"),
    (
        "write a duration like 4s, or none, which opens a connection for each callback",
        "请写时长如 4s，或写 none（每个回调新建连接）",
    ),
    ("is not a size", "不是大小"),
    ("write a size like 512, 64KiB or 1MiB", "请写大小，如 512、64KiB 或 1MiB"),
    ("is not a whole number", "不是整数"),
    ("write a whole number from {} to {}", "请写 {} 到 {} 的整数"),
    ("is outside {} to {}", "不在 {} 到 {} 之间"),
    ("is not a number", "不是数字"),
    ("is not from 0 to 1", "不在 0 到 1 之间"),
    ("write a share like 1.0 or 0.05", "请写比例，如 1.0 或 0.05"),
    ("is not a time of day", "不是一天中的时间"),
    (
        "write \"10:30\"; it is Beijing time, and bills are ready from 10:00",
        "请写 \"10:30\"；为北京时间，账单 10:00 起可下载",
    ),
    ("is longer than {} characters", "超过 {} 个字符"),
    ("has a character other than {}", "含有 {} 以外的字符"),
    ("write one of these", "请写其中之一"),
    // Addresses.
    ("is not an address with a port", "不是带端口的地址"),
    (
        "write an IP address and a port like 127.0.0.1:8080 or [::1]:8080",
        "请写 IP 地址和端口，如 127.0.0.1:8080 或 [::1]:8080",
    ),
    ("is not a URL like {}", "不是形如 {} 的 URL"),
    ("is neither http:// nor https://", "既不是 http:// 也不是 https://"),
    (
        "has a path, query or user, but a callback keeps its own path: write scheme, host and port only",
        "带有路径、查询参数或用户名，但回调的路径保持不变：只写协议、主机和端口",
    ),
    ("write only where it is: http://HOST:PORT", "只写位置：http://HOST:PORT"),
    ("is the address that the gate listens on", "是网关自己监听的地址"),
    ("name the order system's own address", "请写订单系统自己的地址"),
    ("listens on the address of the callbacks", "与回调监听地址相同"),
    ("choose another port", "请换一个端口"),
    ("is not loopback and has no admin.tls", "不是本机回环地址，且没有 admin.tls"),
    ("add tls, or listen on 127.0.0.1", "请添加 tls，或监听 127.0.0.1"),
    ("is not loopback and has no admin.token", "不是本机回环地址，且没有 admin.token"),
    ("add token, or listen on 127.0.0.1", "请添加 token，或监听 127.0.0.1"),
    ("is not 16 or more visible ASCII characters", "不是 16 个以上的可见 ASCII 字符"),
    ("is shorter than 16 characters", "少于 16 个字符"),
    ("make one with: openssl rand -hex 32", "可用 openssl rand -hex 32 生成"),
    ("is not the name of a host", "不是主机名"),
    (
        "write a name alone, gate.example.com, without scheme and port",
        "只写主机名，如 gate.example.com，不带协议和端口",
    ),
    ("is not a network", "不是网段"),
    ("write an address or network like 10.0.0.7 or 10.0.0.0/8", "请写地址或网段，如 10.0.0.7 或 10.0.0.0/8"),
    ("is not a host", "不是主机"),
    (
        "write preserve, upstream, or a host like shop.example:8443",
        "请写 preserve、upstream，或主机如 shop.example:8443",
    ),
    ("is not https", "不是 https"),
    ("write https://; plain http is for tests on 127.0.0.1", "请写 https://；http 仅限在 127.0.0.1 上测试"),
    ("is not scheme, host and perhaps port", "不是协议、主机和端口"),
    (
        "write an origin like https://api.mch.weixin.qq.com, without a path",
        "请写形如 https://api.mch.weixin.qq.com 的地址，不带路径",
    ),
    ("names the same host again", "重复写了同一主机"),
    ("has a user in it", "其中带有用户名"),
    ("is a whole URL", "是完整的 URL"),
    ("write its path alone, such as /pay/success", "只写路径，如 /pay/success"),
    // Routes.
    ("does not begin with /", "不以 / 开头"),
    ("write /pay/success", "请写成 /pay/success"),
    ("has a query", "带有查询参数"),
    ("write path: {} and match: {}", "请写 path: {} 和 match: {}"),
    ("has a segment of * or :name, which would stand for itself", "含有 * 或 :name，在此只会按字面匹配"),
    ("write {name} for one whole segment, such as /pay/{any}", "用 {name} 表示一整段，如 /pay/{any}"),
    (
        "has a placeholder that is not a whole segment of the form {name}, name being letters, digits and _",
        "占位符必须是完整一段 {name}，name 由字母、数字和 _ 组成",
    ),
    (
        "changes under normalisation: write it without //, dot segments, ;, backslashes, ? and needless escapes",
        "规范化后会改变：不要有 //、点段、;、反斜杠、? 和多余的转义",
    ),
    ("is not of the form query.NAME", "不是 query.NAME 的形式"),
    ("write match: {}", "请写 match: {}"),
    ("has a percent escape", "含有百分号转义"),
    ("write it as it is meant: / for %2F", "请写原文：用 / 而不是 %2F"),
    ("names none, or more than {}, of the query's parameters", "没有写查询参数，或多于 {} 个"),
    ("is the same name as another parameter to some backends", "在某些后端看来与另一个参数同名"),
    (
        "is the same name as the field {} to some backends, so every callback would be refused",
        "在某些后端看来与字段 {} 同名，所有回调都会被拒绝",
    ),
    ("route by another parameter, or by the path", "请用其他参数或路径区分路由"),
    ("matches the same requests as {} ({})", "与 {}（{}）匹配相同的请求"),
    (
        "give the routes other paths or methods, or each of them a match with another value of the same parameter",
        "请使用不同的路径或方法，或让每个路由的 match 对同一参数要求不同的值",
    ),
    ("is not in capital letters", "不是大写字母"),
    ("names the same method again", "重复写了同一方法"),
    ("is the same as {} ({})", "与 {}（{}）相同"),
    ("give every route its own name", "请给每个路由不同的名称"),
    ("is not a name", "不是名称"),
    ("use letters, digits, - _ and . as in app-pay-success", "请用字母、数字、- _ 和 .，如 app-pay-success"),
    ("is no placeholder of the route's path", "不是该路由路径中的占位符"),
    ("write {name} into the path, and path.name here", "请在路径中写 {name}，此处写 path.name"),
    ("is not a header name", "不是请求头名称"),
    ("write header.X-Shop", "请写成 header.X-Shop"),
    ("is not the name of a field", "不是字段名"),
    ("write it exactly as callbacks bring it", "请与回调中的写法完全一致"),
    ("is not a dotted path", "不是点分路径"),
    ("write data.order_id", "请写成 data.order_id"),
    ("is not in the body or query", "不在正文或查询参数中"),
    ("name a field that the gate can write into", "请指定网关可以写入的字段"),
    ("name fields that no backend can take for one another", "字段名不能让后端混淆"),
    ("stands without an amount", "没有与之对应的 amount"),
    ("add amount: the field with the amount, or remove amount_unit", "请添加 amount: 金额字段，或删除 amount_unit"),
    ("stands without out_trade_no", "没有与之对应的 out_trade_no"),
    ("remove it: the number is made from the order id", "请删除：商户订单号由订单号生成"),
    ("contradicts preset: wechat-v2, where it is {}", "与 preset: wechat-v2 矛盾，其中规定为 {}"),
    ("remove the key, or the preset", "请删除该键或 preset"),
    ("cannot stand beside preset: wechat-v2", "不能与 preset: wechat-v2 同时使用"),
    ("cannot stand beside a preset", "不能与 preset 同时使用"),
    ("remove it: the notification brings its transaction_id", "请删除：通知自带 transaction_id"),
    ("remove it: the notification is made from WeChat Pay's own answer", "请删除：通知由微信支付的查单结果生成"),
    (
        "WeChat Pay's own notification needs no proof: write first or shared",
        "微信支付的通知无需证明：请写 first 或 shared",
    ),
    ("is no way to prove a number", "不是证明订单号归属的方式"),
    ("write attach, attach.FIELD, source, first or shared", "请写 attach、attach.FIELD、source、first 或 shared"),
    ("needs a source of this route", "需要该路由的待支付订单来源"),
    ("add one to pending_orders, or write attach or first", "请在 pending_orders 中添加，或写 attach 或 first"),
    ("API v3 is not in this version yet", "此版本还不支持 API v3"),
    ("use the merchant's APIv2 key and write wechat-v2", "请使用商户的 APIv2 密钥并写 wechat-v2"),
    ("is never reached, because the rule above always applies", "永远不会用到，因为上面的规则总是适用"),
    ("put it above, or remove it", "请移到上面，或删除"),
    ("needs either is or from", "需要 is 或 from 之一"),
    ("write is: CHANNEL, or from: FIELD", "请写 is: 渠道，或 from: 字段"),
    ("is no channel", "没有这个渠道"),
    ("name one of the channels: {}", "请写其中一个渠道：{}"),
    ("is no route", "没有这个路由"),
    ("name one of the routes: {}", "请写其中一个路由：{}"),
    ("names a route without synthesize", "指定的路由没有 synthesize"),
    ("say there which callback to make for a paid order", "请在该路由中说明如何为已支付订单生成回调"),
    ("makes no callback of channel {}: {}", "无法为渠道 {} 生成回调：{}"),
    (
        "let synthesize give what the route's fields and channel rules read",
        "请让 synthesize 给出路由的字段和渠道规则所读取的内容",
    ),
    ("correct the template", "请修正模板"),
    ("has the unknown variable {}", "含有未知变量 {}"),
    ("known are {}", "可用的有 {}"),
    ("is no template that works: {}", "模板无法使用：{}"),
    ("write it in MiniJinja, for instance {}", "请用 MiniJinja 书写，例如 {}"),
    ("is not a status", "不是状态码"),
    ("write 2xx, or one status like 200", "请写 2xx，或一个状态码如 200"),
    ("has a status that is no success", "状态码不表示成功"),
    ("write a 2xx status", "请写 2xx 状态码"),
    ("would be read as success", "会被当作成功"),
    (
        "write a 4xx or 5xx status, or a 2xx with a body that does not contain success.body (give both)",
        "请写 4xx 或 5xx 状态码，或写正文不含 success.body 的 2xx（两者都写）",
    ),
    (
        "write a 4xx or 5xx status, or 200 and an XML body whose return_code is FAIL",
        "请写 4xx 或 5xx 状态码，或写 200 且 XML 正文的 return_code 为 FAIL",
    ),
    ("stands without a preset", "没有与之对应的 preset"),
    ("remove it: a route's own fields are those of payments", "请删除：路由自定义的字段是付款的字段"),
    ("names neither payment alone nor payment and refund", "应只写 payment，或写 payment 和 refund"),
    ("has no meaning beside carrier: {}", "与 carrier: {} 同时使用没有意义"),
    ("has no meaning without carrier: {}", "没有 carrier: {} 时没有意义"),
    ("remove it: there is no body to read", "请删除：没有正文可读"),
    ("remove it: only JSON has numbers beside texts", "请删除：只有 JSON 区分数字和文本"),
    ("cannot stand beside carrier: {}", "不能与 carrier: {} 同时使用"),
    (
        "cannot stand beside carrier: multipart, of which the gate makes no callback",
        "不能与 carrier: multipart 同时使用：网关不生成这种回调",
    ),
    ("remove it: Content-Type says where the parts end", "请删除：Content-Type 说明各部分在哪里结束"),
    (
        "remove it; let found orders go to another route of the order system, such as one with carrier: form",
        "请删除；让补发的订单走订单系统的另一个路由，例如 carrier: form 的路由",
    ),
    // What counts as taken.
    (
        "write what must hold, such as { status: 2xx }, or remove the key",
        "请写必须满足的条件，如 { status: 2xx }，或删除该键",
    ),
    ("is a body that does not meet {}, so nothing ever counts", "这样的正文不满足 {}，永远不会算已接收"),
    ("remove body or {}", "请删除 body 或 {}"),
    ("does not have 1 to 16 places", "没有写位置，或多于 16 个"),
    ("write where in the answer what must stand: { code: 0 }", "请写应答中哪个位置应是什么：{ code: 0 }"),
    ("write a whole number, or a text in quotes", "请写整数，或加引号的文本"),
    ("is at no place in JSON", "不是 JSON 中的位置"),
    ("write the keys that lead there, with dots: data.code", "请写通往该处的键，用点连接：data.code"),
    ("is too large a number", "数字过大"),
    ("write a text in quotes", "请写加引号的文本"),
    (
        "write more than confirm_deadline, which is {} here, or lower that",
        "请写大于 confirm_deadline（此处为 {}）的值，或调小它",
    ),
    // Channels.
    ("has no channel", "没有渠道"),
    ("add at least one merchant account", "请至少添加一个商户号"),
    ("the channel's name {}", "渠道名 {}"),
    ("choose a name like app or 2/c1", "请用形如 app 或 2/c1 的名称"),
    ("copy the appid from the merchant platform", "请从商户平台复制 appid"),
    ("copy the number from the merchant platform", "请从商户平台复制商户号"),
    ("has letters", "含有字母"),
    (
        "copy the number from the merchant platform: it has digits only, as 1900000109",
        "请从商户平台复制商户号：只有数字，如 1900000109",
    ),
    (
        "that is an appid: it goes to appid, and the merchant's number has digits only",
        "这是 appid，应写在 appid；商户号只有数字",
    ),
    ("is not 32 letters and digits", "不是 32 位字母和数字"),
    ("copy the APIv2 key that was set on the merchant platform", "请复制在商户平台设置的 APIv2 密钥"),
    ("is the sample key of WeChat Pay's documentation", "是微信支付文档中的示例密钥"),
    ("everybody knows it: set a key of your own on the merchant platform", "人人皆知：请在商户平台设置自己的密钥"),
    ("stands without a sub_mch_id", "没有与之对应的 sub_mch_id"),
    ("add sub_mch_id, or remove sub_appid", "请添加 sub_mch_id，或删除 sub_appid"),
    ("leaves no room for the order id", "没有给订单号留下位置"),
    ("WeChat Pay takes 32 characters in all", "微信支付总共只接受 32 个字符"),
    ("use only what WeChat Pay allows in out_trade_no", "只能使用微信支付允许的商户订单号字符"),
    ("cannot tell its payments from those of channel {} in the bill", "在账单中无法与渠道 {} 的付款区分"),
    (
        "sweep one of the two, or give them other prefixes in out_trade_no",
        "只对其中一个对账，或在 out_trade_no 中使用不同前缀",
    ),
    // Sources.
    ("is the name of another source", "与另一个来源同名"),
    ("give each its own: logs and figures go by it", "请各用各的名称：日志和统计以此区分"),
    ("has other characters than a name may", "含有名称不允许的字符"),
    ("write letters, digits, - _ .", "请用字母、数字、- _ ."),
    ("is less than a second", "不足一秒"),
    ("write 1s or more; 30s finds an order soon enough", "请写 1s 以上；30s 已足够"),
    ("names no source, or several", "没有指定来源，或指定了多个"),
    ("write exactly one of sql, http, file, command", "请只写 sql、http、file、command 之一"),
    ("is no URL of a database that can be read", "不是可读取的数据库 URL"),
    ("is no usable URL of {}", "不是可用的 {} URL"),
    ("names no file", "没有写文件名"),
    (
        "write mysql://USER:PASSWORD@HOST/DATABASE, postgres://... or sqlite:PATH, and in a password %40 for @, %2F for /, %3A for :, %23 for #",
        "请写 mysql://USER:PASSWORD@HOST/DATABASE、postgres://... 或 sqlite:PATH；密码中 @ 写 %40，/ 写 %2F，: 写 %3A，# 写 %23",
    ),
    ("does not begin with SELECT or WITH", "不以 SELECT 或 WITH 开头"),
    (
        "write one SELECT of order, channel and, if known, out_trade_no, amount, created_at",
        "请写一条 SELECT，列出 order、channel，以及（如有）out_trade_no、amount、created_at",
    ),
    ("is not a URL", "不是 URL"),
    (
        "write a URL like http://127.0.0.1:5000/unpaid.json; for a login there is token",
        "请写 URL，如 http://127.0.0.1:5000/unpaid.json；登录请用 token",
    ),
    ("has other than visible ASCII characters", "含有可见 ASCII 以外的字符"),
    ("write the token alone, without Bearer", "只写 token 本身，不带 Bearer"),
    // The rest.
    ("leaves the upstream no time", "没有给订单系统留下时间"),
    ("write less than deadline (default 4500ms), or remove it", "请写小于 deadline（默认 4500ms）的值，或删除"),
    ("needs the journal", "需要本地流水"),
    ("remove journal: none, or write forward", "请删除 journal: none，或写 forward"),
    ("remove journal: none, or remove this", "请删除 journal: none，或删除此项"),
    ("is neither none nor a map", "既不是 none 也不是映射"),
    ("write journal: none, or journal: { path: tollgate.db }", "请写 journal: none，或 journal: { path: tollgate.db }"),
    ("a database is not in this version yet", "此版本还不支持数据库"),
    ("write path, a file on a disk of this machine", "请写 path，即本机磁盘上的文件"),
    ("cannot be told from {}", "无法与 {} 区分"),
    ("choose names that differ in more than - _ . or case", "名称的差别不能只在 - _ . 或大小写"),
    ("is a header with a meaning of its own", "是有固有含义的请求头"),
    ("choose a name of your own, beginning with X-", "请用 X- 开头的自定义名称"),
    ("use letters, digits and - as in {}", "请用字母、数字和 -，如 {}"),
    ("is a header that is written anyway", "是本来就会写的请求头"),
    ("is a header that the gate writes itself", "是网关自己写的请求头"),
    ("is not a log filter", "不是日志过滤条件"),
    (
        "write error, warn, info, debug or trace, or a filter like info,tollgate=debug",
        "请写 error、warn、info、debug 或 trace，或形如 info,tollgate=debug 的条件",
    ),
    ("its name is not a header's", "名称不是请求头名称"),
    ("is not {}", "不是 {}"),
    ("is no {}", "不是 {}"),
    // Warnings.
    ("from is before the gate's first whole day: {}", "from 早于网关的第一个完整日：{}"),
    (
        "with first, whoever pays can claim his own payment for one other order if he is faster than its callback; write attach or source if you can",
        "使用 first 时，付款人若抢在回调之前，可把自己的付款冒充为另一个订单的；如有条件请写 attach 或 source",
    ),
    (
        "is longer than journal.keep.entries, with which bodies go at the latest",
        "长于 journal.keep.entries，正文最迟随之删除",
    ),
    (
        "all senders behind one proxy would be one, and none is told from a flood: {}",
        "同一代理后面的所有发送方会被当作一个，无法与洪水请求区分：如果前面是 nginx 或负载均衡，请在 forwarding.trusted_proxies 中写其地址，如 [127.0.0.1]；如果发送方直接访问网关，则无需处理",
    ),
    (
        "all senders behind one proxy would share {} callbacks a second: {}",
        "同一代理后面的所有发送方会共用每秒 {} 个回调：如果前面是 nginx 或负载均衡，请在 forwarding.trusted_proxies 中写其地址；如果发送方直接访问网关，则无需处理",
    ),
    (
        "is a single word, and other answers contain it: success is in unsuccessful and in {\"success\":false}; if the word is the whole answer, write body",
        "是单个词，其他应答也可能包含它：unsuccessful 和 {\"success\":false} 里都有 success；如果整个应答就是这个词，请写 body",
    ),
    (
        "asks nothing of the body: an answer whose return_code is FAIL counts as taken, and is not sent again; if the order system answers WeChat Pay's XML, add return_code: SUCCESS",
        "对正文没有要求：return_code 为 FAIL 的应答也算已接收，不会再投递；如果订单系统按微信支付的 XML 应答，请加上 return_code: SUCCESS",
    ),
    // What is left says itself what to write.
    ("write {}", "请写 {}"),
];

/// A text in Chinese; as it is, if it is not translated.
pub(super) fn in_chinese(text: &str) -> String {
    let found = TEXTS.iter().filter_map(|(english, chinese)| Some((english, values(english, text)?, *chinese)));
    let found = found.max_by_key(|(english, ..)| says(english));
    found.map_or_else(|| text.to_owned(), |(_, values, chinese)| filled(chinese, &values))
}

/// How much of a template is its own.
fn says(template: &str) -> usize {
    template.split("{}").map(str::len).sum()
}

/// What stands for each `{}` of a template in a text that it fits.
fn values<'t>(template: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut pieces = template.split("{}");
    let mut rest = text.strip_prefix(pieces.next()?)?;
    let mut values = Vec::new();
    let mut pieces = pieces.peekable();
    while let Some(piece) = pieces.next() {
        // The last one takes all that is left.
        let end = if pieces.peek().is_some() { rest.find(piece)? } else { rest.strip_suffix(piece)?.len() };
        let (value, behind) = rest.split_at_checked(end)?;
        values.push(value);
        rest = behind.get(piece.len()..)?;
    }
    (rest.is_empty() && values.iter().all(|value| !value.is_empty())).then_some(values)
}

/// As many values as it has blanks: a translation may say for itself what the rest is.
fn filled(template: &str, values: &[&str]) -> String {
    let mut pieces = template.split("{}");
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for (piece, value) in pieces.zip(values) {
        text.push_str(value);
        text.push_str(piece);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    #[test]
    fn a_template_fits_its_texts_only() {
        assert_eq!(values("is missing", "is missing"), Some(vec![]));
        assert_eq!(values("add {}", "add listen: 1"), Some(vec!["listen: 1"]));
        assert_eq!(values("is the same as {} ({})", "is the same as routes[0] (4:1)"), Some(vec!["routes[0]", "4:1"]));
        for (template, text) in [("is missing", "is missing."), ("add {}", "add "), ("{} is", "is"), ("a {} b", "a b")]
        {
            assert_eq!(values(template, text), None, "{template} {text}");
        }
    }

    #[test]
    fn every_translation_has_no_more_blanks_than_its_text_and_is_chinese() {
        let mut seen = BTreeSet::new();
        for (english, chinese) in TEXTS {
            assert!(chinese.matches("{}").count() <= english.matches("{}").count(), "{english}");
            assert!(chinese.chars().any(|c| c >= '\u{4E00}'), "{english}");
            assert!(seen.insert(english), "{english} stands there twice");
            let sample = english.replace("{}", "x");
            let fitting = TEXTS.iter().filter(|(template, _)| values(template, &sample).is_some());
            let best = fitting.max_by_key(|(template, _)| says(template));
            assert_eq!(best.map(|(template, _)| template), Some(english), "{english} is never reached");
        }
    }

    /// Those that were written with this page in mind all are, and of the others nearly all.
    #[test]
    fn what_is_wrong_with_a_file_is_told_in_chinese() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/rejected");
        let (mut all, mut english) = (0, Vec::new());
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "txt") {
                continue;
            }
            let is_ours = path.file_name().unwrap().to_str().unwrap().starts_with("written-");
            for line in fs::read_to_string(&path).unwrap().lines() {
                let text = line.splitn(4, ':').nth(3).unwrap().trim_start();
                let text = text.split_once(": ").filter(|(key, _)| !key.contains(' ')).map_or(text, |(_, text)| text);
                let what = text.split("; ").next().unwrap();
                all += 1;
                if in_chinese(what) == what {
                    assert!(!is_ours, "{what}");
                    english.push(what.to_owned());
                }
            }
        }
        assert!(english.len() * 10 < all, "{} of {all} are in English: {english:#?}", english.len());
    }
}
