//! Characters that look like YAML's own and are not: full-width ones of a Chinese keyboard, curly quotes and dashes of
//! a word processor, blanks that are none. YAML takes them for letters, and says so lines later or not at all. They are
//! told at their own place, before the YAML is read; so are a tab that indents, and a key's colon with no blank behind
//! it.
//!
//! Comments, quoted text and block scalars may have any of them, and so may a plain value in Chinese.

use super::problem::{Place, Problem};

/// What was found, and the text as it was probably meant.
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    /// `None` where that is not known, because it is the indentation.
    pub(super) meant: Option<String>,
}

/// Looks through a text. `keys` are those behind whose colon there must be a blank.
pub(super) fn find(text: &str, keys: &[&[&str]]) -> Found {
    let mut scan = Scan { keys, ..Scan::default() };
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            scan.meant.push('\n');
        }
        scan.line(index + 1, line.strip_suffix('\r').unwrap_or(line));
    }
    Found { meant: (!scan.indents).then_some(scan.meant), problems: scan.problems }
}

/// What is known between lines.
#[derive(Default)]
struct Scan<'k> {
    keys: &'k [&'k [&'k str]],
    problems: Vec<Problem>,
    meant: String,
    /// Whether one of them stands in front of a line.
    indents: bool,
    /// The quotes around.
    quote: Option<char>,
    /// The brackets around.
    flow: Vec<char>,
    /// Lines with more blanks in front are text.
    block: Option<usize>,
    /// Lines with more blanks in front go on with a plain value.
    value: Option<usize>,
}

/// A plain scalar.
struct Token {
    from: usize,
    is_value: bool,
    suspects: Vec<Suspect>,
}

/// A character that may not be meant.
struct Suspect {
    at: usize,
    /// What it is; a line is told of each kind once.
    kind: &'static str,
    /// The character, if it can be seen, or its number.
    shown: String,
    /// What is meant instead.
    instead: &'static str,
    /// What to write; empty: what is meant instead.
    remedy: &'static str,
}

/// One line while it is read.
struct Line<'c> {
    number: usize,
    chars: &'c [char],
    at: usize,
    token: Option<Token>,
    /// Whether what comes is the value of a key, or goes on with one.
    is_value: bool,
    /// Where something stands first, list marks aside.
    content: Option<usize>,
    found: Vec<Suspect>,
}

impl Line<'_> {
    fn char(&self, at: usize) -> Option<char> {
        self.chars.get(at).copied()
    }

    fn is_blank(&self, at: usize) -> bool {
        self.char(at).is_none_or(|c| matches!(c, ' ' | '\t'))
    }

    /// Whether what is before it could end a word.
    fn begins(&self) -> bool {
        self.at == 0 || self.is_blank(self.at - 1)
    }

    fn column(&self) -> usize {
        self.content.unwrap_or(self.at)
    }
}

impl Scan<'_> {
    fn line(&mut self, number: usize, text: &str) {
        let chars: Vec<char> = text.chars().collect();
        let indent = chars.iter().take_while(|c| **c == ' ').count();
        let is_empty = indent == chars.len();
        if self.block.is_some_and(|parent| is_empty || indent > parent) || is_empty && self.quote.is_none() {
            return self.meant.push_str(text);
        }
        self.block = None;
        // Every further line of a plain value has more blanks in front than its key.
        let parent = self.value.take().filter(|parent| indent > *parent);
        let is_value = parent.is_some();
        let mut line = Line { number, chars: &chars, at: 0, token: None, is_value, content: None, found: Vec::new() };
        while line.at < chars.len() {
            if !self.step(&mut line) {
                break;
            }
        }
        if let Some(token) = line.token.take() {
            if token.is_value && self.flow.is_empty() {
                self.value = Some(parent.unwrap_or(line.column()));
            }
            self.end(token, &mut line);
        }
        self.report(line, text);
    }

    /// Goes on by a character or a piece; whether anything but a comment is left.
    fn step(&mut self, line: &mut Line<'_>) -> bool {
        let Some(c) = line.char(line.at) else { return false };
        if let Some(quote) = self.quote {
            self.quoted(quote, c, line);
        } else if c == '#' && line.begins() {
            return false;
        } else if line.token.is_some() {
            self.plain(c, line);
        } else {
            return self.between(c, line);
        }
        true
    }

    fn quoted(&mut self, quote: char, c: char, line: &mut Line<'_>) {
        if quote == '"' && c == '\\' {
            line.at += 1;
        } else if c == quote {
            self.quote = None;
        }
        line.at += 1;
    }

    /// Where a token may begin.
    fn between(&mut self, c: char, line: &mut Line<'_>) -> bool {
        let in_flow = !self.flow.is_empty();
        match c {
            ' ' => {}
            '\t' if line.content.is_none() && !in_flow => line.found.push(tab(line.at)),
            '\t' => {}
            '-' | '?' if line.is_blank(line.at + 1) && !in_flow => line.is_value = false,
            '–' | '—' | '−' if line.is_blank(line.at + 1) && !in_flow => line.found.push(Suspect {
                at: line.at,
                kind: "dash",
                shown: c.to_string(),
                instead: "-",
                remedy: "write -",
            }),
            '"' | '\'' => {
                line.content.get_or_insert(line.at);
                self.quote = Some(c);
            }
            '[' | '{' => {
                line.content.get_or_insert(line.at);
                line.is_value = false;
                self.flow.push(c);
            }
            ']' | '}' => drop(self.flow.pop()),
            ',' if in_flow => line.is_value = false,
            ':' if in_flow || line.is_blank(line.at + 1) => line.is_value = true,
            '|' | '>' if !in_flow && is_block_header(line) => {
                self.block = Some(line.content.unwrap_or_else(|| line.at.saturating_sub(2)));
                return false;
            }
            c if is_odd_blank(c) => line.found.extend(lookalike(c, line)),
            _ => {
                line.content.get_or_insert(line.at);
                let is_value = line.is_value || self.flow.last() == Some(&'[');
                line.token = Some(Token { from: line.at, is_value, suspects: Vec::new() });
                // It may be one of ours itself.
                return true;
            }
        }
        line.at += 1;
        true
    }

    /// In a plain scalar.
    fn plain(&mut self, c: char, line: &mut Line<'_>) {
        let in_flow = !self.flow.is_empty();
        let is_reference = c == '{' && line.at.checked_sub(1).and_then(|before| line.char(before)) == Some('$');
        if is_reference {
            let rest = line.chars.get(line.at..).unwrap_or_default();
            line.at += rest.iter().position(|c| *c == '}').map_or(1, |end| end + 1);
            return;
        }
        let ends_key =
            c == ':' && (line.is_blank(line.at + 1) || in_flow && line.char(line.at + 1).is_some_and(is_flow));
        if ends_key || in_flow && is_flow(c) {
            if let Some(token) = line.token.take() {
                self.end(token, line);
            }
            if ends_key {
                line.is_value = true;
                line.at += 1;
            }
            return;
        }
        let suspect = lookalike(c, line);
        if let Some(token) = &mut line.token {
            token.suspects.extend(suspect);
        }
        line.at += 1;
    }

    /// Takes over what is suspect in a token, unless it is text.
    fn end(&self, token: Token, line: &mut Line<'_>) {
        let chars = line.chars;
        let text = chars.get(token.from..line.at).unwrap_or_default();
        let is_quoted = text.first().is_some_and(|c| is_curly(*c));
        let is_text = token.is_value && !is_quoted && text.iter().any(|c| is_han(*c));
        // An apostrophe is none of ours inside a word.
        let counts = |suspect: &Suspect| is_quoted || !chars.get(suspect.at).is_some_and(|c| matches!(c, '‘' | '’'));
        if !is_text {
            line.found.extend(token.suspects.into_iter().filter(counts));
        }
        if !token.is_value {
            line.found.extend(self.other_spelling(token.from, text, line.char(line.at) == Some(':')));
        }
        let colon = text.iter().position(|c| *c == ':').filter(|_| !token.is_value);
        let Some((name, [_, behind, rest @ ..])) = colon.and_then(|colon| text.split_at_checked(colon)) else { return };
        let name: String = name.iter().collect();
        let is_url = *behind == '/' && rest.first() == Some(&'/');
        if !is_url && !is_odd_blank(*behind) && self.keys.iter().any(|keys| keys.contains(&name.as_str())) {
            let at = token.from + name.chars().count();
            let (kind, remedy) = ("no blank behind the colon", "write \"key: value\"");
            line.found.push(Suspect { at, kind, shown: String::new(), instead: ": ", remedy });
        }
    }

    /// `-name:`, and `listen = ...` as in other configuration files.
    fn other_spelling(&self, from: usize, text: &[char], is_key: bool) -> Option<Suspect> {
        let is_known = |name: &[char]| {
            let name: String = name.iter().collect();
            self.keys.iter().any(|keys| keys.contains(&name.trim_end()))
        };
        if let (true, ['-', name @ ..]) = (is_key, text) {
            let (kind, remedy) = ("no blank behind the dash", "write \"- key: value\"");
            let dash = Suspect { at: from, kind, shown: String::new(), instead: "- ", remedy };
            return is_known(name).then_some(dash);
        }
        let equals = text.iter().position(|c| *c == '=').filter(|_| !is_key)?;
        let at = from + equals;
        let (kind, remedy) = ("an equals sign", "write \"key: value\"");
        is_known(text.get(..equals)?).then_some(Suspect { at, kind, shown: String::new(), instead: ": ", remedy })
    }

    /// Notes what was found, each kind once, and writes down what was meant.
    fn report(&mut self, mut line: Line<'_>, text: &str) {
        if line.found.is_empty() {
            return self.meant.push_str(text);
        }
        line.found.sort_by_key(|suspect| suspect.at);
        let mut rest = line.found.iter().peekable();
        for (at, c) in line.chars.iter().enumerate() {
            match rest.next_if(|suspect| suspect.at == at) {
                Some(suspect) => self.meant.push_str(suspect.instead),
                None => self.meant.push(*c),
            }
        }
        let mut told: Vec<&'static str> = Vec::new();
        for suspect in &line.found {
            self.indents |= line.content.is_none_or(|content| suspect.at < content);
            if told.contains(&suspect.kind) {
                continue;
            }
            told.push(suspect.kind);
            self.problems.push(suspect.problem(line.number, &line.found));
        }
    }
}

impl Suspect {
    /// What is told of it. A word of full-width letters is told as one.
    fn problem(&self, number: usize, found: &[Self]) -> Problem {
        let word = found.iter().filter(|other| other.at >= self.at && other.kind == self.kind);
        let word = word
            .zip(self.at..)
            .take_while(|(other, at)| other.at == *at && self.kind == LETTER)
            .map(|(other, _)| other);
        let (mut shown, mut instead) = (String::new(), String::new());
        for other in word {
            shown.push_str(&other.shown);
            instead.push_str(other.instead);
        }
        let what = match (shown.is_empty(), self.shown.is_empty()) {
            (false, _) => format!("{} {shown}", self.kind),
            (true, false) => format!("{} {}", self.kind, self.shown),
            (true, true) => self.kind.to_owned(),
        };
        let remedy = if self.remedy.is_empty() { format!("write {instead}") } else { self.remedy.to_owned() };
        let place = Some(Place { line: number, column: self.at + 1 });
        Problem { place, key: String::new(), what, remedy }
    }
}

/// Letters, digits and marks that YAML has no other reading of.
const LETTER: &str = "full-width";

/// The ASCII characters from `!` on.
const ASCII: &str = "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~";

fn tab(at: usize) -> Suspect {
    Suspect { at, kind: "a tab in the indentation", shown: String::new(), instead: "  ", remedy: "write blanks" }
}

/// What a character is taken for by the eye.
fn lookalike(c: char, line: &Line<'_>) -> Option<Suspect> {
    let (kind, instead, remedy) = match c {
        '：' if line.is_blank(line.at + 1) || line.is_value => ("full-width colon", ":", "write \": \""),
        '：' => ("full-width colon", ": ", "write \": \""),
        '，' | '、' => ("full-width comma", ", ", "write \", \""),
        '“' | '”' => ("curly quote", "\"", "write the straight quote \""),
        '‘' | '’' => ("curly quote", "'", "write the straight quote '"),
        '【' => ("full-width bracket", "[", "write ["),
        '】' => ("full-width bracket", "]", "write ]"),
        '\u{3000}' => ("full-width space", " ", "write a plain space"),
        '\u{A0}' => ("no-break space", " ", "write a plain space"),
        '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}' => ("invisible character", "", "remove it"),
        '\u{FF01}'..='\u{FF5E}' => {
            let at = usize::try_from(u32::from(c) - 0xFF01).ok()?;
            (LETTER, ASCII.get(at..=at)?, "")
        }
        _ => return None,
    };
    let shown = if is_odd_blank(c) { format!("(U+{:04X})", u32::from(c)) } else { c.to_string() };
    Some(Suspect { at: line.at, kind, shown, instead, remedy })
}

fn is_odd_blank(c: char) -> bool {
    matches!(c, '\u{3000}' | '\u{A0}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{FEFF}')
}

fn is_flow(c: char) -> bool {
    matches!(c, ',' | '[' | ']' | '{' | '}')
}

fn is_curly(c: char) -> bool {
    matches!(c, '“' | '”' | '‘' | '’')
}

fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// `|`, `>-`, `|2` and so on, with nothing behind it but a comment.
fn is_block_header(line: &Line<'_>) -> bool {
    let rest: String = line.chars.get(line.at + 1..).unwrap_or_default().iter().collect();
    let rest = rest.trim_start_matches(|c: char| c == '+' || c == '-' || c.is_ascii_digit());
    let behind = rest.trim_start();
    behind.is_empty() || behind.starts_with('#') && behind.len() < rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEYS: &[&[&str]] = &[&["carrier", "order", "body", "name", "url"]];

    fn told(text: &str) -> Vec<String> {
        find(text, KEYS).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_is_told_where_it_stands() {
        for (text, wanted) in [
            ("routes:\n  - name: a\n    carrier：form", "3:12: full-width colon ：; write \": \""),
            ("carrier： form", "1:8: full-width colon ：; write \": \""),
            ("{ name: a，carrier: form }", "1:10: full-width comma ，; write \", \""),
            ("methods: [POST，GET]", "1:15: full-width comma ，; write \", \""),
            ("methods: [POST、GET]", "1:15: full-width comma 、; write \", \""),
            ("key: “${KEY}”", "1:6: curly quote “; write the straight quote \""),
            ("key: ‘${KEY}’", "1:6: curly quote ‘; write the straight quote '"),
            ("body: “成功”", "1:7: curly quote “; write the straight quote \""),
            ("a:\n\u{3000}\u{3000}b: 1", "2:1: full-width space (U+3000); write a plain space"),
            ("name:\u{3000}商店", "1:6: full-width space (U+3000); write a plain space"),
            ("name:\u{A0}shop", "1:6: no-break space (U+00A0); write a plain space"),
            ("name: shop\u{200B}", "1:11: invisible character (U+200B); remove it"),
            ("listen: 127.0.0.1:８０８０", "1:19: full-width ８０８０; write 8080"),
            ("listen: 127.0.0.1：8080", "1:18: full-width colon ：; write \": \""),
            ("name：商店", "1:5: full-width colon ：; write \": \""),
            ("a:\n\t- b: 1", "2:1: a tab in the indentation; write blanks"),
            ("– name: a", "1:1: dash –; write -"),
            ("body:/pay", "1:5: no blank behind the colon; write \"key: value\""),
            ("carrier:form", "1:8: no blank behind the colon; write \"key: value\""),
            ("  - name:商店", "1:9: no blank behind the colon; write \"key: value\""),
            ("{ carrier:form, order: id }", "1:10: no blank behind the colon; write \"key: value\""),
            ("routes:\n  -name: a\n   order: b", "2:3: no blank behind the dash; write \"- key: value\""),
            ("url = http://127.0.0.1", "1:5: an equals sign; write \"key: value\""),
            ("body=ok", "1:5: an equals sign; write \"key: value\""),
            ("x: 'it' ＃ note", "1:9: full-width ＃; write #"),
        ] {
            assert_eq!(told(text).first().map(String::as_str), Some(wanted), "{text}");
        }
    }

    #[test]
    fn text_may_have_them() {
        for text in [
            "# 注释：有，“引号”　",
            "a: 1  # 注释：好",
            "a: \"全角：，“”\u{3000}\"",
            "a: '全角：，''“”'",
            "a: \"第一行：\n  第二行，\\\"好\\\"：\"",
            "body: 失败，请重试：谢谢",
            "body: 第一行\n  第二行：继续，好",
            "body: 第一行\n  第二行，\n  第三行：好",
            "body: |\n  任何：，“”\n\n  \u{3000}还有\nname: a",
            "- body: >-  # 注释\n    任何：，\n  name: a",
            "body_contains: it’s ok",
            "url: http://127.0.0.1:5000",
            "- url://x",
            "url: localhost:80",
            "hosts: [localhost:80, name:80]",
            "name: a = b",
            "name: SELECT a\n  FROM t WHERE\n  order = 5",
            "url: http://127.0.0.1/?order=5",
            "- -order",
            "methods: [order=1]",
            "key: ${KEY}",
            "{ key: ${KEY}, order: id }",
            "{\n\t\"name\":\"a\",\n\t\"order\":\"b\"\n}",
            "a:\tb",
            "a: {b: [c, {d: e}], f: g}\nname: x",
        ] {
            assert_eq!(told(text), Vec::<String>::new(), "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_known_unless_it_is_the_indentation() {
        let meant = |text| find(text, KEYS).meant;
        for (text, wanted) in [
            ("carrier：form\r\n", "carrier: form\n"),
            ("carrier： form", "carrier: form"),
            ("methods: [POST，GET]", "methods: [POST, GET]"),
            ("key: “${KEY}”", "key: \"${KEY}\""),
            ("listen: 127.0.0.1：８０８０", "listen: 127.0.0.1:8080"),
            ("carrier:form", "carrier: form"),
            ("a: 1 # 注释：好", "a: 1 # 注释：好"),
        ] {
            assert_eq!(
                meant(text).as_deref().map(|text| text.trim_end_matches('\r')),
                Some(wanted.trim_end_matches('\r'))
            );
        }
        assert_eq!(meant("a:\n\u{3000}b: 1"), None);
        assert_eq!(meant("a:\n\tb: 1"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "([ -~]|[：，“”\u{3000}\u{A0}\t\n店]){0,80}") {
            let Found { problems, .. } = find(&text, KEYS);
            for problem in problems {
                let place = problem.place.unwrap();
                let line: Vec<char> = text.split('\n').nth(place.line - 1).unwrap().chars().collect();
                prop_assert!(line.len() >= place.column);
            }
        }

        #[test]
        fn plain_letters_in_plain_yaml_are_never_told(text in "[a-z]{1,6}: [ -~&&[^:]]{0,20}\n[a-z]{1,6}: x\n") {
            let told = told(&text);
            prop_assert!(told.iter().all(|line| line.contains("no blank")), "{told:?}");
        }
    }
}
