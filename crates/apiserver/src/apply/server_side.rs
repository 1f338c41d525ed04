//! Carries out a server-side apply: lays the applied value over the living object, takes out what the applier no longer
//! names and nobody else owns, and enters all of it into the book.
//! Another manager's field that would change is a conflict, unless forced.

use serde_json::Value;

use super::fields::Fields;
use super::managers::{Entry, Managers, Writer};
use super::merge::merge;
use super::track::{before_first_apply, changes, strip};
use super::walk::{claims, with_named, without};
use super::{Ignored, last_applied};
use crate::object;
use crate::schema::{Schema, prune};
use crate::status::{Outcome, Rejection};

/// Who owns the fields of an object that existed before anybody applied to it.
pub(super) const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// An apply to carry out.
pub(crate) struct Applied<'a> {
    pub(crate) schema: &'a Schema,
    /// The living object; none when the apply makes it.
    pub(crate) live: Option<&'a Value>,
    /// What is applied.
    pub(crate) config: &'a Value,
    pub(crate) writer: &'a Writer,
    pub(crate) ignored: Ignored,
    pub(crate) force: bool,
    pub(crate) now: &'a str,
}

/// The object after the apply, with its book.
pub(crate) fn apply(applied: &Applied<'_>) -> Outcome<Value> {
    let Applied { schema, live, config, writer, .. } = *applied;
    refuse_unknown(applied)?;
    let mut managers = living_book(applied);
    let mut bare = live.cloned().unwrap_or_else(|| Value::Object(serde_json::Map::new()));
    object::unset(&mut bare, "managedFields");

    let before = managers.position(writer).and_then(|at| managers.0.get(at)).cloned();
    let claimed = claimed(applied);
    set_entry(&mut managers, writer, claimed, before.as_ref().and_then(|entry| entry.time.clone()));

    let merged = merge(Some(schema), &bare, config);
    let mut new = match before.filter(|entry| !entry.fields.is_empty()) {
        Some(before) => {
            let mut pruned = prune_unclaimed(schema, &merged, &managers, writer, &before.fields);
            keep_empty(&mut pruned, config);
            pruned
        }
        None => merged,
    };

    let changes = changes(schema, Some(&bare), &new, applied.ignored);
    let taken = changes.taken();
    let conflicts = conflicts(&managers, writer, &taken);
    let force = applied.force || last_applied::allows(applied, &conflicts);
    if !conflicts.is_empty() && !force {
        return Err(Rejection::apply_conflict(&in_words(&conflicts)));
    }
    managers.take(&writer.api_version, &taken, Some(writer));
    managers.take(&writer.api_version, &changes.removed, Some(writer));
    managers.0.retain(|entry| !entry.fields.is_empty());
    if !changes.is_empty() || live.is_none() {
        if let Some(entry) = managers.position(writer).and_then(|at| managers.0.get_mut(at)) {
            entry.time = Some(applied.now.to_owned());
        }
    } else if let Some(live) = live {
        // Nothing changes but, perhaps, who shares what.
        let merged = std::mem::replace(&mut new, live.clone());
        object::copy_meta(&merged, &mut new, "resourceVersion");
    }
    last_applied::renew(applied, &mut new);
    managers.write(&mut new);
    Ok(new)
}

/// An apply may only name what the schema knows: there is no pruning here.
fn refuse_unknown(applied: &Applied<'_>) -> Outcome<()> {
    let (mut copy, mut unknown) = (applied.config.clone(), Vec::new());
    prune(applied.schema, &mut copy, "", &mut unknown);
    if unknown.is_empty() {
        return Ok(());
    }
    let text = |key: &str| applied.config.get(key).and_then(Value::as_str).unwrap_or_default();
    let place = format!("{}/{}", object::namespace(applied.config), object::name(applied.config));
    let all: Vec<String> =
        unknown.iter().map(|path| format!(".{path}: field not declared in schema")).collect();
    let what = match all.as_slice() {
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let (version, kind) = (text("apiVersion"), text("kind"));
    Err(Rejection::bare(format!(
        "failed to create typed patch object ({place}; {version}, Kind={kind}): {what}"
    )))
}

fn living_book(applied: &Applied<'_>) -> Managers {
    let Some(live) = applied.live else { return Managers::default() };
    match Managers::read(live).filter(|managers| !managers.is_empty()) {
        Some(managers) => managers,
        None => before_first_apply(applied.schema, live, applied.writer, applied.ignored, applied.now),
    }
}

fn claimed(applied: &Applied<'_>) -> Fields {
    let mut set = claims(Some(applied.schema), applied.config);
    set.here = false;
    applied.ignored.parts().iter().for_each(|part| set.cut(part));
    strip(&mut set);
    set
}

fn set_entry(managers: &mut Managers, writer: &Writer, fields: Fields, time: Option<String>) {
    let entry = Entry { writer: writer.clone(), time, fields };
    match managers.position(writer).and_then(|at| managers.0.get_mut(at)) {
        Some(old) => *old = entry,
        None => managers.0.push(entry),
    }
}

/// Takes out what the applier named the last time and doesn't any more, unless somebody owns it.
fn prune_unclaimed(
    schema: &Schema,
    merged: &Value,
    managers: &Managers,
    writer: &Writer,
    before: &Fields,
) -> Value {
    let named = |set: &Fields| with_named(Some(schema), set);
    let all_of = |value: &Value| {
        let mut set = claims(Some(schema), value);
        set.here = false;
        named(&set)
    };
    let before = named(before);
    let pruned = without(Some(schema), merged, &before);

    // Give back what a manager owns, and what was taken along with a parent but never named by this applier.
    let mut owned = all_of(&pruned);
    for entry in managers.0.iter().filter(|entry| entry.writer.api_version == writer.api_version) {
        owned.add(&named(&entry.fields));
    }
    let mut gone = all_of(merged);
    gone.take(&owned);
    let pruned = without(Some(schema), merged, &gone);

    let mut gone = all_of(merged);
    gone.take(&all_of(&pruned));
    without(Some(schema), merged, &gone.common(&before))
}

/// A map or list that lost all it had is empty where the applier names it so. (kube-apiserver 1.36 leaves null there,
/// which a custom kind's schema then refuses.)
fn keep_empty(new: &mut Value, config: &Value) {
    match (new, config) {
        (new @ Value::Null, Value::Object(_) | Value::Array(_)) => *new = config.clone(),
        (Value::Object(new), Value::Object(config)) => {
            for (name, value) in new.iter_mut() {
                if let Some(config) = config.get(name) {
                    keep_empty(value, config);
                }
            }
        }
        _ => {}
    }
}

/// Whose fields would change.
fn conflicts(managers: &Managers, writer: &Writer, taken: &Fields) -> Vec<(Writer, Fields)> {
    let mut all = Vec::new();
    for (at, entry) in managers.0.iter().enumerate() {
        let other = managers.position(writer) != Some(at) && entry.writer.api_version == writer.api_version;
        let common = if other { entry.fields.common(taken) } else { Fields::default() };
        if !common.is_empty() {
            all.push((entry.writer.clone(), common));
        }
    }
    all.sort_by(|(a, _), (b, _)| a.manager.cmp(&b.manager));
    all
}

fn in_words(conflicts: &[(Writer, Fields)]) -> Vec<(String, String)> {
    let each = |(writer, fields): &(Writer, Fields)| {
        fields.paths().into_iter().map(|path| (writer.in_words(), path)).collect::<Vec<_>>()
    };
    conflicts.iter().flat_map(each).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::needless_pass_by_value)]
mod tests {
    use super::super::managers::Operation;
    use super::super::walk::tests::schema;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn writer(manager: &str) -> Writer {
        Writer {
            manager: manager.to_owned(),
            operation: Operation::Apply,
            api_version: "v1".to_owned(),
            subresource: String::new(),
        }
    }

    fn apply_as(manager: &str, live: Option<&Value>, config: &Value, force: bool) -> Outcome<Value> {
        apply(&Applied {
            schema: &schema(),
            live,
            config,
            writer: &writer(manager),
            ignored: Ignored::Nothing,
            force,
            now: "2026-01-01T00:00:00Z",
        })
    }

    fn without_book(mut object: Value) -> Value {
        object::unset(&mut object, "managedFields");
        object
    }

    #[test]
    fn what_the_applier_no_longer_names_goes() {
        let first = json!({"spec": {"color": "red", "size": 1, "set": ["x", "y"], "parts": [{"id": "a", "count": 1}]}});
        let live = apply_as("one", None, &first, false).unwrap();
        let next =
            apply_as("one", Some(&live), &json!({"spec": {"color": "red", "set": ["y"]}}), false).unwrap();
        assert_eq!(without_book(next)["spec"], json!({"color": "red", "set": ["y"]}));
    }

    #[test]
    fn what_another_manager_names_too_stays() {
        let live = apply_as("one", None, &json!({"spec": {"color": "red", "size": 1}}), false).unwrap();
        let live = apply_as("two", Some(&live), &json!({"spec": {"color": "red"}}), false).unwrap();
        let live = apply_as("one", Some(&live), &json!({"spec": {"size": 1}}), false).unwrap();
        assert_eq!(live["spec"], json!({"color": "red", "size": 1}));
        let live = apply_as("two", Some(&live), &json!({}), false).unwrap();
        assert_eq!(live["spec"], json!({"size": 1}));
        assert_eq!(Managers::read(&live).unwrap().0.len(), 1);
    }

    #[test]
    fn a_changed_field_of_another_manager_is_a_conflict_unless_forced() {
        let live = apply_as("one", None, &json!({"spec": {"color": "red", "size": 1}}), false).unwrap();
        let config = json!({"spec": {"color": "blue"}});
        let refused = apply_as("two", Some(&live), &config, false).unwrap_err();
        assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"one\": .spec.color");
        let forced = apply_as("two", Some(&live), &config, true).unwrap();
        assert_eq!(forced["spec"], json!({"color": "blue", "size": 1}));
        let book = Managers::read(&forced).unwrap();
        let one = book.0.iter().find(|entry| entry.writer.manager == "one").unwrap();
        assert_eq!(one.fields.paths(), [".spec.size"]);
    }

    #[test]
    fn unknown_fields_are_refused() {
        let refused = apply_as("one", None, &json!({"spec": {"colour": "red"}}), false).unwrap_err();
        assert!(
            refused.message.ends_with(".spec.colour: field not declared in schema"),
            "{}",
            refused.message
        );
    }

    /// Without empty lists that have keys: these claim nothing, so applying them twice isn't applying them once
    /// (kube-apiserver 1.36 does the same).
    fn configs() -> impl Strategy<Value = Value> {
        let set = prop::option::of(prop::collection::btree_set("[x-z]", 1..3));
        let parts = prop::option::of(prop::collection::btree_map("[a-c]", prop::option::of(0..3_i64), 1..3));
        let labels = prop::option::of(prop::collection::btree_map("[a-c]", "[0-1]", 0..3));
        (prop::option::of("[rgb]"), set, parts, labels).prop_map(|(color, set, parts, labels)| {
            let mut spec = serde_json::Map::new();
            color.map(|color| spec.insert("color".to_owned(), color.into()));
            set.map(|set| spec.insert("set".to_owned(), set.into_iter().collect()));
            if let Some(parts) = parts {
                let part = |(id, count): (String, Option<i64>)| match count {
                    Some(count) => json!({"id": id, "count": count}),
                    None => json!({ "id": id }),
                };
                spec.insert("parts".to_owned(), parts.into_iter().map(part).collect());
            }
            let mut root = json!({ "spec": spec });
            if let Some(labels) = labels {
                object::set(&mut root, "labels", json!(labels));
            }
            root
        })
    }

    proptest! {
        #[test]
        fn after_a_forced_apply_everything_applied_stands_and_is_owned(
            steps in prop::collection::vec((0..3_usize, configs()), 1..8),
        ) {
            let mut live: Option<Value> = None;
            for (who, config) in steps {
                let name = ["one", "two", "three"].get(who).copied().unwrap_or("one");
                let next = apply_as(name, live.as_ref(), &config, true).unwrap();
                // Applying again changes nothing, not even the book. An object whose book is empty counts as one that
                // was never applied to.
                if !Managers::read(&next).unwrap().is_empty() {
                    prop_assert_eq!(&apply_as(name, Some(&next), &config, false).unwrap(), &next);
                }
                // Laying the config over the result changes nothing, but for lists and maps emptied to null.
                let again = merge(Some(&schema()), &next, &config);
                let lost = changes(&schema(), Some(&next), &again, Ignored::Nothing);
                prop_assert!(lost.removed.is_empty());
                // Nobody owns what isn't there.
                let there = super::super::walk::whole(Some(&schema()), &next);
                for entry in Managers::read(&next).unwrap().0 {
                    let mut dangling = entry.fields.clone();
                    dangling.take(&there);
                    prop_assert!(dangling.is_empty(), "{:?} owns {:?}", entry.writer.manager, dangling.paths());
                }
                live = Some(next);
            }
        }
    }
}
