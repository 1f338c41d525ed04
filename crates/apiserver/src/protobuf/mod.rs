//! Bodies in protobuf, as typed clients send them for built-in kinds (`kubectl create secret`, `kubectl auth can-i`).
//! They are read into the same JSON values as all others; answers are JSON, which those clients take as well.
//! Fields that aren't known are skipped, lengths that don't fit are refused; nothing is read past the end.

mod messages;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use serde_json::{Map, Value};

use messages::{Field, Kind, Message};

/// What stands before every Kubernetes object in protobuf.
const PREFIX: &[u8] = b"k8s\0";
const VARINT: u64 = 0;
const FIXED_64: u64 = 1;
const BYTES: u64 = 2;
const FIXED_32: u64 = 5;

/// An object in protobuf as a value; an error in words where it can't be read.
pub(crate) fn read(body: &[u8]) -> Result<Value, String> {
    let envelope =
        body.strip_prefix(PREFIX).ok_or("provided data does not appear to be a protobuf message")?;
    let envelope = message(&messages::UNKNOWN, envelope).ok_or("the envelope is broken")?;
    let text = |pointer: &str| envelope.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("/typeMeta/apiVersion"), text("/typeMeta/kind"));
    let known = messages::of(api_version, kind)
        .ok_or(format!("kind {kind} of {api_version} is not read as protobuf"))?;
    let raw = BASE64.decode(text("/raw")).map_err(|error| error.to_string())?;
    let mut object = message(known, &raw).ok_or(format!("the {kind} is broken"))?;
    if let Some(root) = object.as_object_mut() {
        root.insert("apiVersion".to_owned(), api_version.into());
        root.insert("kind".to_owned(), kind.into());
    }
    Ok(object)
}

/// Takes bytes from the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.varint()?;
        self.take(length)
    }

    /// The next field: its number, and its content.
    fn field(&mut self) -> Option<(u64, Content<'a>)> {
        let tag = self.varint()?;
        let content = match tag & 7 {
            VARINT => Content::Number(self.varint()?),
            BYTES => Content::Bytes(self.bytes()?),
            FIXED_64 => self.take(8).map(|_| Content::Skipped)?,
            FIXED_32 => self.take(4).map(|_| Content::Skipped)?,
            _ => return None,
        };
        Some((tag >> 3, content))
    }
}

enum Content<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Skipped,
}

fn message(known: &Message, bytes: &[u8]) -> Option<Value> {
    let mut reader = Reader(bytes);
    let mut object = Map::new();
    while !reader.0.is_empty() {
        let (number, content) = reader.field()?;
        let Some(field) = known.0.iter().find(|field| field.number == number) else { continue };
        put(&mut object, field, &content)?;
    }
    Some(Value::Object(object))
}

fn put(object: &mut Map<String, Value>, field: &Field, content: &Content<'_>) -> Option<()> {
    let name = field.name.to_owned();
    match (&field.kind, content) {
        (Kind::Bool, Content::Number(number)) => drop(object.insert(name, (*number != 0).into())),
        // Negative numbers are sent as their two's complement.
        (Kind::Int, Content::Number(number)) => drop(object.insert(name, number.cast_signed().into())),
        (Kind::Text, Content::Bytes(bytes)) => {
            let text = std::str::from_utf8(bytes).ok()?;
            // Go writes empty texts too.
            if !text.is_empty() {
                object.insert(name, text.into());
            }
        }
        (Kind::Bytes, Content::Bytes(bytes)) => drop(object.insert(name, BASE64.encode(bytes).into())),
        (Kind::Json, Content::Bytes(bytes)) => {
            let raw = Reader(bytes)
                .field()
                .and_then(|(_, raw)| if let Content::Bytes(raw) = raw { Some(raw) } else { None });
            object.insert(name, serde_json::from_slice(raw?).ok()?);
        }
        (Kind::Message(known), Content::Bytes(bytes)) => drop(object.insert(name, message(known, bytes)?)),
        (Kind::Seconds | Kind::Microseconds, Content::Bytes(bytes)) => {
            if let Some(moment) = moment(&field.kind, bytes)? {
                object.insert(name, moment.into());
            }
        }
        (Kind::Texts, Content::Bytes(bytes)) => push(object, name, std::str::from_utf8(bytes).ok()?.into()),
        (Kind::Messages(known), Content::Bytes(bytes)) => push(object, name, message(known, bytes)?),
        (Kind::TextMap | Kind::ByteMap, Content::Bytes(bytes)) => {
            let (key, value) = entry(matches!(field.kind, Kind::ByteMap), bytes)?;
            let map = object.entry(name).or_insert_with(|| Value::Object(Map::new()));
            map.as_object_mut()?.insert(key, value);
        }
        _ => return None,
    }
    Some(())
}

fn push(object: &mut Map<String, Value>, name: String, item: Value) {
    if let Value::Array(list) = object.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
        list.push(item);
    }
}

/// An entry of a map: the key is field 1, the value field 2; either is left out when it is empty.
fn entry(in_base64: bool, bytes: &[u8]) -> Option<(String, Value)> {
    let mut reader = Reader(bytes);
    let (mut key, mut value) = (&b""[..], &b""[..]);
    while !reader.0.is_empty() {
        match reader.field()? {
            (1, Content::Bytes(bytes)) => key = bytes,
            (2, Content::Bytes(bytes)) => value = bytes,
            _ => {}
        }
    }
    let key = std::str::from_utf8(key).ok()?.to_owned();
    let value = if in_base64 { BASE64.encode(value) } else { std::str::from_utf8(value).ok()?.to_owned() };
    Some((key, value.into()))
}

/// A moment in words; none within where it isn't set.
fn moment(kind: &Kind, bytes: &[u8]) -> Option<Option<String>> {
    let mut reader = Reader(bytes);
    let (mut seconds, mut nanos) = (0, 0);
    while !reader.0.is_empty() {
        match reader.field()? {
            (1, Content::Number(number)) => seconds = number.cast_signed(),
            (2, Content::Number(number)) => nanos = i32::try_from(number).ok()?,
            _ => {}
        }
    }
    if seconds == 0 && nanos == 0 {
        return Some(None);
    }
    let at = Timestamp::new(seconds, nanos).ok()?;
    let form = if matches!(kind, Kind::Seconds) { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S.%6fZ" };
    Some(Some(at.strftime(form).to_string()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, bytes.len() as u8];
        out.extend_from_slice(bytes);
        out
    }

    fn enveloped(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let kind = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [PREFIX.to_vec(), field(1, &kind), field(2, raw), field(3, b""), field(4, b"")].concat()
    }

    #[test]
    fn a_secret_in_protobuf_reads_as_one_in_json() {
        let label = [field(1, b"l"), field(2, b"m")].concat();
        let meta = [field(1, b"s"), field(2, b""), field(8, &[]), field(11, &label)].concat();
        let data = [field(1, b"k"), field(2, b"v")].concat();
        let raw = [field(1, &meta), field(2, &data), field(3, b"Opaque"), vec![5 << 3, 1]].concat();
        assert_eq!(
            read(&enveloped("v1", "Secret", &raw)).unwrap(),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "labels": {"l": "m"}},
                "data": {"k": "dg=="}, "type": "Opaque", "immutable": true})
        );
    }

    #[test]
    fn moments_keep_their_precision() {
        let time = [vec![1 << 3], vec![0x80, 0x92, 0xb8, 0xc3, 0x98, 0xfe, 0xff, 0xff, 0xff, 0x01]].concat();
        assert_eq!(moment(&Kind::Seconds, &time).unwrap().unwrap(), "0001-01-01T00:00:00Z");
        let time = [vec![1 << 3, 60], vec![2 << 3, 0xc0, 0x84, 0x3d]].concat();
        assert_eq!(moment(&Kind::Microseconds, &time).unwrap().unwrap(), "1970-01-01T00:01:00.001000Z");
        assert_eq!(moment(&Kind::Seconds, &[]), Some(None));
    }

    #[test]
    fn what_is_not_protobuf_is_told() {
        assert!(read(b"{}").unwrap_err().contains("does not appear to be a protobuf message"));
        assert!(read(&enveloped("v1", "Pod", b"")).unwrap_err().contains("Pod"));
        assert!(read(&enveloped("v1", "Secret", &[0x0a, 0x7f])).unwrap_err().contains("broken"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(raw in prop::collection::vec(any::<u8>(), 0..80)) {
            for kind in ["Secret", "ConfigMap", "Event", "Namespace"] {
                drop(read(&enveloped("v1", kind, &raw)));
            }
            drop(read(&[PREFIX, &raw].concat()));
        }
    }
}
