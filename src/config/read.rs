//! Reading a map key by key while every problem is noted, because an operator wants all of them, not only the first.
//!
//! What cannot be read is reported where it is found and then stands for itself as `None` or as its default; the
//! caller goes on, and the configuration is refused at the end if anything was reported.

use super::environment::{Environment, Reference};
use super::node::{Kind, Node, join};
use super::problem::{Place, Problem, Warning};
use super::value;
use crate::domain::secret::Secret;
use std::cell::RefCell;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The keys of one kind of map. The reader and the test of `docs/config.md` share it.
#[derive(Debug)]
pub(super) struct Section {
    /// As the page heads it: `routes[].accepted`.
    pub(super) name: &'static str,
    pub(super) keys: &'static [&'static str],
}

/// What becomes of `${NAME}` and `${file:PATH}` where a secret stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    /// They are read; one that is not there is a problem.
    Read,
    /// They are not touched, and a random placeholder takes their part: enough to check the rest.
    Unread,
}

/// What [`Value::material`] gives.
pub(super) enum Material {
    Text(Secret),
    /// A file that is not text.
    Binary,
    /// A reference that [`Secrets::Unread`] leaves alone, because what it names is not here.
    Unread,
}

/// What reading needs and gathers.
pub(super) struct Reader<'e> {
    environment: &'e dyn Environment,
    directory: PathBuf,
    secrets: Secrets,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<Warning>>,
    unread: RefCell<Vec<String>>,
}

/// What was noted while a file was read.
pub(super) struct Gathered {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
    /// The references that were left unread.
    pub(super) unread: Vec<String>,
}

/// A value of the file, with its path.
#[derive(Clone)]
pub(super) struct Value<'r> {
    reader: &'r Reader<'r>,
    node: &'r Node,
    path: String,
}

/// A map of known keys.
pub(super) struct Map<'r> {
    value: Value<'r>,
    section: &'static Section,
}

impl<'e> Reader<'e> {
    /// A reader for `file`, of which `problems` are known already.
    pub(super) fn new(environment: &'e dyn Environment, file: &Path, secrets: Secrets, problems: Vec<Problem>) -> Self {
        let directory = file.parent().unwrap_or(Path::new("")).to_path_buf();
        let problems = RefCell::new(problems);
        Self { environment, directory, secrets, problems, warnings: RefCell::default(), unread: RefCell::default() }
    }

    pub(super) fn root<'r>(&'r self, node: &'r Node) -> Value<'r> {
        Value { reader: self, node, path: String::new() }
    }

    /// What was gathered, in the file's order.
    pub(super) fn finish(self) -> Gathered {
        let (mut problems, mut warnings) = (self.problems.into_inner(), self.warnings.into_inner());
        problems.sort_by_key(|problem| problem.place);
        warnings.sort_by_key(|warning| warning.place);
        Gathered { problems, warnings, unread: self.unread.into_inner() }
    }

    fn note(&self, place: Place, key: &str, what: impl Into<String>, remedy: impl Into<String>) {
        let (what, remedy) = (what.into(), remedy.into());
        self.problems.borrow_mut().push(Problem { place: Some(place), key: key.to_owned(), what, remedy });
    }
}

impl<'r> Value<'r> {
    /// Reports a problem with this value.
    pub(super) fn problem(&self, what: impl Into<String>, remedy: impl Into<String>) {
        self.reader.note(self.node.place, &self.path, what, remedy);
    }

    /// Warns of this value: it is usable, and may not be meant.
    pub(super) fn warn(&self, text: impl Into<String>) {
        let (place, key, text) = (Some(self.node.place), self.path.clone(), text.into());
        self.reader.warnings.borrow_mut().push(Warning { place, key, text });
    }

    /// Reports what became wrong by the passing of time alone. A check refuses it; a gate that starts again only warns,
    /// because the calendar must not keep it down.
    pub(super) fn outdated(&self, what: &str, remedy: &str) {
        match self.reader.secrets {
            Secrets::Unread => self.problem(what, remedy),
            Secrets::Read => self.warn(format!("{what}; {remedy}")),
        }
    }

    /// Warns that `key` is left out here.
    pub(super) fn warn_of(&self, key: &str, text: impl Into<String>) {
        let warning = Warning { place: None, key: self.child(key), text: text.into() };
        self.reader.warnings.borrow_mut().push(warning);
    }

    pub(super) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn place(&self) -> Place {
        self.node.place
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.node.kind, Kind::Map(_))
    }

    pub(super) fn is_list(&self) -> bool {
        matches!(self.node.kind, Kind::List(_))
    }

    /// The scalar as it is written, nothing replaced.
    pub(super) fn written(&self) -> Option<&'r str> {
        match &self.node.kind {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// Whether it is written without quotes: `0` is a number then, and `"0"` a text.
    pub(super) fn is_plain(&self) -> bool {
        self.node.plain
    }

    /// The value of `key`, if this is a map that has it; nothing is reported.
    pub(super) fn peek(&self, key: &str) -> Option<Value<'r>> {
        let Kind::Map(entries) = &self.node.kind else { return None };
        let node = &entries.get(key)?.value;
        Some(Value { reader: self.reader, node, path: self.child(key) })
    }

    /// The keys of a map; nothing is reported.
    pub(super) fn peek_keys(&self) -> Vec<&'r str> {
        let Kind::Map(entries) = &self.node.kind else { return Vec::new() };
        entries.iter().map(|entry| &*entry.key).collect()
    }

    /// The items of a list; nothing is reported.
    pub(super) fn peek_items(&self) -> Vec<Value<'r>> {
        let Kind::List(_) = &self.node.kind else { return Vec::new() };
        self.list_or_empty().unwrap_or_default()
    }

    /// Whether `""` is written.
    pub(super) fn is_empty_text(&self) -> bool {
        self.written() == Some("")
    }

    /// A text that says something; `${NAME}` and `${file:PATH}` are replaced if they are all of it.
    pub(super) fn text(&self) -> Option<String> {
        let text = self.text_or_empty()?;
        if text.is_empty() {
            self.problem("is empty", "write a value, or remove the key");
            return None;
        }
        if self.written().is_some_and(|written| Reference::parse(written).is_none() && written.contains("${")) {
            self.problem("has ${...} as a part of it", "only a whole value is replaced: key: ${NAME}");
            return None;
        }
        if let Some(name) = self.written().and_then(other_reference) {
            self.problem("names a variable in another program's way", format!("write ${{{name}}}"));
            return None;
        }
        Some(text)
    }

    /// As [`Value::text`], but nothing is something too, and `${` may stand in it.
    pub(super) fn text_or_empty(&self) -> Option<String> {
        let written = self.scalar()?;
        match Reference::parse(written) {
            None => Some(written.to_owned()),
            Some(reference) => reference
                .and_then(|reference| reference.resolve(self.reader.environment, &self.reader.directory))
                .map_err(|(what, remedy)| self.problem(what, remedy))
                .ok(),
        }
    }

    /// A key or token. Under [`Secrets::Unread`] a reference becomes 32 random letters and digits.
    pub(super) fn secret(&self) -> Option<Secret> {
        if let (Secrets::Unread, Some(Ok(reference))) = (self.reader.secrets, Reference::parse(self.scalar()?)) {
            self.note_unread(reference);
            return Some(Secret::new(uuid::Uuid::now_v7().simple().to_string()));
        }
        self.text().map(Secret::new)
    }

    /// A key of an account, a certificate, or what belongs to one. Under [`Secrets::Unread`] a reference is read if what
    /// it names is there: most of what is wrong with keys can be told only of them.
    pub(super) fn material(&self) -> Option<Material> {
        if let Some(Ok(reference)) = Reference::parse(self.scalar()?) {
            let (environment, directory) = (self.reader.environment, self.directory());
            if reference.is_binary(environment, directory) {
                return Some(Material::Binary);
            }
            if self.reader.secrets == Secrets::Unread && reference.resolve(environment, directory).is_err() {
                self.note_unread(reference);
                return Some(Material::Unread);
            }
        }
        self.text().map(Secret::new).map(Material::Text)
    }

    /// The text, if it is there; nothing is reported.
    pub(super) fn peek_text(&self) -> Option<Secret> {
        let written = self.written()?;
        let text = match Reference::parse(written) {
            None => written.to_owned(),
            Some(reference) => reference.ok()?.resolve(self.reader.environment, self.directory()).ok()?,
        };
        Some(Secret::new(text))
    }

    fn note_unread(&self, reference: Reference<'_>) {
        let (reference, mut unread) = (reference.to_string(), self.reader.unread.borrow_mut());
        if !unread.contains(&reference) {
            unread.push(reference);
        }
    }

    /// Whether [`Value::secret`] gives a placeholder for this.
    pub(super) fn is_unread(&self) -> bool {
        self.reader.secrets == Secrets::Unread && matches!(self.written().map(Reference::parse), Some(Some(Ok(_))))
    }

    /// What `parse` makes of the text.
    pub(super) fn parse<T, E: Display>(
        &self,
        parse: impl FnOnce(&str) -> Result<T, E>,
        remedy: impl Into<String>,
    ) -> Option<T> {
        parse(&self.text()?).map_err(|error| self.problem(error.to_string(), remedy)).ok()
    }

    pub(super) fn duration(&self) -> Option<Duration> {
        self.parse(value::duration, "write a duration like 250ms, 2s, 5m, 24h or 7d")
    }

    pub(super) fn size(&self, range: RangeInclusive<u64>) -> Option<usize> {
        let bytes = self.parse(|text| value::size(text, range), "write a size like 512, 64KiB or 1MiB")?;
        usize::try_from(bytes).ok()
    }

    pub(super) fn number<N: TryFrom<u64>>(&self, range: RangeInclusive<u64>) -> Option<N> {
        let remedy = format!("write a whole number from {} to {}", range.start(), range.end());
        N::try_from(self.parse(|text| value::number(text, range), remedy)?).ok()
    }

    /// One of the words.
    pub(super) fn choice<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        let text = self.text()?;
        let found = words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| meaning.clone());
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.problem(format!("is not {}", known.join(" or ")), suggest(&text, &known, "write one of these"));
        }
        found
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.parse(
            |text| text.parse().map_err(|_| "is not an address with a port"),
            "write an IP address and a port like 127.0.0.1:8080 or [::1]:8080",
        )
    }

    /// A path; relative ones start at the config file's directory.
    pub(super) fn file_path(&self) -> Option<PathBuf> {
        self.text().map(|text| self.directory().join(text))
    }

    /// As [`Value::file_path`], and the file must be there and readable.
    pub(super) fn readable_file(&self) -> Option<PathBuf> {
        let path = self.file_path()?;
        if let Err(error) = self.reader.environment.readable(&path) {
            self.problem(format!("cannot be read ({})", error.kind()), "name a file that the gate may read");
        }
        Some(path)
    }

    /// The config file's directory.
    pub(super) fn directory(&self) -> &'r Path {
        &self.reader.directory
    }

    /// The items of a list with at least one.
    pub(super) fn list(&self) -> Option<Vec<Value<'r>>> {
        let items = self.list_or_empty()?;
        if items.is_empty() {
            self.problem("is an empty list", "write at least one item, or remove the key");
            return None;
        }
        Some(items)
    }

    pub(super) fn list_or_empty(&self) -> Option<Vec<Value<'r>>> {
        let Kind::List(items) = &self.node.kind else {
            self.problem("must be a list", "write [one, two], or one - item on a line each");
            return None;
        };
        let item = |(index, node)| Value { reader: self.reader, node, path: format!("{}[{index}]", self.path) };
        Some(items.iter().enumerate().map(item).collect())
    }

    /// The single value, or those of a list with at least one.
    pub(super) fn one_or_list(&self) -> Option<Vec<Value<'r>>> {
        if self.is_list() { self.list() } else { Some(vec![self.clone()]) }
    }

    /// The map, after every key that does not belong there was reported.
    pub(super) fn map(&self, section: &'static Section) -> Option<Map<'r>> {
        self.read_map(section, self.entries()?)
    }

    /// The map, as [`Self::map`] reads it; `remedy` says what to write where the value is no map.
    pub(super) fn map_or(&self, section: &'static Section, remedy: &str) -> Option<Map<'r>> {
        self.read_map(section, self.entries_or(remedy)?)
    }

    fn read_map(&self, section: &'static Section, entries: Vec<(&'r str, Place, Value<'r>)>) -> Option<Map<'r>> {
        for (key, place, _) in entries {
            if !section.keys.contains(&key) {
                self.unknown_key(key, place, section.keys);
            }
        }
        Some(Map { value: self.clone(), section })
    }

    /// The entries of a map whose keys are names: each with its place.
    pub(super) fn entries(&self) -> Option<Vec<(&'r str, Place, Value<'r>)>> {
        self.entries_or("write key: value, one on a line, or { key: value }")
    }

    /// The entries, as [`Self::entries`] reads them; `remedy` says what to write where the value is no map.
    pub(super) fn entries_or(&self, remedy: &str) -> Option<Vec<(&'r str, Place, Value<'r>)>> {
        let Kind::Map(entries) = &self.node.kind else {
            match self.node.kind {
                Kind::Null => self.problem("has nothing below it", "indent what belongs to it, or remove the key"),
                _ => self.problem("must be a map", remedy),
            }
            return None;
        };
        let entry = |entry: &'r super::node::Entry| {
            let value = Value { reader: self.reader, node: &entry.value, path: self.child(&entry.key) };
            (&*entry.key, entry.place, value)
        };
        Some(entries.iter().map(entry).collect())
    }

    fn scalar(&self) -> Option<&'r str> {
        match &self.node.kind {
            Kind::Scalar(text) => return Some(text),
            Kind::Null => self.problem("has no value", "write one, or remove the key"),
            Kind::List(_) | Kind::Map(_) => self.problem("must be a single value", "write key: value on one line"),
        }
        None
    }

    fn child(&self, key: &str) -> String {
        join(&self.path, key)
    }

    /// Reports it, unless it is a single value.
    pub(super) fn is_single_or(&self, remedy: &str) -> bool {
        let is_single = !matches!(self.node.kind, Kind::List(_) | Kind::Map(_));
        if !is_single {
            self.problem("must be a single value", remedy);
        }
        is_single
    }

    /// Repeats no key that might hold a secret: `key:0123...`, without a blank, is one long key.
    fn unknown_key(&self, key: &str, place: Place, known: &[&str]) {
        if key == "<<" {
            let (what, remedy) = ("is YAML's merge key (<<), which is not read", "write the keys out");
            return self.reader.note(place, &self.path, what, remedy);
        }
        let like_a_key = key.len() <= 24 && key.bytes().all(|byte| byte.is_ascii_alphabetic() || b"_-".contains(&byte));
        let path = if like_a_key { self.child(key) } else { self.path.clone() };
        self.reader.note(
            place,
            &path,
            "unknown key",
            suggest(key, known, &format!("known here: {}", known.join(", "))),
        );
    }
}

impl<'r> Map<'r> {
    /// The value of `key`, if it is there.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'r>> {
        debug_assert!(self.section.keys.contains(&key), "{key} is missing from the table of {}", self.section.name);
        self.value.peek(key)
    }

    /// What `read` makes of `key`, which must be there; `example` is the remedy if it is not.
    pub(super) fn required<T>(
        &self,
        key: &'static str,
        example: &str,
        read: impl FnOnce(&Value<'r>) -> Option<T>,
    ) -> Option<T> {
        let value = self.get(key);
        if value.is_none() {
            let path = self.value.child(key);
            self.value.reader.note(self.value.node.place, &path, "is missing", format!("add {example}"));
        }
        read(&value?)
    }

    /// What `read` makes of `key`, if it is there and readable.
    pub(super) fn optional<T>(&self, key: &'static str, read: impl FnOnce(&Value<'r>) -> Option<T>) -> Option<T> {
        read(&self.get(key)?)
    }

    /// What `read` makes of `key`, or its default.
    pub(super) fn or<T>(&self, key: &'static str, default: T, read: impl FnOnce(&Value<'r>) -> Option<T>) -> T {
        self.optional(key, read).unwrap_or(default)
    }

    /// The map itself, for problems that concern several of its keys.
    pub(super) fn value(&self) -> &Value<'r> {
        &self.value
    }
}

/// Whether `host` of a URL is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The variable that is meant by `$NAME`, `$(NAME)` or `%NAME%`. One that does not look like a variable's name is not
/// repeated: it may be a secret.
fn other_reference(text: &str) -> Option<&str> {
    let inner = match text.strip_prefix('$') {
        Some(name) => name.strip_prefix('(').and_then(|name| name.strip_suffix(')')).unwrap_or(name),
        None => text.strip_prefix('%')?.strip_suffix('%')?,
    };
    let is_name = inner.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let is_shown = inner.len() <= 24 || inner.contains('_') && inner.len() <= 64;
    let is_shown = is_shown && !inner.bytes().any(|byte| byte.is_ascii_lowercase());
    is_name.then_some(if is_shown { inner } else { "NAME" })
}

/// `did you mean form?` if one of the known words is near, `otherwise` if not.
pub(super) fn suggest(written: &str, known: &[&str], otherwise: &str) -> String {
    let distance = |word: &&str| strsim::osa_distance(&word.to_ascii_lowercase(), &written.to_ascii_lowercase());
    let lower = written.to_ascii_lowercase();
    let begins = |word: &&&str| {
        // A word with something behind it, or the beginning of one: `form#note`, `int`.
        let is_whole = |c: char| c.is_ascii_alphanumeric() || c == '_';
        word.len() > 2 && lower.strip_prefix(**word).is_some_and(|rest| !rest.starts_with(is_whole))
            || lower.len() > 2 && word.starts_with(&lower)
    };
    if let Some(word) = known.iter().find(begins) {
        return format!("did you mean {word}?");
    }
    match known.iter().copied().min_by_key(distance) {
        Some(near) if near.len() > 1 && distance(&near) <= 1 + near.len() / 4 => format!("did you mean {near}?"),
        _ => otherwise.to_owned(),
    }
}
