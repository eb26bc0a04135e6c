//! The names of a route's claim fields, and what has to be kept clear of them: every place where a request can carry a
//! name asks here whether it is a claim field, or a second spelling of one.

use super::fold::{any_spelling, fold, is_plain, plain_name_folds_to};
use super::home::Home;
use super::ways::Ways;
use super::{Carrier, ClaimFields, Field, Place, Unreadable};
use std::borrow::Cow;

/// The claim fields of a route, each once.
#[derive(Debug, Clone)]
pub(super) struct Names {
    fields: Vec<Name>,
    /// Every folded name, and the names an id is found under wherever it stands, each with its field.
    folds: Vec<(String, usize)>,
    /// The folded names of an id in an object of its own, for nested copies in JSON that are refused everywhere.
    leaves: Vec<(String, usize)>,
    /// The objects on the way to nested fields: dotted path and folded path.
    parents: Vec<(String, String)>,
    /// The keys on the way to every field of a JSON document.
    ways: Ways,
    /// Whether the name of an id is refused wherever it stands in a JSON document.
    pub(super) everywhere: bool,
    /// Names of fields that are not claimed, and that no program is to find in the text of another.
    pub(super) vouched_for: &'static [&'static str],
    /// Bits of the folds' first bytes, to tell most other names apart at the first glance.
    first_bytes: u64,
}

/// One claim field.
#[derive(Debug, Clone)]
pub(super) struct Name {
    pub(super) field: Field,
    pub(super) home: Home,
    /// Fields that fold alike are one group, of which a callback may have one.
    pub(super) group: usize,
}

/// What a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hit {
    /// The claim field of this index.
    Field(usize),
    /// A spelling of the field of this index.
    Variant(usize),
    /// The field of this index or a spelling of it, where it does not belong.
    Elsewhere(usize),
}

/// What the key of a JSON object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// A claim field or a spelling of one.
    Claim(Hit),
    /// The object on the way to a claim field.
    Parent,
    /// Nothing of ours.
    Other,
}

impl Names {
    pub(super) fn new(fields: &ClaimFields) -> Self {
        let mut names = Self {
            fields: Vec::new(),
            folds: Vec::new(),
            leaves: Vec::new(),
            parents: Vec::new(),
            ways: Ways::default(),
            everywhere: fields.strictness.claim_everywhere,
            vouched_for: &[],
            first_bytes: 0,
        };
        for field in fields.all() {
            let is_id = *field == fields.order || fields.out_trade_no.as_ref() == Some(field);
            names.add(field, fields.carrier, is_id);
        }
        names.note_first_bytes();
        names
    }

    /// Keeps a parameter of the query clear of second occurrences and spellings, as claim fields are.
    pub(super) fn guard(&mut self, name: &str, carrier: Carrier) {
        let place = if carrier == Carrier::Query { Place::Carrier } else { Place::Query };
        self.add(&Field { place, name: name.to_owned() }, carrier, false);
        self.note_first_bytes();
    }

    /// These and one more, which may stand at its place once.
    pub(super) fn with(&self, field: &Field, carrier: Carrier) -> Self {
        let mut names = self.clone();
        names.add(field, carrier, false);
        names.note_first_bytes();
        names
    }

    fn note_first_bytes(&mut self) {
        let first = self.folds.iter().filter_map(|(name, _)| name.bytes().next());
        self.first_bytes = first.fold(0, |bits, byte| bits | bit(byte));
    }

    fn add(&mut self, field: &Field, carrier: Carrier, is_id: bool) {
        if self.index(field).is_some() {
            return;
        }
        let index = self.fields.len();
        let home = field.home(carrier);
        let folded = fold(&field.name);
        let is_key = carrier == Carrier::Json && home == Home::Body;
        // Two keys of one name under two parents are two fields.
        let alike = |name: &Name| fold(&name.field.name) == folded;
        let same = if is_key && !self.everywhere { self.fields.iter().position(alike) } else { self.folded(&folded) };
        let group = same.and_then(|same| self.get(same)).map_or(index, |same| same.group);
        let nested = is_key.then(|| field.name.rsplit_once('.')).flatten();
        if is_id {
            let leaf = nested.map_or_else(|| folded.clone(), |(_, leaf)| fold(leaf));
            self.folds.push((leaf.clone(), index));
            self.leaves.push((leaf, index));
        }
        if let Some((parents, _)) = nested {
            let ends = parents.match_indices('.').map(|(end, _)| end).chain([parents.len()]);
            self.parents.extend(ends.filter_map(|end| parents.get(..end)).map(|path| (path.to_owned(), fold(path))));
        }
        if carrier == Carrier::Json {
            self.ways.add(field, home, index);
        }
        self.folds.push((folded, index));
        self.fields.push(Name { field: field.clone(), home, group });
    }

    pub(super) fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &Name)> {
        self.fields.iter().enumerate()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Name> {
        self.fields.get(index)
    }

    /// The index of a field that was given to [`Names::new`].
    pub(super) fn index(&self, field: &Field) -> Option<usize> {
        self.fields.iter().position(|name| name.field == *field)
    }

    /// What `name` is in `home`, or in a place where no claim field stands. `text` decodes a name that is more than
    /// letters, digits, `_` and `-`; what it says is the name, however it was escaped.
    pub(super) fn find<'a>(
        &self,
        home: Option<Home>,
        name: &'a [u8],
        text: impl FnOnce(&'a [u8]) -> Result<Cow<'a, str>, Unreadable>,
    ) -> Result<Option<Hit>, Unreadable> {
        if name.iter().all(|byte| is_plain(*byte)) {
            return Ok(self.find_plain(name).map(|index| self.hit(home, name, index)));
        }
        let text = text(name)?;
        let mut occurrences = None;
        any_spelling("", &text, |folded| {
            occurrences = occurrences.or_else(|| self.folded(folded));
            occurrences.is_some()
        });
        Ok(occurrences.map(|index| self.hit(home, text.as_bytes(), index)))
    }

    /// What a spelling of a field is where it was found. The exact name of a field is a spelling of it too, unless
    /// nothing is left of it when it is folded.
    fn hit(&self, home: Option<Home>, name: &[u8], spelled: usize) -> Hit {
        let elsewhere = || if self.is_home(spelled, home) { Hit::Variant(spelled) } else { Hit::Elsewhere(spelled) };
        self.exact(home, name).map_or_else(elsewhere, Hit::Field)
    }

    fn is_home(&self, index: usize, home: Option<Home>) -> bool {
        self.get(index).is_some_and(|name| Some(name.home) == home)
    }

    /// What a key is in a JSON object. `parent` is the dotted path of the object, `path` that of the key, both `None`
    /// where no claim field can stand; `folded` is the folded path of the object, if names are refused everywhere.
    pub(super) fn find_key(&self, parent: Option<&str>, path: Option<&str>, folded: &str, key: &str) -> Key {
        if let Some(path) = path {
            if let Some(index) = self.exact(Some(Home::Body), path.as_bytes()) {
                return Key::Claim(Hit::Field(index));
            }
            if self.parents.iter().any(|(parent, _)| parent == path) {
                return Key::Parent;
            }
        }
        if let Some(index) = parent.and_then(|parent| self.ways.find(parent, key)) {
            let is_body = self.is_home(index, Some(Home::Body));
            return Key::Claim(if is_body { Hit::Variant(index) } else { Hit::Elsewhere(index) });
        }
        // A pattern for `"order_id":` finds the end of `"x\"order_id":` too. No other text in JSON has its quotes bare.
        let quoted = key.rsplit_once(['"', '\'', '\\']).map(|(_, quoted)| fold(quoted));
        let occurrences = quoted.and_then(|quoted| self.leaf_or_path(&quoted));
        let occurrences = occurrences.or_else(|| if self.everywhere { self.find_anywhere(folded, key) } else { None });
        occurrences.map_or(Key::Other, |index| Key::Claim(Hit::Elsewhere(index)))
    }

    /// The field that a key of any object has the name of: its leaf, or what the keys above it make of its path.
    fn find_anywhere(&self, folded: &str, key: &str) -> Option<usize> {
        let mut occurrences = None;
        any_spelling(folded, key, |folded| {
            occurrences = occurrences.or_else(|| self.folded(folded)).or_else(|| self.folded_parent(folded));
            occurrences.is_some()
        });
        any_spelling("", key, |folded| {
            occurrences = occurrences.or_else(|| index_of(&self.leaves, folded));
            occurrences.is_some()
        });
        occurrences
    }

    /// The field of the body whose tag, or a spelling of it, this one is.
    pub(super) fn find_tag(&self, tag: &str) -> Option<&Field> {
        let mut occurrences = None;
        any_spelling("", tag, |folded| {
            let mut same =
                self.folds.iter().filter(|(name, _)| name == folded).filter_map(|(_, index)| self.get(*index));
            occurrences = same.find(|name| name.home == Home::Body);
            occurrences.is_some()
        });
        occurrences.map(|name| &name.field)
    }

    /// Whether a header's name is that of a claim field or a spelling of it.
    pub(super) fn find_header(&self, header: &str) -> Option<Hit> {
        let folded = fold(header);
        let mut headers = self.iter().filter(|(_, name)| name.home == Home::Header);
        let (index, name) = headers.find(|(_, name)| fold(&name.field.name) == folded)?;
        Some(if name.field.name.eq_ignore_ascii_case(header) { Hit::Field(index) } else { Hit::Variant(index) })
    }

    fn exact(&self, home: Option<Home>, name: &[u8]) -> Option<usize> {
        self.fields.iter().position(|field| Some(field.home) == home && field.field.name.as_bytes() == name)
    }

    fn find_plain(&self, name: &[u8]) -> Option<usize> {
        let first = name.first()?;
        if first.is_ascii_alphanumeric() && self.first_bytes & bit(first.to_ascii_lowercase()) == 0 {
            return None;
        }
        self.folds.iter().find(|(folded, _)| plain_name_folds_to(name, folded)).map(|(_, index)| *index)
    }

    fn folded(&self, folded: &str) -> Option<usize> {
        index_of(&self.folds, folded)
    }

    /// The field whose folded name, or the last part of it, this is.
    fn leaf_or_path(&self, folded: &str) -> Option<usize> {
        let is_leaf = |name: &Name| name.field.name.rsplit('.').next().is_some_and(|leaf| fold(leaf) == folded);
        let in_body = |name: &Name| name.home == Home::Body && (fold(&name.field.name) == folded || is_leaf(name));
        self.fields.iter().position(in_body)
    }

    /// A field behind the parent of this folded path.
    fn folded_parent(&self, folded: &str) -> Option<usize> {
        let (path, _) = self.parents.iter().find(|(_, parent)| parent == folded)?;
        self.fields
            .iter()
            .position(|name| name.field.name.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('.')))
    }
}

fn index_of(folds: &[(String, usize)], folded: &str) -> Option<usize> {
    folds.iter().find(|(name, _)| name == folded).map(|(_, index)| *index)
}

fn bit(byte: u8) -> u64 {
    1 << (byte & 63)
}
