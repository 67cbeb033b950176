//! One column of the catalogue: its type, how a document keeps it, how conflicts resolve, what it must look like.
//!
//! Fields are written as constants by the table files, through the builder below.

use super::FacetId;
use crate::value::Column;

/// How a field is kept inside a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One scalar.
    Register,
    /// Characters that merge.
    Text,
    /// Add-wins set of texts or ids.
    Set,
    /// Nested map merged by key.
    Json,
    /// Owned by the server; never inside a document.
    Derived,
}

/// What happens when two people changed the field without seeing each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The greatest clamped capture time, then the greatest hash; the other value stays in the history.
    Latest,
    /// Both are kept and shown as disputed, an item opens; canonical carries the latest meanwhile.
    Guarded,
    /// The value furthest along this order wins, whatever the clocks say.
    StateMachine(&'static [&'static str]),
    /// Everything that was added stays.
    Union,
    /// Decided by the server.
    Server,
}

/// What a text must look like beyond its length (4-rules 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Anything.
    Plain,
    /// One of these values (the seed's CHECK).
    OneOf(&'static [&'static str]),
    /// CPF, check digits verified.
    Cpf,
    /// CNS, check digits verified.
    Cns,
    /// CNPJ, check digits verified.
    Cnpj,
}

/// Value of a field nobody filled in at creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Null (or the empty text, set or object).
    Null,
    /// A text.
    Text(&'static str),
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// The capture time of the creating edit.
    CapturedAt,
    /// An empty list or object, where the column is NOT NULL.
    Empty,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Column name.
    pub name: &'static str,
    /// Column type.
    pub column: Column,
    /// How a document keeps it.
    pub kind: Kind,
    /// How conflicts resolve.
    pub rule: Rule,
    /// The facet it belongs to (meaningless for derived fields).
    pub facet: FacetId,
    /// Set at creation, never editable.
    pub fixed: bool,
    /// A record without it is not accepted; the column is NOT NULL.
    pub required: bool,
    /// Encrypted at rest on the server; see [`super::Table::seals`].
    pub sealed: bool,
    /// Sealed, and still found by equality: the server keeps a keyed index of it in a column beside it.
    pub indexed: bool,
    /// It names files: each text that is a content address is one.
    pub blob: bool,
    /// Table whose record this id names.
    pub references: Option<&'static str>,
    /// Registry of the server's that the text is a code of. Laws add to it faster than the catalogue is released, so only
    /// the server knows what is in it.
    pub registry: Option<&'static str>,
    /// Shape of the text.
    pub format: Format,
    /// Value when none was given.
    pub default: Default,
    /// What the field is, for the data dictionary.
    pub about: &'static str,
}

impl Field {
    /// A scalar that follows `latest`.
    #[must_use]
    pub const fn register(name: &'static str, column: Column) -> Self {
        Self {
            name,
            column,
            kind: Kind::Register,
            rule: Rule::Latest,
            facet: FacetId(0),
            fixed: false,
            required: false,
            sealed: false,
            indexed: false,
            blob: false,
            references: None,
            registry: None,
            format: Format::Plain,
            default: Default::Null,
            about: "",
        }
    }
    /// The field names files by their content addresses.
    #[must_use]
    pub const fn blob(mut self) -> Self {
        self.blob = true;
        self
    }
    /// A register holding a text.
    #[must_use]
    pub const fn text(name: &'static str) -> Self {
        Self::register(name, Column::Text)
    }
    /// Text that merges by character.
    #[must_use]
    pub const fn long_text(name: &'static str) -> Self {
        let mut field = Self::register(name, Column::Text);
        field.kind = Kind::Text;
        field.rule = Rule::Union;
        field
    }
    /// Add-wins set of texts.
    #[must_use]
    pub const fn set(name: &'static str) -> Self {
        let mut field = Self::register(name, Column::TextArray);
        field.kind = Kind::Set;
        field.rule = Rule::Union;
        field
    }
    /// Map merged by key.
    #[must_use]
    pub const fn json(name: &'static str) -> Self {
        let mut field = Self::register(name, Column::Json);
        field.kind = Kind::Json;
        field
    }
    /// One of a closed list of texts.
    #[must_use]
    pub const fn choice(name: &'static str, values: &'static [&'static str]) -> Self {
        Self::text(name).format(Format::OneOf(values))
    }
    /// A status: concurrent values resolve to the one furthest along `order`.
    #[must_use]
    pub const fn status(name: &'static str, order: &'static [&'static str]) -> Self {
        let mut field = Self::choice(name, order);
        field.rule = Rule::StateMachine(order);
        field
    }
    /// Owned by the server.
    #[must_use]
    pub const fn derived(name: &'static str, column: Column) -> Self {
        let mut field = Self::register(name, column);
        field.kind = Kind::Derived;
        field.rule = Rule::Server;
        field
    }
    /// The id of a record of another table.
    #[must_use]
    pub const fn reference(name: &'static str, table: &'static str) -> Self {
        let mut field = Self::register(name, Column::Uuid);
        field.references = Some(table);
        field
    }
    /// A code of a registry.
    #[must_use]
    pub const fn of_registry(mut self, table: &'static str) -> Self {
        self.registry = Some(table);
        self
    }
    /// Puts the field into the facet of this index.
    #[must_use]
    pub const fn facet(mut self, index: u8) -> Self {
        self.facet = FacetId(index);
        self
    }
    /// Set at creation, never editable.
    #[must_use]
    pub const fn fixed(mut self) -> Self {
        self.fixed = true;
        self
    }
    /// NOT NULL.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
    /// Conflicts open an item.
    #[must_use]
    pub const fn guarded(mut self) -> Self {
        self.rule = Rule::Guarded;
        self
    }
    /// Encrypted at rest.
    #[must_use]
    pub const fn sealed(mut self) -> Self {
        self.sealed = true;
        self
    }
    /// Encrypted at rest, and found by equality.
    #[must_use]
    pub const fn indexed(mut self) -> Self {
        self.indexed = true;
        self.sealed()
    }
    /// The shape of the text.
    #[must_use]
    pub const fn format(mut self, format: Format) -> Self {
        self.format = format;
        self
    }
    /// The value when none was given.
    #[must_use]
    pub const fn default(mut self, default: Default) -> Self {
        self.default = default;
        self
    }
    /// One sentence for the data dictionary.
    #[must_use]
    pub const fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }
    /// Hands a field of any shape to the server; never inside a document.
    #[must_use]
    pub const fn server(mut self) -> Self {
        self.kind = Kind::Derived;
        self.rule = Rule::Server;
        self
    }
    /// A set of another element type.
    #[must_use]
    pub const fn of(mut self, column: Column) -> Self {
        self.column = column;
        self
    }
}
