//! The YAML text as a tree in which every key and value knows its place, and every scalar is still the characters that
//! were written: `0123456789` is ten of them, and no reader has made a number of it yet.

use super::problem::{Place, Problem};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput};
use std::borrow::Cow;
use std::collections::HashMap;

/// A value and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
    /// Whether a scalar is written without quotes.
    pub(super) plain: bool,
}

/// The three shapes of YAML.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar(String),
    /// Nothing after the colon, `~` or `null`.
    Null,
    List(Vec<Node>),
    Map(Entries),
}

/// The entries of a map, in the file's order; names are unique.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    list: Vec<Entry>,
    /// Where each is in the list, if they are more than [`FEW`]: thousands of channels are looked up one by one.
    by_name: HashMap<String, usize>,
}

/// One `key: value`.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) place: Place,
    pub(super) value: Node,
}

/// Beyond it, it is another file: with 20,000 channels a configuration has some 6 MiB.
const MAX_BYTES: usize = 16 << 20;
/// Keys and values that are written out: those of 20,000 channels are half as many.
const MAX_VALUES: usize = 1_000_000;
/// What aliases stand for and anchors keep for them, so that a few lines cannot become millions of values.
const MAX_REPEATED: usize = 50_000;
/// Nesting of the schema is below ten.
const MAX_DEPTH: usize = 32;
/// Entries that are looked up by comparing names.
const FEW: usize = 32;

/// Stand for the braces of a `${NAME}` while the YAML is read: `{ key: ${NAME} }` is how people write it, and YAML
/// allows no brace in a plain scalar there. One character for one, so that columns stay right.
const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';

/// What is wrong with a text that is too large to be looked at.
pub(super) fn too_large(text: &str) -> Option<Problem> {
    let start = Place { line: 1, column: 1 };
    (text.len() > MAX_BYTES).then(|| problem(start, "is larger than 16 MiB", "name the configuration file"))
}

/// Reads the one document of `text`, which is not [`too_large`].
///
/// The tree comes with what is wrong with it and lets the rest be read, as a key that stands twice; there is none from
/// where the text stops being YAML.
pub(super) fn parse(text: &str) -> (Option<Node>, Vec<Problem>) {
    if let Some(place) = place_of(text, [OPEN, CLOSE]) {
        return (None, vec![problem(place, "has the private character U+E000 or U+E001", "remove it")]);
    }
    let masked = mask(text);
    let mut tree = Tree {
        parser: Parser::new_from_str(&masked),
        path: Vec::new(),
        anchors: HashMap::new(),
        values: 0,
        repeated: 0,
        faults: Vec::new(),
    };
    let root = tree.document().map_err(|stop| tree.faults.push(stop)).ok();
    (root, tree.faults)
}

/// The path of `key` below `path`. A key is repeated only if it looks like one: it may be a secret in the wrong place.
pub(super) fn join(path: &str, key: &str) -> String {
    let like_a_name =
        key.len() <= 64 && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./".contains(&byte));
    let key = if like_a_name { key } else { "?" };
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn problem(place: Place, what: &str, remedy: &str) -> Problem {
    Problem { place: Some(place), key: String::new(), what: what.to_owned(), remedy: remedy.to_owned() }
}

fn place_of(text: &str, wanted: [char; 2]) -> Option<Place> {
    text.lines().enumerate().find_map(|(line, content)| {
        let column = content.chars().position(|c| wanted.contains(&c))?;
        Some(Place { line: line + 1, column: column + 1 })
    })
}

/// Replaces the braces of every `${...}` on one line without blanks, quotes or further brackets.
fn mask(text: &str) -> Cow<'_, str> {
    if !text.contains("${") {
        return Cow::Borrowed(text);
    }
    let mut masked = String::with_capacity(text.len() + 64);
    let mut pieces = text.split("${");
    masked.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        match piece.split_once('}') {
            Some((name, rest)) if !name.contains(|c: char| c.is_whitespace() || "\"'{[],".contains(c)) => {
                masked.extend(['$', OPEN]);
                masked.push_str(name);
                masked.push(CLOSE);
                masked.push_str(rest);
            }
            _ => {
                masked.push_str("${");
                masked.push_str(piece);
            }
        }
    }
    Cow::Owned(masked)
}

fn unmask(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c == OPEN {
                '{'
            } else if c == CLOSE {
                '}'
            } else {
                c
            }
        })
        .collect()
}

struct Tree<'t> {
    parser: Parser<'t, StrInput<'t>>,
    /// Of the maps and lists around the value being read.
    path: Vec<String>,
    anchors: HashMap<usize, Node>,
    values: usize,
    repeated: usize,
    faults: Vec<Problem>,
}

impl<'t> Tree<'t> {
    fn document(&mut self) -> Result<Node, Problem> {
        loop {
            match self.next()? {
                (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing, _) => {}
                (Event::StreamEnd, span) => {
                    return Err(problem(place(span.start), "is empty", "start from the shipped config.yaml"));
                }
                (event, span) => {
                    let root = self.node(event, span)?;
                    self.end()?;
                    return Ok(root);
                }
            }
        }
    }

    fn end(&mut self) -> Result<(), Problem> {
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(()),
                (Event::DocumentStart(_), span) => {
                    let remedy = "keep one configuration in a file, without a second ---";
                    return Err(problem(place(span.start), "starts a second document", remedy));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(not_yaml(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span) -> Result<Node, Problem> {
        let place = place(span.start);
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(problem(place, "has more than 1,000,000 keys and values", "name the configuration file"));
        }
        if self.path.len() > MAX_DEPTH {
            return Err(problem(place, "is nested too deeply", "no key needs more than a few levels"));
        }
        let (anchor, tag) = match &event {
            Event::Scalar(_, _, anchor, tag) | Event::SequenceStart(anchor, tag) | Event::MappingStart(anchor, tag) => {
                (*anchor, tag.is_some())
            }
            _ => (0, false),
        };
        if tag {
            self.fault(place, "has a YAML tag (!)".to_owned(), "remove the tag, or quote the value");
        }
        let plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
        let kind = match event {
            Event::Scalar(text, ScalarStyle::Plain, ..) if matches!(&*text, "" | "~" | "null") => Kind::Null,
            Event::Scalar(text, ..) => Kind::Scalar(unmask(&text)),
            Event::SequenceStart(..) => Kind::List(self.list()?),
            Event::MappingStart(..) => Kind::Map(self.map()?),
            Event::Alias(of) => return self.alias(of, place),
            _ => return Err(problem(place, "is not understood", "write plain YAML")),
        };
        let node = Node { place, kind, plain };
        if anchor != 0 {
            self.repeat(&node, place)?;
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Vec<Node>, Problem> {
        let around = self.path.last().cloned().unwrap_or_default();
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.below(format!("{around}[{}]", items.len()), event, span)?),
            }
        }
    }

    fn map(&mut self) -> Result<Entries, Problem> {
        let around = self.path.last().cloned().unwrap_or_default();
        let mut entries = Entries::default();
        loop {
            let (event, span) = self.next()?;
            let place = place(span.start);
            let key = match event {
                Event::MappingEnd => return Ok(entries),
                event => self.below(around.clone(), event, span)?,
            };
            let (event, span) = self.next()?;
            let Kind::Scalar(key) = key.kind else {
                self.below(around.clone(), event, span)?;
                self.fault(place, "has a key that is no name".to_owned(), "write key: value");
                continue;
            };
            let path = join(&around, &key);
            let value = self.below(path.clone(), event, span)?;
            match entries.get(&key) {
                Some(first) => {
                    let what = format!("stands at {} already", first.place);
                    self.path.push(path);
                    self.fault(place, what, "keep one of the two");
                    self.path.pop();
                }
                None => entries.push(Entry { key, place, value }),
            }
        }
    }

    /// The node at `path`.
    fn below(&mut self, path: String, event: Event<'t>, span: Span) -> Result<Node, Problem> {
        self.path.push(path);
        let node = self.node(event, span);
        self.path.pop();
        node
    }

    /// Notes what is wrong at the current path and does not keep the rest from being read.
    fn fault(&mut self, place: Place, what: String, remedy: &str) {
        let key = self.path.last().cloned().unwrap_or_default();
        self.faults.push(Problem { place: Some(place), key, what, remedy: remedy.to_owned() });
    }

    fn alias(&mut self, of: usize, place: Place) -> Result<Node, Problem> {
        let Some(node) = self.anchors.get(&of) else {
            return Err(problem(place, "refers to itself", "write the value out"));
        };
        if self.path.len() + node.depth() > MAX_DEPTH {
            return Err(problem(place, "is nested too deeply", "write the value out"));
        }
        let node = node.clone();
        self.repeat(&node, place)?;
        Ok(node)
    }

    fn repeat(&mut self, node: &Node, place: Place) -> Result<(), Problem> {
        self.repeated += node.nodes();
        if self.repeated > MAX_REPEATED {
            return Err(problem(place, "repeats too many values", "write fewer YAML aliases (*) and anchors (&)"));
        }
        Ok(())
    }
}

impl Entries {
    /// The entry of this name.
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        if self.list.len() <= FEW {
            return self.list.iter().find(|entry| entry.key == key);
        }
        self.list.get(*self.by_name.get(key)?)
    }

    /// All of them, in the file's order.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.list.iter()
    }

    fn push(&mut self, entry: Entry) {
        self.list.push(entry);
        if self.list.len() <= FEW {
            return;
        }
        let known = self.by_name.len();
        let new = self.list.iter().enumerate().skip(known);
        self.by_name.extend(new.map(|(at, entry)| (entry.key.clone(), at)));
    }
}

impl Node {
    fn nodes(&self) -> usize {
        1 + self.children().map(Self::nodes).sum::<usize>()
    }

    fn depth(&self) -> usize {
        1 + self.children().map(Self::depth).max().unwrap_or(0)
    }

    fn children(&self) -> Box<dyn Iterator<Item = &Self> + '_> {
        match &self.kind {
            Kind::Scalar(_) | Kind::Null => Box::new(std::iter::empty()),
            Kind::List(items) => Box::new(items.iter()),
            Kind::Map(entries) => Box::new(entries.iter().map(|entry| &entry.value)),
        }
    }
}

fn place(marker: Marker) -> Place {
    Place { line: marker.line(), column: marker.col() + 1 }
}

fn not_yaml(error: &ScanError) -> Problem {
    let what = format!("is not YAML: {}", error.info());
    problem(place(*error.marker()), &what, "check indentation, quotes and brackets there")
}
