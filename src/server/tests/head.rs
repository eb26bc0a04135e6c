use super::*;

const BOUNDS: Bounds = Bounds { head: 1024, fields: 8 };

fn read(head: &[u8]) -> Progress {
    Inspector::default().inspect(head, BOUNDS)
}

fn refused(head: &[u8]) -> Reason {
    match read(head) {
        Progress::Unusable(refusal) => refusal.reason,
        other => panic!("{:?} gave {other:?}", head.escape_ascii().to_string()),
    }
}

fn whole(head: &[u8]) -> Head {
    match read(head) {
        Progress::Whole(head) => head,
        other => panic!("{:?} gave {other:?}", head.escape_ascii().to_string()),
    }
}

fn with_field(field: &[u8]) -> Vec<u8> {
    [b"POST /pay HTTP/1.1\r\nHost: shop\r\n", field, b"\r\n\r\n"].concat()
}

#[test]
fn a_plain_callback_is_clean() {
    let head = b"POST /pay/success?a=b HTTP/1.1\r\nHost: pay.example.com:8080\r\nContent-Length: 12\r\nX-Note: \xe4\xbd\xa0\t.\r\n\r\n";
    assert_eq!(whole(head), Head { len: head.len(), framing: Framing::Length(12), last: false });
    let more = [&head[..], b"OrderID=1234GET / HTTP/1.1\n"].concat();
    assert_eq!(whole(&more), whole(head));
}

#[test]
fn a_head_in_pieces_reads_as_one_in_one_piece() {
    let head = b"\r\nPOST /pay HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: Chunked\r\n\r\n";
    let mut inspector = Inspector::default();
    for len in 1..head.len() {
        assert!(matches!(inspector.inspect(&head[..len], BOUNDS), Progress::Partial), "after {len} bytes");
    }
    let Progress::Whole(pieced) = inspector.inspect(head, BOUNDS) else { panic!("not whole") };
    assert_eq!(pieced, whole(head));
    assert_eq!(pieced, Head { len: head.len(), framing: Framing::Chunked, last: true });
}

#[test]
fn what_the_connection_field_says_is_heard() {
    for (line, last) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n", false),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\n", true),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n", true),
        ("GET / HTTP/1.0\r\n", true),
        ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n", false),
        ("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n", true),
    ] {
        assert_eq!(whole(format!("{line}\r\n").as_bytes()).last, last, "{line:?}");
    }
}

#[test]
fn content_length_has_one_spelling() {
    for (value, length) in [("0", 0), ("3", 3), (" 3\t", 3), ("999999999999999999", 999_999_999_999_999_999)] {
        let head = with_field(format!("Content-Length:{value}").as_bytes());
        assert_eq!(whole(&head).framing, Framing::Length(length), "{value:?}");
    }
    let spellings: [&[u8]; 19] = [
        b"",
        b" ",
        b"+3",
        b"-3",
        b"0x3",
        b"03",
        b"003",
        b"00",
        b"3,3",
        b"3, 3",
        b"3;",
        b"3 3",
        b"3.0",
        b"1e1",
        b"\"3\"",
        b"3\x0b",
        b"\xd9\xa3",
        b"18446744073709551619",
        b"1000000000000000000",
    ];
    for value in spellings {
        assert_eq!(refused(&with_field(&[b"Content-Length: ", value].concat())), Reason::RequestMalformed);
    }
    for second in ["Content-Length: 3", "content-LENGTH: 4"] {
        let twice = with_field(format!("Content-Length: 3\r\n{second}").as_bytes());
        assert_eq!(refused(&twice), Reason::RequestMalformed, "{second}");
    }
}

#[test]
fn transfer_encoding_is_exactly_one_chunked() {
    for value in ["chunked", " CHUNKED\t"] {
        let head = with_field(format!("Transfer-Encoding:{value}").as_bytes());
        assert_eq!(whole(&head).framing, Framing::Chunked, "{value:?}");
    }
    let spellings: [&[u8]; 17] = [
        b"",
        b"gzip, chunked",
        b"chunked, gzip",
        b",chunked",
        b"chunked,",
        b"identity",
        b"xchunked",
        b"chunked;q=1",
        b"\"chunked\"",
        b"\x0bchunked",
        b"chunked\x0c",
        b"\r\n chunked",
        b"chunked\r\nTransfer-Encoding: chunked",
        b"chunked\r\nTransfer-Encoding: identity",
        b"identity\r\nTransfer-Encoding: chunked",
        b"chun ked",
        b"chunked\0",
    ];
    for value in spellings {
        assert_eq!(refused(&with_field(&[b"Transfer-Encoding: ", value].concat())), Reason::RequestMalformed);
    }
    let old = b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(refused(old), Reason::RequestMalformed);
}

#[test]
fn two_kinds_of_framing_are_refused_in_either_order() {
    let (length, chunked) = ("Content-Length: 0", "Transfer-Encoding: chunked");
    for fields in [format!("{length}\r\n{chunked}"), format!("{chunked}\r\n{length}")] {
        assert_eq!(refused(&with_field(fields.as_bytes())), Reason::RequestMalformed, "{fields}");
    }
}

#[test]
fn there_is_one_host_and_it_is_one() {
    for host in ["a", "pay.example.com", "1.2.3.4:80", "[::1]", "[::1]:8080", "xn--fiq228c.example", "a_b"] {
        whole(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
    }
    for host in [
        "", " ", "a:", "a b", "a/b", "a@b", "a:b", "a:65536", "a:1:2", "[::1", "[::1]x", "[a]", "a,b", "a\\b", "a?b",
        "\u{e4}",
    ] {
        let head = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        assert_eq!(refused(head.as_bytes()), Reason::RequestMalformed, "{host:?}");
    }
    assert_eq!(refused(b"GET / HTTP/1.1\r\nA: b\r\n\r\n"), Reason::RequestMalformed);
    assert_eq!(refused(b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), Reason::RequestMalformed);
    assert_eq!(refused(b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), Reason::RequestMalformed);
    whole(b"GET / HTTP/1.0\r\n\r\n");
}

#[test]
fn lines_end_with_cr_lf_and_fields_are_plain() {
    let heads: [&[u8]; 20] = [
        b"GET / HTTP/1.1\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"GET / HTTP/1.1\rHost: a\r\r",
        b"GET / HTTP/1.1\r\nHost: a\rX: y",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n\tb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX\x00: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX\xe4: b\r\n\r\n",
        b"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    for head in heads {
        assert_eq!(refused(head), Reason::RequestMalformed, "{}", head.escape_ascii());
    }
}

#[test]
fn the_request_line_is_three_words() {
    let lines: [&[u8]; 24] = [
        b"GET /",
        b"GET / ",
        b"GET  / HTTP/1.1",
        b"GET /  HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1",
        b"GET\t/ HTTP/1.1",
        b"GET / a HTTP/1.1",
        b" / HTTP/1.1",
        b"G@T / HTTP/1.1",
        b"GET / HTTP/1.2",
        b"GET / HTTP/1.9",
        b"GET / HTTP/2.0",
        b"GET / http/1.1",
        b"GET / HTTP/01.1",
        b"GET / HTTP/1.1.1",
        b"GET / HTTP/0.9",
        b"PRI * HTTP/2.0",
        b"GET /\xe4\xbd\xa0 HTTP/1.1",
        b"GET /\x00 HTTP/1.1",
        b"GET /a?b#c HTTP/1.1",
        b"GET /# HTTP/1.1",
        b"GET http:// HTTP/1.1",
        b"GET <> HTTP/1.1",
    ];
    for line in lines {
        assert_eq!(
            refused(&[line, b"\r\nHost: a\r\n\r\n"].concat()),
            Reason::RequestMalformed,
            "{}",
            line.escape_ascii()
        );
    }
    for target in ["*", "/a|b?c={d}", "http://a/b", "/%2e%2e//;x", "//"] {
        whole(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
    }
    assert_eq!(refused(b"\x16\x03\x01\x02\x00\x01\x00"), Reason::RequestMalformed);
}

#[test]
fn names_are_made_of_token_characters_only() {
    for byte in 0..=u8::MAX {
        let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert_eq!(is_token(&[b'X', byte]), token, "{}", byte.escape_ascii());
        // Whatever this takes must be a URI to hyper as well.
        let target = [b'/', byte];
        assert!(!is_uri(&target) || Uri::try_from(&target[..]).is_ok(), "{}", byte.escape_ascii());
    }
}

#[test]
fn a_connect_is_no_method_here() {
    let Progress::Unusable(refusal) = read(b"CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n") else { panic!() };
    assert_eq!((refusal.reason, refusal.method), (Reason::MethodNotAllowed, Method::CONNECT));
    assert_eq!(refusal.uri, "db:5432");
}

#[test]
fn a_refusal_keeps_a_clean_request_line() {
    let Progress::Unusable(refusal) = read(b"\r\nHEAD /pay?x=1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n") else {
        panic!()
    };
    assert_eq!((refusal.reason, refusal.method), (Reason::RequestMalformed, Method::HEAD));
    assert_eq!(refusal.uri, "/pay?x=1");
    let Progress::Unusable(refusal) = read(b"POST /pay HTTP/3.1\r\n\r\n") else { panic!() };
    assert_eq!((refusal.method, refusal.uri), (Method::GET, Uri::from_static("/")));
}

#[test]
fn sizes_are_limits_and_not_more() {
    let head = |value: usize| format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(value));
    let fitting = BOUNDS.head - head(0).len();
    assert_eq!(whole(head(fitting).as_bytes()).len, BOUNDS.head);
    assert_eq!(refused(head(fitting + 1).as_bytes()), Reason::HeadTooLarge);
    assert_eq!(refused(&head(9999).as_bytes()[..BOUNDS.head + 1]), Reason::HeadTooLarge);

    let target = |length: usize| format!("GET /{}?q=1 HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(length - 5));
    whole(target(BOUNDS.target()).as_bytes());
    assert_eq!(refused(target(BOUNDS.target() + 1).as_bytes()), Reason::TargetTooLong);
    assert_eq!(refused(&target(9999).as_bytes()[..700]), Reason::TargetTooLong);
    assert_eq!(refused(target(9999).as_bytes()), Reason::TargetTooLong);

    let fields = |count: usize| format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(count - 1));
    whole(fields(BOUNDS.fields).as_bytes());
    assert_eq!(refused(fields(BOUNDS.fields + 1).as_bytes()), Reason::HeadTooLarge);
}

#[test]
fn a_long_target_is_refused_with_its_path() {
    let head = format!("POST /pay?{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(600));
    let Progress::Unusable(refusal) = read(head.as_bytes()) else { panic!("taken") };
    assert_eq!(
        (refusal.reason, refusal.method, refusal.uri),
        (Reason::TargetTooLong, Method::POST, Uri::from_static("/pay"))
    );
}

proptest::proptest! {
    #[test]
    fn noise_reads_the_same_in_pieces_and_whole(noise in "[ -~\r\n\t\0]{0,40}", at in 0usize..90) {
        let clean = b"POST /pay HTTP/1.1\r\nHost: shop\r\nContent-Length: 3\r\nX-Other: something or other\r\n\r\n";
        let at = at.min(clean.len());
        let head = [&clean[..at], noise.as_bytes(), &clean[at..]].concat();
        // Pieces and whole agree, whatever stands there.
        let mut inspector = Inspector::default();
        let mut pieced = Progress::Partial;
        for len in 1..=head.len() {
            pieced = inspector.inspect(&head[..len], BOUNDS);
            if !matches!(pieced, Progress::Partial) {
                break;
            }
        }
        match (read(&head), pieced) {
            (Progress::Whole(a), Progress::Whole(b)) => proptest::prop_assert_eq!(a, b),
            (Progress::Unusable(_), Progress::Unusable(_)) | (Progress::Partial, Progress::Partial) => {}
            (a, b) => proptest::prop_assert!(false, "{:?} and {:?}", a, b),
        }
    }
}
