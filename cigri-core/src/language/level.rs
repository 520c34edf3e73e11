//! One level of a JSON text: the raw values right below an object or a list, duplicates of keys included.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// The entries of an object or list in their order; the keys of a list are empty.
pub(super) type Level<'a> = Vec<(String, &'a RawValue)>;

/// Takes an object or list apart; `None` if it has more than `most` entries, which are then not kept.
///
/// # Errors
/// What the syntax check of the whole text does not see: a key that is no Unicode text.
pub(super) fn read_level(raw: &str, most: usize) -> serde_json::Result<Option<Level<'_>>> {
    let mut deserializer = serde_json::Deserializer::from_str(raw);
    AtMost(most).deserialize(&mut deserializer)
}

struct AtMost(usize);

impl<'de> DeserializeSeed<'de> for AtMost {
    type Value = Option<Level<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AtMost {
    type Value = Option<Level<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object or a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut level = Level::new();
        while let Some(entry) = map.next_entry()? {
            if level.len() == self.0 {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            level.push(entry);
        }
        Ok(Some(level))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut level = Level::new();
        while let Some(item) = list.next_element()? {
            if level.len() == self.0 {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
            level.push((String::new(), item));
        }
        Ok(Some(level))
    }
}
