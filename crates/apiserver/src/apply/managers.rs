//! The book of who owns which fields: `metadata.managedFields`, read and written.
//! An entry is one writer: its name, how it writes, the version it speaks and the subresource it writes through.
//! What can't be read counts as no entry at all, as in Kubernetes.

use serde_json::{Map, Value, json};

use super::fields::Fields;

/// How many entries of updaters are kept before the oldest are merged.
const MOST_UPDATERS: usize = 10;
/// Whose name merged entries get.
const MERGED: &str = "ancient-changes";

/// How a writer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Operation {
    Apply,
    Update,
}

/// Who writes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) manager: String,
    pub(crate) operation: Operation,
    pub(crate) api_version: String,
    pub(crate) subresource: String,
}

impl Writer {
    /// Appliers keep their entry when the version changes.
    fn is(&self, other: &Writer) -> bool {
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// As a conflict names it.
    pub(super) fn in_words(&self) -> String {
        let mut words = format!("\"{}\"", self.manager);
        if !self.subresource.is_empty() {
            words.push_str(&format!(" with subresource \"{}\"", self.subresource));
        }
        if self.operation == Operation::Update {
            words.push_str(&format!(" using {}", self.api_version));
        }
        words
    }
}

/// One writer and its fields.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) writer: Writer,
    /// When it last took a field. A writer that only shares what stood there has none.
    pub(super) time: Option<String>,
    pub(super) fields: Fields,
}

/// All writers of an object.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Managers(pub(super) Vec<Entry>);

impl Managers {
    /// Reads `metadata.managedFields`; none where it can't be read.
    pub(crate) fn read(object: &Value) -> Option<Managers> {
        let list = match object.pointer("/metadata/managedFields") {
            None | Some(Value::Null) => return Some(Managers::default()),
            Some(list) => list.as_array()?,
        };
        list.iter().map(read_entry).collect::<Option<Vec<_>>>().map(Managers)
    }

    /// Whether the caller asks to forget all entries: one empty entry.
    pub(crate) fn is_reset(object: &Value) -> bool {
        object.pointer("/metadata/managedFields") == Some(&json!([{}]))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes `metadata.managedFields`, or takes it out.
    pub(crate) fn write(mut self, object: &mut Value) {
        self.0.sort_by(|a, b| {
            let key = |e: &Entry| (e.writer.operation, e.time.clone(), e.writer.manager.clone());
            let rest = |e: &Entry| (e.writer.api_version.clone(), e.writer.subresource.clone());
            key(a).cmp(&key(b)).then_with(|| rest(a).cmp(&rest(b)))
        });
        if self.0.is_empty() {
            crate::object::unset(object, "managedFields");
        } else {
            crate::object::set(object, "managedFields", self.0.iter().map(write_entry).collect::<Vec<_>>());
        }
    }

    /// The place of a writer's entry.
    pub(super) fn position(&self, writer: &Writer) -> Option<usize> {
        self.0.iter().position(|entry| entry.writer.is(writer))
    }

    /// Takes fields away from all but one writer; those that own nothing any more go.
    pub(super) fn take(&mut self, api_version: &str, fields: &Fields, except: Option<&Writer>) {
        for entry in &mut self.0 {
            // Another version may name fields otherwise.
            let same = entry.writer.api_version == api_version;
            if same && !except.is_some_and(|except| entry.writer.is(except)) {
                entry.fields.take(fields);
            }
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Merges the oldest updaters when there are too many.
    pub(super) fn cap(&mut self) {
        let is_updater = |entry: &Entry| entry.writer.operation == Operation::Update;
        let mut surplus = self.0.iter().filter(|e| is_updater(e)).count().saturating_sub(MOST_UPDATERS);
        if surplus == 0 {
            return;
        }
        // Merging makes an entry of its own.
        surplus += 1;
        let mut by_age: Vec<usize> =
            (0..self.0.len()).filter(|at| self.0.get(*at).is_some_and(is_updater)).collect();
        by_age.sort_by_key(|at| self.0.get(*at).and_then(|entry| entry.time.clone()));
        by_age.truncate(surplus);
        let mut kept = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        for (at, mut entry) in std::mem::take(&mut self.0).into_iter().enumerate() {
            if !by_age.contains(&at) {
                kept.push(entry);
                continue;
            }
            entry.writer.manager = MERGED.to_owned();
            entry.writer.subresource = String::new();
            match merged.iter_mut().find(|other| other.writer.is(&entry.writer)) {
                Some(other) => {
                    other.fields.add(&entry.fields);
                    other.time = other.time.take().max(entry.time);
                }
                None => merged.push(entry),
            }
        }
        kept.extend(merged);
        self.0 = kept;
    }
}

fn read_entry(entry: &Value) -> Option<Entry> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let operation = match text("operation")? {
        "Apply" => Operation::Apply,
        "Update" => Operation::Update,
        _ => return None,
    };
    let writer = Writer {
        manager: text("manager").unwrap_or_default().to_owned(),
        operation,
        api_version: text("apiVersion").unwrap_or_default().to_owned(),
        subresource: text("subresource").unwrap_or_default().to_owned(),
    };
    let fields = Fields::from_json(entry.get("fieldsV1")?)?;
    Some(Entry { writer, time: text("time").map(str::to_owned), fields })
}

fn write_entry(entry: &Entry) -> Value {
    let mut map = Map::new();
    let operation = match entry.writer.operation {
        Operation::Apply => "Apply",
        Operation::Update => "Update",
    };
    map.insert("manager".to_owned(), entry.writer.manager.as_str().into());
    map.insert("operation".to_owned(), operation.into());
    map.insert("apiVersion".to_owned(), entry.writer.api_version.as_str().into());
    if let Some(time) = &entry.time {
        map.insert("time".to_owned(), time.as_str().into());
    }
    map.insert("fieldsType".to_owned(), "FieldsV1".into());
    map.insert("fieldsV1".to_owned(), entry.fields.to_json());
    if !entry.writer.subresource.is_empty() {
        map.insert("subresource".to_owned(), entry.writer.subresource.as_str().into());
    }
    Value::Object(map)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: Operation, time: &str) -> Entry {
        let writer = Writer {
            manager: manager.to_owned(),
            operation,
            api_version: "v1".to_owned(),
            subresource: String::new(),
        };
        let fields = Fields::from_json(&json!({ format!("f:{manager}"): {} })).unwrap();
        Entry { writer, time: Some(time.to_owned()), fields }
    }

    #[test]
    fn the_book_is_written_appliers_first_and_oldest_first() {
        let mut object = json!({"metadata": {}});
        let managers = Managers(vec![
            entry("c", Operation::Update, "2026-01-01T00:00:00Z"),
            entry("b", Operation::Apply, "2026-01-02T00:00:00Z"),
            entry("a", Operation::Apply, "2026-01-03T00:00:00Z"),
        ]);
        managers.clone().write(&mut object);
        let list = object.pointer("/metadata/managedFields").unwrap().as_array().unwrap();
        let names: Vec<_> = list.iter().map(|entry| entry["manager"].as_str().unwrap()).collect();
        assert_eq!(names, ["b", "a", "c"]);
        let mut read = Managers::read(&object).unwrap();
        read.0.sort_by(|a, b| b.writer.manager.cmp(&a.writer.manager));
        assert_eq!(read, managers);
    }

    #[test]
    fn an_unreadable_book_is_none() {
        for fields in [
            json!("x"),
            json!([{"operation": "Pray"}]),
            json!([{"operation": "Apply", "fieldsV1": {"x": 1}}]),
        ] {
            assert_eq!(Managers::read(&json!({"metadata": {"managedFields": fields}})), None);
        }
        assert!(Managers::is_reset(&json!({"metadata": {"managedFields": [{}]}})));
    }

    #[test]
    fn old_updaters_are_merged_and_keep_their_fields() {
        let names: Vec<String> = (0..12).map(|n| format!("m{n:02}")).collect();
        let mut managers = Managers(
            names
                .iter()
                .enumerate()
                .map(|(n, name)| entry(name, Operation::Update, &format!("2026-01-{:02}T00:00:00Z", n + 1)))
                .collect(),
        );
        managers.cap();
        assert_eq!(managers.0.len(), MOST_UPDATERS);
        let merged = managers.0.iter().find(|entry| entry.writer.manager == MERGED).unwrap();
        assert_eq!(merged.fields.paths(), [".m00", ".m01", ".m02"]);
    }
}
